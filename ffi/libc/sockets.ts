/** Sockets. @module */

import type { Signature } from "../types.ts";

export const SOCKETS = {
  /** `int socket(int domain, int type, int protocol)` */
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  /** `int socketpair(int domain, int type, int protocol, int fds[2])` */
  socketpair: { args: ["i32", "i32", "i32", "buffer"], returns: "i32" },
  /** `int bind(int fd, const struct sockaddr *address, socklen_t length)` */
  bind: { args: ["i32", "buffer", "u32"], returns: "i32" },
  /** `int listen(int fd, int backlog)` */
  listen: { args: ["i32", "i32"], returns: "i32" },
  /** `int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)` */
  accept4: { args: ["i32", "address", "address", "i32"], returns: "i32" },
  /** `int connect(int fd, const struct sockaddr *address, socklen_t length)` */
  connect: { args: ["i32", "buffer", "u32"], returns: "i32" },
  /** `int shutdown(int fd, int how)` */
  shutdown: { args: ["i32", "i32"], returns: "i32" },
  /** `int getsockname(int fd, struct sockaddr *address, socklen_t *length)` */
  getsockname: { args: ["i32", "address", "address"], returns: "i32" },
  /** `int getpeername(int fd, struct sockaddr *address, socklen_t *length)` */
  getpeername: { args: ["i32", "address", "address"], returns: "i32" },
  /** `int getsockopt(int fd, int level, int name, void *value, socklen_t *length)` */
  getsockopt: { args: ["i32", "i32", "i32", "address", "address"], returns: "i32" },
  /** `int setsockopt(int fd, int level, int name, const void *value, socklen_t length)` */
  setsockopt: { args: ["i32", "i32", "i32", "address", "u32"], returns: "i32" },
  /** `ssize_t send(int fd, const void *buf, size_t n, int flags)` */
  send: { args: ["i32", "buffer", "u64", "i32"], returns: "i64" },
  /** `ssize_t recv(int fd, void *buf, size_t n, int flags)` */
  recv: { args: ["i32", "buffer", "u64", "i32"], returns: "i64" },
  /**
   * `ssize_t sendto(int fd, const void *buf, size_t n, int flags, const sockaddr *, socklen_t)`: by
   * address, for loops that send thousands of times a second. They pass less than 2 GiB, so the
   * result fits an `int` and no backend creates a bigint.
   */
  sendto: { args: ["i32", "address", "u64", "i32", "address", "u32"], returns: "i32" },
  /**
   * `ssize_t recvfrom(int fd, void *buf, size_t n, int flags, sockaddr *, socklen_t *)`, likewise
   */
  recvfrom: { args: ["i32", "address", "u64", "i32", "address", "address"], returns: "i32" },
} as const;

SOCKETS satisfies Record<string, Signature>;
