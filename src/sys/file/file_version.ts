/** Whether a file is still what it was: one call, and nothing allocated. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { DONT_SYNC, type FileIdentity, STATX_BYTES, statxInto } from "./statx.ts";

/** `STATX_MTIME | STATX_CTIME | STATX_INO | STATX_SIZE` */
const MASK = 0x40 | 0x80 | 0x100 | 0x200;

/** Offsets of what tells versions apart, in words of 32 bits: see include/uapi/linux/stat.h. */
const SIZE = 40;
const CTIME = 96;
const MTIME = 112;
/** Inode, size, ctime and mtime with their nanoseconds, major and minor number of the device. */
const WORDS = [32, 36, SIZE, 44, CTIME, 100, 104, MTIME, 116, 120, 136, 140];

const out = new Cell(STATX_BYTES);

/**
 * One version of a file: device, inode, size, mtime and ctime in nanoseconds.
 *
 * ctime is what nobody can set. A build that is copied over with its times (`cp -a`), a file that is
 * replaced by rename(2) or removed, which changes the number of its links: each changes ctime.
 */
export class FileVersion {
  readonly #words: Int32Array;

  private constructor() {
    this.#words = Int32Array.from(WORDS, (at) => out.view.getInt32(at, true));
  }

  /** Notes the version of an open file; `null` where it cannot be told. */
  static of(fd: number): FileVersion | null {
    return ask(fd) < 0 ? null : new FileVersion();
  }

  /** Whether somebody else, who has looked at the same file, has found the same. */
  describes(file: Pick<FileIdentity, "size" | "mtimeNs" | "ctimeNs">): boolean {
    const size = (this.#word(SIZE) >>> 0) + (this.#word(SIZE + 4) >>> 0) * 0x1_0000_0000;
    return size === file.size && this.#time(MTIME) === file.mtimeNs &&
      this.#time(CTIME) === file.ctimeNs;
  }

  /** Whether an open file is this very version. Does not wait for any disk or network. */
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
  return statxInto(fd, DONT_SYNC, MASK, out);
}
