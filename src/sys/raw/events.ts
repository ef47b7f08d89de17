/**
 * Raw calls that wait. Some are thread-safe: one thread may wait while another changes the set.
 * @module
 */

import { Cell } from "../../../ffi/libc/cell.ts";
import { fold } from "../../../ffi/libc/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { sizeOf } from "../../bytes.ts";
import { libc } from "../libc.ts";

const { size, data } = platform.epollEvent;
const event = new Cell(16);
const pollfd = new Cell(8);

/** `poll([{ fd, events }], 1, timeoutMs)`: the returned events, 0 on timeout, or `-errno`. */
export function poll(fd: number, events: number, timeoutMs: number): number {
  pollfd.view.setInt32(0, fd, true);
  pollfd.view.setInt32(4, events, true);
  const result = fold(libc().poll(pollfd.bytes, 1n, timeoutMs));
  return result > 0 ? pollfd.view.getUint16(6, true) : result;
}

/**
 * `poll(fds, count, timeoutMs)` on an array of `struct pollfd`: number of ready entries, or
 * `-errno`.
 */
export function pollArray(fds: Uint8Array, timeoutMs: number): number {
  return fold(libc().poll(fds, BigInt(Math.floor(sizeOf(fds) / 8)), timeoutMs));
}

/** `epoll_create1(flags)`. */
export function epollCreate1(flags: number): number {
  return fold(libc().epoll_create1(flags));
}

/**
 * `epoll_ctl(epoll, op, fd, { events, data })`. Both halves of `data` are `u32`; the tag is the
 * lower one. Thread-safe.
 */
export function epollCtl(
  epoll: number,
  op: number,
  fd: number,
  events: number,
  tag: number = fd,
  upper: number = 0,
): number {
  event.view.setUint32(0, events, true);
  event.view.setUint32(data, tag, true);
  event.view.setUint32(data + 4, upper, true);
  return fold(libc().epoll_ctl(epoll, op, fd, event.address));
}

/** `inotify_init1(flags)`. */
export function inotifyInit1(flags: number): number {
  return fold(libc().inotify_init1(flags));
}

/** `inotify_rm_watch(fd, watch)`. */
export function inotifyRmWatch(fd: number, watch: number): number {
  return fold(libc().inotify_rm_watch(fd, watch));
}

/** Buffer for the events of one `epoll_wait`. */
export class EventList {
  readonly #cell: Cell;

  /** Allocates a buffer for `capacity` events. */
  constructor(capacity: number) {
    this.#cell = new Cell(capacity * size);
  }

  /** Maximum number of events that one wait reports. */
  get capacity(): number {
    return this.#cell.bytes.length / size;
  }

  /**
   * `epoll_wait(epoll, events, capacity, timeoutMs)`: number of events, 0 on timeout, or `-errno`.
   */
  wait(epoll: number, timeoutMs: number): number {
    const { address, bytes } = this.#cell;
    return fold(libc().epoll_wait(epoll, address, bytes.length / size, timeoutMs));
  }

  /** Descriptor of event `index`, unless `epollCtl` got another tag. */
  fd(index: number): number {
    return this.#cell.view.getInt32(index * size + data, true);
  }

  /** Tag of event `index`, as given to `epollCtl`. */
  tag(index: number): number {
    return this.#cell.view.getUint32(index * size + data, true);
  }

  /** Upper half of the data of event `index`, as given to `epollCtl`. */
  upper(index: number): number {
    return this.#cell.view.getUint32(index * size + data + 4, true);
  }

  /** Bits of event `index`; see `EpollEvent`. */
  events(index: number): number {
    return this.#cell.view.getUint32(index * size, true);
  }
}

/** `eventfd(initial, flags)`. */
export function eventfd(initial: number, flags: number): number {
  return fold(libc().eventfd(initial, flags));
}

/**
 * `setpriority(PRIO_PROCESS, 0, nice)`: for the calling thread on Linux, for the process elsewhere.
 */
export function setThreadPriority(nice: number): number {
  return fold(libc().setpriority(0, 0, nice));
}
