/** Probes which parts of a file are in the page cache. @module */

import { EINTR, EOPNOTSUPP } from "../errno.ts";
import { ReadFlag } from "../sys/flags/file.ts";
import { Cell } from "../../ffi/libc/cell.ts";
import { preadCell } from "../sys/raw/cells.ts";
import { pread, preadv2 } from "../sys/raw/files.ts";
import { fdStat } from "../sys/file/statx.ts";
import { isInMemory } from "./memory_files.ts";

/** Maximum bytes that are probed, and sent, at once. */
export const WINDOW: number = 512 * 1024;

/** Bytes between two probes: reads from the disk are at least this long. */
export const STRIDE: number = 64 * 1024;

const probe = new Cell(1);

/**
 * Returns how many bytes from `offset` on can be read without waiting for the disk; at most
 * `length`, and at most {@linkcode WINDOW}.
 *
 * Probes one byte in 64 KiB by `preadv2(RWF_NOWAIT)`. cachestat(2) would also count pages whose
 * read is in flight. A file system that cannot tell, and every other error, counts as cold; an
 * in-memory file system is checked for swapped-out pages. Bytes past the end of the file count as
 * cached.
 *
 * A miss makes the kernel start readahead, and so may a hit on a page that was read ahead. The
 * probing thread pays for that, up to several milliseconds if the device has a long readahead. A
 * `stride` longer than {@linkcode STRIDE} probes less often, and misses shorter gaps.
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
  // Probe the last byte of each stretch: reads complete in order, so the bytes before it are there
  // too.
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
 * `pread(fd, target, offset)` that does not wait for the disk: `-EAGAIN` or fewer bytes if it would
 * have to, `-EOPNOTSUPP` if the file system cannot tell.
 */
export function preadResident(fd: number, target: Uint8Array, offset: number): number {
  const count = preadv2(fd, target, offset, ReadFlag.NOWAIT);
  if (count !== EOPNOTSUPP || !isInMemory(fd, offset, target.length)) return count;
  return pread(fd, target, offset);
}

/**
 * Reads the first `length` bytes of a file into memory of the library, from `start` on. Returns
 * false if that would wait for the disk, or the file is shorter.
 */
export function fillResident(fd: number, cell: Cell, start: number, length: number): boolean {
  for (let at = 0; at < length;) {
    let read = preadCell(fd, cell, start + at, length - at, at, ReadFlag.NOWAIT);
    if (read === EOPNOTSUPP && isInMemory(fd, at, length - at)) {
      read = preadCell(fd, cell, start + at, length - at, at);
    }
    if (read === EINTR) continue;
    if (read <= 0) return false;
    at += read;
  }
  return true;
}

/** Probes one byte: 1 if it is cached, 0 or `-errno` if not, or unknown. */
function look(fd: number, offset: number): number {
  const result = preadCell(fd, probe, 0, 1, offset, ReadFlag.NOWAIT);
  if (result === EINTR) return look(fd, offset);
  if (result !== 0) return result;
  // Linux 5.9 and 5.10 may return 0 before the end: preadv2(2), BUGS.
  const stat = fdStat(fd);
  return typeof stat !== "number" && offset >= stat.size ? 1 : 0;
}
