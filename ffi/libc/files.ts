/** Files: opening, reading, writing, and telling the kernel what to keep. @module */

import type { Signature } from "../types.ts";

export const FILES = {
  /** `int close(int fd)` */
  close: { args: ["i32"], returns: "i32" },
  /** `ssize_t read(int fd, void *buf, size_t n)` */
  read: { args: ["i32", "buffer", "u64"], returns: "i64" },
  /** `ssize_t write(int fd, const void *buf, size_t n)` */
  write: { args: ["i32", "buffer", "u64"], returns: "i64" },
  /** `ssize_t pread(int fd, void *buf, size_t n, off_t offset)` */
  pread: { args: ["i32", "buffer", "u64", "i64"], returns: "i64" },
  /** `ssize_t pwrite(int fd, const void *buf, size_t n, off_t offset)` */
  pwrite: { args: ["i32", "buffer", "u64", "i64"], returns: "i64" },
  // These move less than 2 GiB per call, so an `int` holds the result and no backend creates a bigint.
  /** `ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)` */
  preadv2: { args: ["i32", "address", "i32", "i64", "i32"], returns: "i32" },
  /** `ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)` */
  pwritev2: { args: ["i32", "address", "i32", "i64", "i32"], returns: "i32" },
  /** `off_t lseek(int fd, off_t offset, int whence)` */
  lseek: { args: ["i32", "i64", "i32"], returns: "i64" },
  /** `int ftruncate(int fd, off_t length)` */
  ftruncate: { args: ["i32", "i64"], returns: "i32" },
  /** `int fstatfs(int fd, struct statfs *buf)` */
  fstatfs: { args: ["i32", "address"], returns: "i32" },
  /** `int fallocate(int fd, int mode, off_t offset, off_t length)` */
  fallocate: { args: ["i32", "i32", "i64", "i64"], returns: "i32" },
  /** `int fsync(int fd)` */
  fsync: { args: ["i32"], returns: "i32" },
  /** `int fdatasync(int fd)` */
  fdatasync: { args: ["i32"], returns: "i32" },
  /** `int sync_file_range(int fd, off64_t offset, off64_t length, unsigned flags)` */
  sync_file_range: { args: ["i32", "i64", "i64", "u32"], returns: "i32" },
  /** `int posix_fadvise(int fd, off_t offset, off_t length, int advice)`, which returns the errno */
  posix_fadvise: { args: ["i32", "i64", "i64", "i32"], returns: "i32" },
  /** `ssize_t readahead(int fd, off64_t offset, size_t count)` */
  readahead: { args: ["i32", "i64", "u64"], returns: "i64" },
  /** `ssize_t copy_file_range(int in, off_t *inOff, int out, off_t *outOff, size_t n, unsigned flags)` */
  copy_file_range: { args: ["i32", "address", "i32", "address", "u64", "u32"], returns: "i64" },
  /** `int statx(int dir, const char *path, int flags, unsigned mask, struct statx *out)` */
  statx: { args: ["i32", "address", "i32", "u32", "address"], returns: "i32" },
  /** `int fchmod(int fd, mode_t mode)` */
  fchmod: { args: ["i32", "u32"], returns: "i32" },
  /** `int linkat(int oldDir, const char *old, int newDir, const char *new, int flags)` */
  linkat: { args: ["i32", "address", "i32", "address", "i32"], returns: "i32" },
  /** `int futimens(int fd, const struct timespec times[2])` */
  futimens: { args: ["i32", "address"], returns: "i32" },
  /** `int renameat(int oldDir, const char *old, int newDir, const char *new)` */
  renameat: { args: ["i32", "address", "i32", "address"], returns: "i32" },
  /** `int unlinkat(int dir, const char *path, int flags)` */
  unlinkat: { args: ["i32", "address", "i32"], returns: "i32" },
  /** `long syscall(long number, ...)`: for the calls that libc does not wrap */
  syscall: { args: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"], returns: "i64" },
} as const;

FILES satisfies Record<string, Signature>;
