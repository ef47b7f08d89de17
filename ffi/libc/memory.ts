/** Memory: mapping, advising, locking, and aligned allocation. @module */

import type { Signature } from "../types.ts";

// Calls that return a pointer are declared i64: a failure is then -1 on every runtime, and no user
// address has the top bit set.
export const MEMORY = {
  /** `void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)` */
  mmap: { args: ["address", "u64", "i32", "i32", "i32", "i64"], returns: "i64" },
  /** `int munmap(void *addr, size_t length)` */
  munmap: { args: ["address", "u64"], returns: "i32" },
  /** `void *mremap(void *old, size_t oldSize, size_t newSize, int flags, void *fixed)` */
  mremap: { args: ["address", "u64", "u64", "i32", "address"], returns: "i64" },
  /** `int mprotect(void *addr, size_t length, int prot)` */
  mprotect: { args: ["address", "u64", "i32"], returns: "i32" },
  /** `int msync(void *addr, size_t length, int flags)` */
  msync: { args: ["address", "u64", "i32"], returns: "i32" },
  /** `int madvise(void *addr, size_t length, int advice)` */
  madvise: { args: ["address", "u64", "i32"], returns: "i32" },
  /** `int mincore(void *addr, size_t length, unsigned char *vec)` */
  mincore: { args: ["address", "u64", "buffer"], returns: "i32" },
  /** `int mlock(const void *addr, size_t length)` */
  mlock: { args: ["address", "u64"], returns: "i32" },
  /** `int mlock2(const void *addr, size_t length, unsigned flags)` */
  mlock2: { args: ["address", "u64", "u32"], returns: "i32" },
  /** `int munlock(const void *addr, size_t length)` */
  munlock: { args: ["address", "u64"], returns: "i32" },
  /** `int memfd_create(const char *name, unsigned flags)` */
  memfd_create: { args: ["buffer", "u32"], returns: "i32" },
  /** `int posix_memalign(void **out, size_t alignment, size_t size)`, which returns the errno */
  posix_memalign: { args: ["buffer", "u64", "u64"], returns: "i32" },
  /** `ssize_t process_vm_readv(pid_t, const struct iovec *local, unsigned long n, const struct iovec *remote, unsigned long m, unsigned long flags)` */
  process_vm_readv: { args: ["i32", "address", "u64", "address", "u64", "u64"], returns: "i64" },
  /** `void *memmem(const void *bytes, size_t length, const void *needle, size_t needleLength)` */
  memmem: { args: ["address", "u64", "address", "u64"], returns: "i64" },
  /** `int getrlimit(int resource, struct rlimit *out)` */
  getrlimit: { args: ["i32", "address"], returns: "i32" },
  /** `int getrusage(int who, struct rusage *out)` */
  getrusage: { args: ["i32", "address"], returns: "i32" },
  /** `void free(void *ptr)` */
  free: { args: ["address"], returns: "void" },
  /** `int getpagesize(void)` */
  getpagesize: { args: [], returns: "i32" },
} as const;

MEMORY satisfies Record<string, Signature>;
