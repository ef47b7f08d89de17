/** Files whose pages are the file: what of them has been swapped out. @module */

import { MapFlag, Protection } from "../sys/flags/memory.ts";
import { cachestat, mincore, mmap, munmap, pageSize } from "../sys/raw/mod.ts";
import { fileSystemOf } from "../sys/file/mounts.ts";
import { FileSystem } from "../sys/file/statx.ts";

/** What cachestat(2) counts; the fourth are the pages that are not in memory any more. */
const counts = new BigUint64Array(5);

/**
 * Whether a range lies in a file system that is memory, and all of it is there.
 *
 * Such file systems refuse `RWF_NOWAIT` (measured on Linux 6.18), though only pages of tmpfs that were
 * swapped out can keep a reader waiting. False for every other file system, of which nothing is asked.
 */
export function isInMemory(fd: number, offset: number, length: number): boolean {
  const type = fileSystemOf(fd);
  if (type === FileSystem.RAMFS || type === FileSystem.HUGETLBFS) return true;
  return type === FileSystem.TMPFS && isSwappedIn(fd, offset, length);
}

function isSwappedIn(fd: number, offset: number, length: number): boolean {
  // Before Linux 6.5, and where the file is somebody else's, nobody says so; of a mapping they do.
  return cachestat(fd, offset, length, counts) === 0
    ? counts[3] === 0n
    : isMappedIn(fd, offset, length);
}

/**
 * As above, by mincore(2), for which a hole is missing as well. (Tried on Linux 6.1, with pages that were
 * swapped out and brought in again.)
 */
export function isMappedIn(fd: number, offset: number, length: number): boolean {
  const delta = offset % pageSize();
  const size = delta + length;
  const region = mmap(size, Protection.READ, MapFlag.SHARED, fd, offset - delta);
  if (typeof region === "number") return false;
  const pages = new Uint8Array(Math.ceil(size / pageSize()));
  const result = mincore(region, 0, region.length, pages);
  munmap(region);
  // The other bits are reserved. What lies behind the end is in no page.
  return result === 0 && pages.every((page) => (page & 1) === 1);
}
