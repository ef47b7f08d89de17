/** Measures how much of a file is in memory, and drops it from there. @module */

import * as sys from "../../src/sys/mod.ts";

/** Returns the cached bytes of a file, by cachestat(2), or by mincore(2) before Linux 6.5. */
export function cachedBytes(path: string): number {
  const fd = sys.open(path, sys.OpenFlag.RDONLY | sys.OpenFlag.CLOEXEC);
  try {
    return pages(fd) * sys.pageSize();
  } finally {
    sys.close(fd);
  }
}

/** Drops a file from the page cache, as far as it is written to the disk. */
export function uncache(path: string): void {
  const fd = sys.open(path, sys.OpenFlag.RDONLY | sys.OpenFlag.CLOEXEC);
  try {
    sys.posixFadvise(fd, 0, 0, sys.FileAdvice.DONTNEED);
  } finally {
    sys.close(fd);
  }
}

function pages(fd: number): number {
  try {
    return sys.cachestat(fd, 0, 0).cached;
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOSYS") throw error;
  }
  const size = sys.lseek(fd, 0, sys.Whence.END);
  if (size === 0) return 0;
  const map = sys.mmap(size, sys.Protection.READ, sys.MapFlag.SHARED, fd);
  try {
    return sys.mincore(map).reduce((sum, page) => sum + page, 0);
  } finally {
    sys.munmap(map);
  }
}
