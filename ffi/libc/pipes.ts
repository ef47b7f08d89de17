/** Pipes, and the calls that move bytes inside the kernel. @module */

import type { Signature } from "../types.ts";

// The kernel moves less than 2 GiB per call, so that sendfile(2), splice(2) and tee(2) can return an
// `int`, for which no backend creates a bigint. Small structures that the library owns (offsets,
// iovecs, events) are passed by address instead of as `buffer`: see cell.ts.
export const PIPES = {
  /** `int pipe2(int fds[2], int flags)` */
  pipe2: { args: ["buffer", "i32"], returns: "i32" },
  /** `ssize_t sendfile(int out, int in, off_t *offset, size_t count)` */
  sendfile: { args: ["i32", "i32", "address", "u64"], returns: "i32" },
  /** `ssize_t splice(int in, off_t *inOff, int out, off_t *outOff, size_t n, unsigned flags)` */
  splice: { args: ["i32", "address", "i32", "address", "u64", "u32"], returns: "i32" },
  /** `ssize_t tee(int in, int out, size_t n, unsigned flags)` */
  tee: { args: ["i32", "i32", "u64", "u32"], returns: "i32" },
  /** `ssize_t vmsplice(int fd, const struct iovec *iov, size_t count, unsigned flags)` */
  vmsplice: { args: ["i32", "address", "u64", "u32"], returns: "i64" },
} as const;

PIPES satisfies Record<string, Signature>;
