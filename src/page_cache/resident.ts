/** What of a file is in the page cache. @module */

import { EINTR, EOPNOTSUPP } from "../errno.ts";
import { ReadFlag } from "../sys/flags/file.ts";
import { pread, preadv2 } from "../sys/raw/files.ts";
import { fdStat } from "../sys/file/statx.ts";
import { isInMemory } from "./memory_files.ts";

/** Most bytes that are asked about at once; what is sent at once as well. */
export const WINDOW: number = 512 * 1024;

/** Bytes between two questions: the disk is read in runs at least this long. */
export const STRIDE: number = 64 * 1024;

const probe = new Uint8Array(1);

/**
 * Returns how many bytes from `offset` on can be read without waiting for the disk; at most `length`,
 * and at most {@linkcode WINDOW}.
 *
 * Looks at one byte in 64 KiB, by `preadv2(RWF_NOWAIT)`, 0.5 to 1.2 microseconds each: not by
 * cachestat(2), which counts pages whose read has not ended. A file system that cannot tell, and every
 * other error, counts as cold; one that is memory is asked whether it was swapped out. What lies behind
 * the end of the file counts as there.
 *
 * A miss makes the kernel start reading ahead, and so may a hit on what it read ahead before: the
 * thread that asks then pays for it, up to several milliseconds where a device is read far ahead. A
 * `stride` longer than {@linkcode STRIDE} asks less often, and overlooks shorter gaps.
 */
export function resident(
  fd: number,
  offset: number,
  length: number,
  stride: number = STRIDE,
): number {
  const end = offset + Math.min(length, WINDOW);
  if (end === offset) return 0;
  const first = look(fd, offset);
  if (first === EOPNOTSUPP) return isInMemory(fd, offset, end - offset) ? end - offset : 0;
  if (first <= 0) return 0;
  // The last byte of each stretch: reads arrive in order, so what lies before it is there as well.
  for (let at = offset; at < end; at += stride) {
    if (!warm(fd, Math.min(at + stride, end) - 1)) return at - offset;
  }
  return end - offset;
}

/** Whether one byte can be read without waiting for the disk. */
export function warm(fd: number, offset: number): boolean {
  const seen = look(fd, offset);
  return seen > 0 || (seen === EOPNOTSUPP && isInMemory(fd, offset, 1));
}

/**
 * `pread(fd, target, offset)` that does not wait for the disk: `-EAGAIN`, or fewer bytes, where it would
 * have to, and `-EOPNOTSUPP` where nobody can tell.
 */
export function preadResident(fd: number, target: Uint8Array, offset: number): number {
  const count = preadv2(fd, target, offset, ReadFlag.NOWAIT);
  if (count !== EOPNOTSUPP || !isInMemory(fd, offset, target.length)) return count;
  return pread(fd, target, offset);
}

/** Asks for one byte: 1 when it is there, 0 or `-errno` when it is not, or nobody knows. */
function look(fd: number, offset: number): number {
  const result = preadv2(fd, probe, offset, ReadFlag.NOWAIT);
  if (result === EINTR) return look(fd, offset);
  if (result !== 0) return result;
  // Linux 5.9 and 5.10 may say 0 before the end: preadv2(2), BUGS.
  const stat = fdStat(fd);
  return typeof stat !== "number" && offset >= stat.size ? 1 : 0;
}
