/** Files in memory: detects pages that were swapped out. @module */

import { MapFlag, Protection } from "../sys/flags/memory.ts";
import { cachestat, mincore, mmap, munmap, pageSize } from "../sys/raw/mod.ts";
import { fileSystemOf } from "../sys/file/mounts.ts";
import { FileSystem } from "../sys/file/statx.ts";

/** Counts of cachestat(2); the fourth is the number of evicted pages. */
const counts = new BigUint64Array(5);

/**
 * Whether a range lies in an in-memory file system, and none of it is swapped out.
 *
 * Such file systems reject `RWF_NOWAIT` (Linux 6.18), though only swapped-out tmpfs pages can block
 * a reader. Returns false for every other file system, without asking it.
 */
export function isInMemory(fd: number, offset: number, length: number): boolean {
  const type = fileSystemOf(fd);
  if (type === FileSystem.RAMFS || type === FileSystem.HUGETLBFS) return true;
  return type === FileSystem.TMPFS && isSwappedIn(fd, offset, length);
}

function isSwappedIn(fd: number, offset: number, length: number): boolean {
  // Before Linux 6.5, and for files of other users, only a mapping can tell.
  return cachestat(fd, offset, length, counts) === 0
    ? counts[3] === 0n
    : isMappedIn(fd, offset, length);
}

/**
 * Like {@linkcode isInMemory}, by mincore(2), which also counts a hole as missing. (Tried on Linux
 * 6.1 with pages that were swapped out and in again.)
 */
export function isMappedIn(fd: number, offset: number, length: number): boolean {
  const delta = offset % pageSize();
  const size = delta + length;
  const region = mmap(size, Protection.READ, MapFlag.SHARED, fd, offset - delta);
  if (typeof region === "number") return false;
  const pages = new Uint8Array(Math.ceil(size / pageSize()));
  const result = mincore(region, 0, region.length, pages);
  munmap(region);
  // The other bits are reserved. Bytes past the end of the file have no page.
  return result === 0 && pages.every((page) => (page & 1) === 1);
}
