/** Waiting: poll, epoll, eventfd and inotify; and settings of a thread. @module */

import type { Signature } from "../types.ts";

export const EVENTS = {
  /** `int poll(struct pollfd *fds, nfds_t count, int timeoutMs)` */
  poll: { args: ["buffer", "u64", "i32"], returns: "i32" },
  /** `int epoll_create1(int flags)` */
  epoll_create1: { args: ["i32"], returns: "i32" },
  /** `int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)` */
  epoll_ctl: { args: ["i32", "i32", "i32", "address"], returns: "i32" },
  /** `int epoll_wait(int epoll, struct epoll_event *events, int max, int timeoutMs)` */
  epoll_wait: { args: ["i32", "address", "i32", "i32"], returns: "i32" },
  /** `int setpriority(int which, id_t who, int nice)`: for one thread on Linux */
  setpriority: { args: ["i32", "u32", "i32"], returns: "i32" },
  /**
   * `int prctl(int option, ...)`: for the calling thread; variadic arguments are passed like named
   * ones
   */
  prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  /** `int eventfd(unsigned initial, int flags)` */
  eventfd: { args: ["u32", "i32"], returns: "i32" },
  /** `int inotify_init1(int flags)` */
  inotify_init1: { args: ["i32"], returns: "i32" },
  /** `int inotify_add_watch(int fd, const char *path, uint32_t mask)` */
  inotify_add_watch: { args: ["i32", "buffer", "u32"], returns: "i32" },
  /** `int inotify_rm_watch(int fd, int watch)` */
  inotify_rm_watch: { args: ["i32", "i32"], returns: "i32" },
} as const;

EVENTS satisfies Record<string, Signature>;
