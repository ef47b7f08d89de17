/** Raw calls on the page cache, and on writing to the disk. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { fold } from "../../../ffi/libc/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { libc } from "../libc.ts";
import { syscall } from "./syscall.ts";

const range = new Cell(16);
/** Number of 64-bit fields in `struct cachestat`. */
const COUNTS = 5;
const counts = new Cell(COUNTS * 8);

/**
 * `posix_fadvise(fd, offset, length, advice)`. The C function returns the errno; this one,
 * `-errno`.
 */
export function posixFadvise(fd: number, offset: number, length: number, advice: number): number {
  // A libc without the call returns -1 and sets errno.
  const result = libc().posix_fadvise(fd, BigInt(offset), BigInt(length), advice);
  return result > 0 ? -result : fold(result);
}

/** `readahead(fd, offset, count)`. */
export function readahead(fd: number, offset: number, count: number): number {
  return fold(libc().readahead(fd, BigInt(offset), BigInt(count)));
}

/** `cachestat(fd, &{ offset, length }, target, 0)`: fills five 64-bit counts of pages. */
export function cachestat(
  fd: number,
  offset: number,
  length: number,
  target: BigUint64Array,
): number {
  range.view.setBigUint64(0, BigInt(offset), true);
  range.view.setBigUint64(8, BigInt(length), true);
  const { cachestat } = platform.syscalls;
  const result = syscall(cachestat, fd, range.address, counts.address, 0);
  for (let i = 0; i < COUNTS; i++) target[i] = counts.view.getBigUint64(i * 8, true);
  return result;
}

/** `sync_file_range(fd, offset, length, flags)`. */
export function syncFileRange(fd: number, offset: number, length: number, flags: number): number {
  return fold(libc().sync_file_range(fd, BigInt(offset), BigInt(length), flags));
}

/** `fsync(fd)`. */
export function fsync(fd: number): number {
  return fold(libc().fsync(fd));
}

/** `fdatasync(fd)`. */
export function fdatasync(fd: number): number {
  return fold(libc().fdatasync(fd));
}
