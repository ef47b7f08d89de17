/** Constants of the calls on memory. @module */

import { platform } from "../../../ffi/platform/mod.ts";

/** Bits of `protection` in `mmap()` and `mprotect()`. */
export const Protection = {
  /** `PROT_NONE`: every access kills the process. */
  NONE: 0,
  /** `PROT_READ`: allows reads; a store kills the process. */
  READ: 1,
  /** `PROT_WRITE`: allows stores. */
  WRITE: 2,
  /** `PROT_EXEC`: allows execution. */
  EXEC: 4,
} as const;

/** Bits of `flags` in `mmap()`; 0 if the system lacks one. Pass exactly one of the first three. */
export const MapFlag = {
  /** `MAP_SHARED`: stores reach the file and its other mappings. */
  SHARED: platform.map.SHARED as number,
  /** `MAP_PRIVATE`: stores stay in this process; the first one copies the page. */
  PRIVATE: platform.map.PRIVATE as number,
  /** `MAP_SHARED_VALIDATE`: like `SHARED`, but unknown flags fail with `EOPNOTSUPP`. */
  SHARED_VALIDATE: platform.map.SHARED_VALIDATE as number,
  /** `MAP_ANONYMOUS`: zeroed memory instead of a file. */
  ANONYMOUS: platform.map.ANONYMOUS as number,
  /** `MAP_LOCKED`: like `mlock()`, but ignores its failure. */
  LOCKED: platform.map.LOCKED as number,
  /** `MAP_NORESERVE`: reserves no swap for private pages. */
  NORESERVE: platform.map.NORESERVE as number,
  /** `MAP_POPULATE`: reads the whole range before it returns. */
  POPULATE: platform.map.POPULATE as number,
  /** `MAP_HUGETLB`: huge pages from the reserved pool; `ENOMEM` when it is empty. */
  HUGETLB: platform.map.HUGETLB as number,
  /** `MAP_SYNC`: stores to persistent memory are durable; with `SHARED_VALIDATE` on DAX only. */
  SYNC: platform.map.SYNC as number,
} as const;

/** Bits of `flags` in `mremap()`. */
export const RemapFlag = {
  /**
   * `MREMAP_MAYMOVE`: may move the mapping; otherwise, growing fails with `ENOMEM` if addresses are
   * taken.
   */
  MAYMOVE: 1,
} as const;

/** Bits of `flags` in `msync()`; `ASYNC` and `SYNC` exclude each other. */
export const MsyncFlag = {
  /** `MS_ASYNC`: writes nothing now; no effect since Linux 2.6.19. */
  ASYNC: platform.msync.ASYNC as number,
  /**
   * `MS_INVALIDATE`: makes stores visible to other mappings of the file; `EBUSY` on locked pages.
   */
  INVALIDATE: platform.msync.INVALIDATE as number,
  /** `MS_SYNC`: waits until the pages are on the disk. */
  SYNC: platform.msync.SYNC as number,
} as const;

/** Values of `advice` in `madvise()`; -1, which is rejected, if the system lacks one. */
export const MemoryAdvice = {
  /** `MADV_NORMAL`: the default read-ahead. */
  NORMAL: platform.memoryAdvice.NORMAL as number,
  /** `MADV_RANDOM`: no read-ahead. */
  RANDOM: platform.memoryAdvice.RANDOM as number,
  /** `MADV_SEQUENTIAL`: more read-ahead; drops pages soon after use. */
  SEQUENTIAL: platform.memoryAdvice.SEQUENTIAL as number,
  /** `MADV_WILLNEED`: starts to read the range. */
  WILLNEED: platform.memoryAdvice.WILLNEED as number,
  /** `MADV_DONTNEED`: drops the pages; discards stores into a private mapping. */
  DONTNEED: platform.memoryAdvice.DONTNEED as number,
  /** `MADV_FREE`: like `DONTNEED`, once memory runs short; private anonymous memory only. */
  FREE: platform.memoryAdvice.FREE as number,
  /** `MADV_REMOVE`: punches a hole into the file behind a shared mapping. */
  REMOVE: platform.memoryAdvice.REMOVE as number,
  /** `MADV_DONTFORK`: child processes don't get the range; protects direct I/O across fork(2). */
  DONTFORK: platform.memoryAdvice.DONTFORK as number,
  /** `MADV_DOFORK`: undoes `DONTFORK`. */
  DOFORK: platform.memoryAdvice.DOFORK as number,
  /** `MADV_HUGEPAGE`: uses huge pages; on a part, it makes a later `mremap()` of the whole fail. */
  HUGEPAGE: platform.memoryAdvice.HUGEPAGE as number,
  /** `MADV_NOHUGEPAGE`: does not use huge pages. */
  NOHUGEPAGE: platform.memoryAdvice.NOHUGEPAGE as number,
  /** `MADV_DONTDUMP`: excludes the range from core dumps. */
  DONTDUMP: platform.memoryAdvice.DONTDUMP as number,
  /** `MADV_COLD`: reclaims these pages before others. */
  COLD: platform.memoryAdvice.COLD as number,
  /** `MADV_PAGEOUT`: reclaims these pages now. */
  PAGEOUT: platform.memoryAdvice.PAGEOUT as number,
  /** `MADV_POPULATE_READ`: reads the range; `EFAULT`, not SIGBUS, past the end of the file. */
  POPULATE_READ: platform.memoryAdvice.POPULATE_READ as number,
  /** `MADV_POPULATE_WRITE`: like `POPULATE_READ`, and makes the pages writable. */
  POPULATE_WRITE: platform.memoryAdvice.POPULATE_WRITE as number,
} as const;

/** Bits of `flags` in `memfdCreate()`. */
export const MemfdFlag = {
  /** `MFD_CLOEXEC`: closes the descriptor in programs that this process starts. */
  CLOEXEC: 0x01,
  /** `MFD_ALLOW_SEALING`: allows seals. */
  ALLOW_SEALING: 0x02,
  /** `MFD_HUGETLB`: uses huge pages. */
  HUGETLB: 0x04,
  /** `MFD_NOEXEC_SEAL`: never executable; allows seals; Linux 6.3. */
  NOEXEC_SEAL: 0x08,
  /** `MFD_EXEC`: executable; Linux 6.3. */
  EXEC: 0x10,
} as const;

/** Bits of `addSeals()`. */
export const Seal = {
  /** `F_SEAL_SEAL`: no more seals. */
  SEAL: 0x01,
  /** `F_SEAL_SHRINK`: the file cannot shrink, so a mapping never raises SIGBUS. */
  SHRINK: 0x02,
  /** `F_SEAL_GROW`: the file cannot grow. */
  GROW: 0x04,
  /** `F_SEAL_WRITE`: the content cannot change; `EBUSY` while a writable shared mapping exists. */
  WRITE: 0x08,
  /** `F_SEAL_FUTURE_WRITE`: only existing mappings can change the content. */
  FUTURE_WRITE: 0x10,
} as const;
