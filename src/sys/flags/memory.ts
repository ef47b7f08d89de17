/** Numbers of the calls on memory. @module */

import { platform } from "../../../ffi/platform/mod.ts";

/** Bits of `protection` in `mmap()` and `mprotect()`. */
export const Protection = {
  /** `PROT_NONE`: every access kills the process. */
  NONE: 0,
  /** `PROT_READ`: may be read; a store kills the process. */
  READ: 1,
  /** `PROT_WRITE`: may be stored into. */
  WRITE: 2,
  /** `PROT_EXEC`: may be executed. */
  EXEC: 4,
} as const;

/** Bits of `flags` in `mmap()`; 0 where the system lacks one. Exactly one of the first three. */
export const MapFlag = {
  /** `MAP_SHARED`: stores reach the file and whoever else maps it. */
  SHARED: platform.map.SHARED as number,
  /** `MAP_PRIVATE`: stores stay in this process; each copies its page. */
  PRIVATE: platform.map.PRIVATE as number,
  /** `MAP_SHARED_VALIDATE`: as `SHARED`, and unknown flags are `EOPNOTSUPP`. */
  SHARED_VALIDATE: platform.map.SHARED_VALIDATE as number,
  /** `MAP_ANONYMOUS`: zeroes instead of a file. */
  ANONYMOUS: platform.map.ANONYMOUS as number,
  /** `MAP_LOCKED`: as `mlock()`, without its error when that fails. */
  LOCKED: platform.map.LOCKED as number,
  /** `MAP_NORESERVE`: does not set swap aside for private pages. */
  NORESERVE: platform.map.NORESERVE as number,
  /** `MAP_POPULATE`: reads the whole range in before it returns. */
  POPULATE: platform.map.POPULATE as number,
  /** `MAP_HUGETLB`: huge pages from the reserved pool; `ENOMEM` when it is empty. */
  HUGETLB: platform.map.HUGETLB as number,
  /** `MAP_SYNC`: stores to persistent memory are durable; with `SHARED_VALIDATE` on DAX only. */
  SYNC: platform.map.SYNC as number,
} as const;

/** Bits of `flags` in `mremap()`. */
export const RemapFlag = {
  /** `MREMAP_MAYMOVE`: may move the mapping; without it growing fails with `ENOMEM` for want of room. */
  MAYMOVE: 1,
} as const;

/** Bits of `flags` in `msync()`; `ASYNC` and `SYNC` exclude each other. */
export const MsyncFlag = {
  /** `MS_ASYNC`: nothing is written now; without effect since Linux 2.6.19. */
  ASYNC: platform.msync.ASYNC as number,
  /** `MS_INVALIDATE`: other mappings of the file must see what is stored; `EBUSY` on locked pages. */
  INVALIDATE: platform.msync.INVALIDATE as number,
  /** `MS_SYNC`: waits until the pages are on the disk. */
  SYNC: platform.msync.SYNC as number,
} as const;

/** Values of `advice` in `madvise()`; -1, which is refused, where the system lacks one. */
export const MemoryAdvice = {
  /** `MADV_NORMAL`: the default read-ahead. */
  NORMAL: platform.memoryAdvice.NORMAL as number,
  /** `MADV_RANDOM`: no read-ahead. */
  RANDOM: platform.memoryAdvice.RANDOM as number,
  /** `MADV_SEQUENTIAL`: more read-ahead, and pages are dropped soon after. */
  SEQUENTIAL: platform.memoryAdvice.SEQUENTIAL as number,
  /** `MADV_WILLNEED`: starts to read the range in. */
  WILLNEED: platform.memoryAdvice.WILLNEED as number,
  /** `MADV_DONTNEED`: drops the pages; stores into a private mapping are lost. */
  DONTNEED: platform.memoryAdvice.DONTNEED as number,
  /** `MADV_FREE`: as `DONTNEED`, when memory gets short; private anonymous memory only. */
  FREE: platform.memoryAdvice.FREE as number,
  /** `MADV_REMOVE`: punches a hole into the file behind a shared mapping. */
  REMOVE: platform.memoryAdvice.REMOVE as number,
  /** `MADV_DONTFORK`: child processes do not get the range; protects direct I/O across fork(2). */
  DONTFORK: platform.memoryAdvice.DONTFORK as number,
  /** `MADV_DOFORK`: undoes `DONTFORK`. */
  DOFORK: platform.memoryAdvice.DOFORK as number,
  /** `MADV_HUGEPAGE`: use huge pages; makes a later `mremap()` of the whole fail if given for a part. */
  HUGEPAGE: platform.memoryAdvice.HUGEPAGE as number,
  /** `MADV_NOHUGEPAGE`: do not. */
  NOHUGEPAGE: platform.memoryAdvice.NOHUGEPAGE as number,
  /** `MADV_DONTDUMP`: leave the range out of core dumps. */
  DONTDUMP: platform.memoryAdvice.DONTDUMP as number,
  /** `MADV_COLD`: reclaim these pages before others. */
  COLD: platform.memoryAdvice.COLD as number,
  /** `MADV_PAGEOUT`: reclaim these pages now. */
  PAGEOUT: platform.memoryAdvice.PAGEOUT as number,
  /** `MADV_POPULATE_READ`: reads the range in; `EFAULT`, not SIGBUS, past the end of the file. */
  POPULATE_READ: platform.memoryAdvice.POPULATE_READ as number,
  /** `MADV_POPULATE_WRITE`: as `POPULATE_READ`, and makes the pages writable. */
  POPULATE_WRITE: platform.memoryAdvice.POPULATE_WRITE as number,
} as const;

/** Bits of `flags` in `memfdCreate()`. */
export const MemfdFlag = {
  /** `MFD_CLOEXEC`: closes the descriptor in programs that this process starts. */
  CLOEXEC: 0x01,
  /** `MFD_ALLOW_SEALING`: seals may be added. */
  ALLOW_SEALING: 0x02,
  /** `MFD_HUGETLB`: in huge pages. */
  HUGETLB: 0x04,
  /** `MFD_NOEXEC_SEAL`: never executable, and sealable; Linux 6.3. */
  NOEXEC_SEAL: 0x08,
  /** `MFD_EXEC`: executable; Linux 6.3. */
  EXEC: 0x10,
} as const;

/** Bits of `addSeals()`. */
export const Seal = {
  /** `F_SEAL_SEAL`: no further seals. */
  SEAL: 0x01,
  /** `F_SEAL_SHRINK`: never shorter, so a mapping never raises SIGBUS. */
  SHRINK: 0x02,
  /** `F_SEAL_GROW`: never longer. */
  GROW: 0x04,
  /** `F_SEAL_WRITE`: never changed; `EBUSY` while a writable shared mapping exists. */
  WRITE: 0x08,
  /** `F_SEAL_FUTURE_WRITE`: changed by existing mappings only. */
  FUTURE_WRITE: 0x10,
} as const;
