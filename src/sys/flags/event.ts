/** Constants of the calls that wait. @module */

import { platform } from "../../../ffi/platform/mod.ts";

/** Bits of `events` in `poll()`, and of its result. */
export const PollEvent = {
  /** `POLLIN`: data to read, or the end. */
  IN: 0x001,
  /** `POLLPRI`: an exceptional condition, such as urgent data. */
  PRI: 0x002,
  /** `POLLOUT`: room to write. */
  OUT: 0x004,
  /** `POLLERR`: an error, or the reader of a pipe has closed; always reported. */
  ERR: 0x008,
  /** `POLLHUP`: the other side hung up; always reported. */
  HUP: 0x010,
  /** `POLLNVAL`: the descriptor is not open; always reported. */
  NVAL: 0x020,
  /** `POLLRDHUP`: the peer of a stream has shut down its sending side. */
  RDHUP: 0x2000,
} as const;

/** Values of `op` in `epollCtl()`. */
export const EpollOp = {
  /** `EPOLL_CTL_ADD`: starts to watch. */
  ADD: 1,
  /** `EPOLL_CTL_DEL`: stops watching. */
  DEL: 2,
  /** `EPOLL_CTL_MOD`: changes the events to watch. */
  MOD: 3,
} as const;

/** Bits of `events` in `epollCtl()`, and of the reports of `epollWait()`. */
export const EpollEvent = {
  /** `EPOLLIN`: data to read, or the end. */
  IN: 0x001,
  /** `EPOLLPRI`: an exceptional condition. */
  PRI: 0x002,
  /** `EPOLLOUT`: room to write. */
  OUT: 0x004,
  /** `EPOLLERR`: an error; always reported. */
  ERR: 0x008,
  /** `EPOLLHUP`: the other side hung up; always reported. */
  HUP: 0x010,
  /** `EPOLLRDHUP`: the peer of a stream has shut down its sending side. */
  RDHUP: 0x2000,
  /** `EPOLLEXCLUSIVE`: wakes only one of the waiting threads; with `ADD` only. */
  EXCLUSIVE: 0x1000_0000,
  /** `EPOLLONESHOT`: reports once, until `MOD`. */
  ONESHOT: 0x4000_0000,
  /** `EPOLLET`: reports changes instead of states; work until `EAGAIN`. */
  ET: 0x8000_0000,
} as const;

/** Bits of `flags` in `epollCreate1()`. */
export const EpollFlag = {
  /** `EPOLL_CLOEXEC`: closes the descriptor in programs that this process starts. */
  CLOEXEC: platform.open.CLOEXEC as number,
} as const;

/** Bits of `flags` in `eventfd()`. */
export const EventfdFlag = {
  /** `EFD_SEMAPHORE`: each read takes 1. */
  SEMAPHORE: 1,
  /** `EFD_NONBLOCK`: `EAGAIN` instead of waiting. */
  NONBLOCK: platform.open.NONBLOCK as number,
  /** `EFD_CLOEXEC`: closes the descriptor in programs that this process starts. */
  CLOEXEC: platform.open.CLOEXEC as number,
} as const;

/** Bits of `flags` in `ioUringEnter()`. */
export const UringEnterFlag = {
  /** `IORING_ENTER_GETEVENTS`: waits for `minComplete` completions. */
  GETEVENTS: 1,
  /** `IORING_ENTER_SQ_WAKEUP`: wakes the kernel's polling thread. */
  SQ_WAKEUP: 2,
  /** `IORING_ENTER_EXT_ARG`: `arg` is a `struct io_uring_getevents_arg`. */
  EXT_ARG: 8,
} as const;

/** Bits of `flags` in `inotifyInit1()`. */
export const InotifyFlag = {
  /** `IN_NONBLOCK`: reads do not wait. */
  NONBLOCK: platform.open.NONBLOCK as number,
  /** `IN_CLOEXEC`: closed in programs that this process starts. */
  CLOEXEC: platform.open.CLOEXEC as number,
} as const;

/** Bits of `mask` in `inotifyAddWatch()`, and of the events. */
export const InotifyEvent = {
  /** `IN_MODIFY`: data has been written, or the file truncated. */
  MODIFY: 0x002,
  /** `IN_ATTRIB`: attributes have changed, the number of names included. */
  ATTRIB: 0x004,
  /** `IN_CLOSE_WRITE`: a descriptor open for writing was closed. */
  CLOSE_WRITE: 0x008,
  /** `IN_MOVED_FROM`: a name has left the folder. */
  MOVED_FROM: 0x040,
  /** `IN_MOVED_TO`: a name has come into the folder. */
  MOVED_TO: 0x080,
  /** `IN_CREATE`: a name has been made in the folder. */
  CREATE: 0x100,
  /** `IN_DELETE`: a name has been removed from the folder. */
  DELETE: 0x200,
  /** `IN_DELETE_SELF`: the file is gone. */
  DELETE_SELF: 0x400,
  /** `IN_MOVE_SELF`: the file has another name. */
  MOVE_SELF: 0x800,
  /** `IN_Q_OVERFLOW`: events were lost; reported without being asked for. */
  Q_OVERFLOW: 0x4000,
  /** `IN_IGNORED`: the watch has ended; reported without being asked for. */
  IGNORED: 0x8000,
} as const;
