/** Copies a whole file in one call, in any thread. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { EDQUOT, EIO, ENOSPC, ENXIO } from "../../errno.ts";
import { FallocateFlag, OpenFlag, Whence } from "../../sys/flags/file.ts";
import {
  close,
  fallocate,
  fchmod,
  ftruncate,
  ioctl,
  lseek,
  openat,
  renameat,
  unlinkat,
} from "../../sys/raw/mod.ts";
import { copyThrough, spliceThrough } from "./copy_loops.ts";
import { nameFile, Naming, openUnnamed } from "./unnamed_file.ts";

const { CLOEXEC, CREAT, EXCL, WRONLY } = OpenFlag;

/** An incomplete copy of a private file must not be readable by others. */
const PRIVATE = 0o600;
const USUAL = 0o666;

/**
 * Creates a file from the first `size` bytes of another; it gets its name when it is complete. A
 * failure leaves nothing behind.
 *
 * @param from The source; only its bytes are used.
 * @param dir The folder of both names.
 * @param hidden An unused name, for an incomplete file if it needs one.
 * @param mode Permission bits of the file, or -1 for those of any new file.
 * @param naming Bits of `Naming`; with `FLUSH`, {@linkcode reserve} comes first.
 * @param readFlags Flags of `preadv2()`, for reading and writing.
 * @param pipeRead An empty pipe to move the bytes through, or -1 to read and write them.
 * @param pipeWrite The other end of it.
 * @returns `size`, or `-errno`; `-EIO` also if the file is shorter, or if `readFlags` stop the
 * read.
 */
export function copyWhole(
  from: number,
  size: number,
  dir: number,
  hidden: string,
  name: string,
  mode: number,
  naming: number,
  readFlags: number,
  pipeRead: number,
  pipeWrite: number,
): number {
  return makeFile(dir, hidden, name, mode, naming, (out) => {
    const reserved = (naming & Naming.FLUSH) === 0 ? 0 : reserve(out, size);
    if (reserved < 0) return reserved;
    const copied = pipeRead < 0
      ? copyThrough(from, 0, out, 0, size, size, readFlags)
      : spliceThrough(from, 0, pipeRead, pipeWrite, out, 0, size, size);
    return copied >= 0 && copied < size ? EIO : copied;
  });
}

/**
 * Like {@linkcode copyWhole}, for a file with holes, which stay holes; by reads and writes.
 *
 * @returns Bytes that are no hole, or `-errno`.
 */
export function copySparse(
  from: number,
  size: number,
  dir: number,
  hidden: string,
  name: string,
  mode: number,
  naming: number,
): number {
  return makeFile(dir, hidden, name, mode, naming & ~Naming.FLUSH, (out) => {
    const sized = ftruncate(out, size);
    if (sized < 0) return sized;
    let copied = 0;
    for (let at = 0; at < size;) {
      const start = lseek(from, at, Whence.DATA);
      if (start === ENXIO || start >= size) break;
      const end = start < 0 ? size : Math.min(size, lseek(from, start, Whence.HOLE));
      // A file system that cannot tell has no holes.
      const begin = start < 0 ? at : start;
      const count = (end < 0 ? size : end) - begin;
      const moved = copyThrough(from, begin, out, begin, count, count, 0);
      if (moved < count) return moved < 0 ? moved : EIO;
      copied += count;
      at = begin + count;
    }
    return copied;
  });
}

/** Like {@linkcode copyWhole}, by sharing all blocks of `from`: see ioctl_ficlone(2). */
export function cloneWhole(
  from: number,
  dir: number,
  hidden: string,
  name: string,
  mode: number,
  naming: number,
): number {
  const clone = (out: number) => ioctl(out, platform.ioctl.FICLONE, from);
  return makeFile(dir, hidden, name, mode, naming, clone);
}

/**
 * Reserves the blocks of a file on ext4, which is faster than to reserve them page by page while
 * they are written. The length stays 0 until then.
 *
 * @returns 0, or `-errno` if the disk is full. Other errors only mean that it is not reserved.
 */
export function reserve(out: number, size: number): number {
  const result = size === 0 ? 0 : fallocate(out, FallocateFlag.KEEP_SIZE, 0, size);
  return result === ENOSPC || result === EDQUOT ? result : 0;
}

/**
 * Creates a file and gives it its name once `fill` has written it.
 *
 * @param fill Returns a count, or `-errno`.
 */
export function makeFile(
  dir: number,
  hidden: string,
  name: string,
  mode: number,
  naming: number,
  fill: (out: number) => number,
): number {
  const unnamed = openUnnamed(dir, mode < 0 ? USUAL : mode);
  if (unnamed >= 0) return finish(unnamed, dir, hidden, name, mode, naming, fill);
  // renameat(2) replaces files.
  if ((naming & Naming.REPLACE) === 0) return unnamed;
  const out = openat(dir, hidden, WRONLY | CREAT | EXCL | CLOEXEC, mode < 0 ? USUAL : PRIVATE);
  if (out < 0) return out;
  const filled = fill(out);
  const changed = filled >= 0 && mode >= 0 ? fchmod(out, mode) : filled;
  // Some file systems report a full disk only on close.
  const closed = close(out);
  const failure = [filled, changed, closed].find((result) => result < 0) ??
    renameat(dir, hidden, dir, name);
  if (failure >= 0) return filled;
  unlinkat(dir, hidden, 0);
  return failure;
}

/** A file without a name disappears, however the process ends. */
function finish(
  out: number,
  dir: number,
  hidden: string,
  name: string,
  mode: number,
  naming: number,
  fill: (out: number) => number,
): number {
  const filled = fill(out);
  // Some file systems allow no change of permissions: the file then keeps its initial ones.
  if (filled >= 0 && mode >= 0) fchmod(out, mode);
  const failure = filled < 0 ? filled : nameFile(out, dir, hidden, name, naming);
  close(out);
  return failure < 0 ? failure : filled;
}
