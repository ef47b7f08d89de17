/** Checks whether a file has changed, by one call and without allocations. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { fold } from "../../../ffi/libc/mod.ts";
import { libc } from "../libc.ts";
import type { FileIdentity } from "./statx.ts";

const AT_EMPTY_PATH = 0x1000;
/** Uses the attributes that the kernel has, without asking a network file system or FUSE. */
const AT_STATX_DONT_SYNC = 0x4000;
const FLAGS = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
/** `STATX_MTIME | STATX_CTIME | STATX_INO | STATX_SIZE` */
const MASK = 0x40 | 0x80 | 0x100 | 0x200;

/**
 * Offsets, in 32-bit words, of the fields that differ between versions: see
 * include/uapi/linux/stat.h.
 */
const SIZE = 40;
const CTIME = 96;
const MTIME = 112;
/** Inode, size, ctime and mtime with nanoseconds, and the device's major and minor number. */
const WORDS = [32, 36, SIZE, 44, CTIME, 100, 104, MTIME, 116, 120, 136, 140];

const out = new Cell(256);
const empty = new Cell(1);

/**
 * One version of a file: device, inode, size, mtime and ctime in nanoseconds.
 *
 * Programs cannot set ctime. It changes even if a build is copied over with its times (`cp -a`),
 * and if a file is replaced by rename(2) or removed, because its link count changes.
 */
export class FileVersion {
  readonly #words: Int32Array;

  private constructor() {
    this.#words = Int32Array.from(WORDS, (at) => out.view.getInt32(at, true));
  }

  /** Records the version of an open file; `null` if statx(2) fails. */
  static of(fd: number): FileVersion | null {
    return ask(fd) < 0 ? null : new FileVersion();
  }

  /** Whether another look at the same file found the same version. */
  describes(file: Pick<FileIdentity, "size" | "mtimeNs" | "ctimeNs">): boolean {
    const size = (this.#word(SIZE) >>> 0) + (this.#word(SIZE + 4) >>> 0) * 0x1_0000_0000;
    return size === file.size && this.#time(MTIME) === file.mtimeNs &&
      this.#time(CTIME) === file.ctimeNs;
  }

  /** Whether an open file is still this version. Never waits for a disk or network. */
  holds(fd: number): boolean {
    if (ask(fd) < 0) return false;
    const { view } = out;
    const words = this.#words;
    for (let i = 0; i < words.length; i++) {
      if (view.getInt32(WORDS[i]!, true) !== words[i]) return false;
    }
    return true;
  }

  #word(at: number): number {
    return this.#words[WORDS.indexOf(at)]!;
  }

  #time(at: number): bigint {
    const seconds = BigInt(this.#word(at + 4)) * 0x1_0000_0000n + BigInt(this.#word(at) >>> 0);
    return seconds * 1_000_000_000n + BigInt(this.#word(at + 8));
  }
}

function ask(fd: number): number {
  return fold(libc().statx(fd, empty.bytes, FLAGS, MASK, out.address));
}
