/**
 * Waits for descriptors.
 *
 * These calls block the thread. In a Worker, they also keep the process from ending: never wait
 * longer than the process may take to exit.
 *
 * @module
 */

import { ownList } from "../checked.ts";
import {
  describe,
  flagsOf,
  integer,
  MAX_INT,
  MAX_UNSIGNED,
  timeoutOf,
  unsignedOf,
} from "./arguments.ts";
import { check } from "./check.ts";
import { type FdLike, fdOf } from "./fd.ts";
import * as raw from "./raw/mod.ts";

/** One entry of {@linkcode poll}: `struct pollfd`. */
export interface PollEntry {
  /** Descriptor. */
  readonly fd: FdLike;
  /** Or-ed bits of `PollEvent`. */
  readonly events: number;
}

const POLLFD = 8;
const MAX_SHORT = 0x7fff;
const MAX_EVENTS = 65_536;

/**
 * Waits until one of several descriptors is ready.
 *
 * @param fds Descriptors, and the events to wait for.
 * @param timeoutMs Milliseconds; 0 returns at once, -1 waits forever.
 * @returns Bits of `PollEvent` for each entry, in order; all 0 after the timeout.
 *
 * @throws {TypeError} When `fds` is not an array, or an entry holds no descriptor.
 * @throws {RangeError} When a number is out of range.
 * @throws {SyscallError} `EINTR` when a signal arrived; `EINVAL` for more entries than the process
 * may have descriptors. A closed descriptor is not an error: it reports `PollEvent.NVAL`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/poll.2.html}
 */
export function poll(fds: readonly PollEntry[], timeoutMs: number): number[] {
  if (!Array.isArray(fds)) {
    throw new TypeError(`Cannot poll ${describe(fds)}: expected an array of entries`);
  }
  timeoutOf(timeoutMs);
  const entries = ownList(fds as readonly PollEntry[]);
  const view = new DataView(new ArrayBuffer(entries.length * POLLFD));
  entries.forEach(({ fd, events }, index) => {
    view.setInt32(index * POLLFD, fdOf(fd), true);
    view.setInt16(index * POLLFD + 4, integer(events, "events", 0, MAX_SHORT), true);
  });
  check(
    raw.pollArray(new Uint8Array(view.buffer), timeoutMs),
    "poll",
    () => `wait for ${entries.length} descriptors`,
  );
  return entries.map((_, index) => view.getUint16(index * POLLFD + 6, true));
}

/**
 * Creates a set of descriptors to wait for. All of epoll is Linux only.
 *
 * @param flags `EpollFlag.CLOEXEC`, or 0. Default: 0.
 * @returns The descriptor of the set; the caller closes it.
 *
 * @throws {RangeError} When `flags` is not an integer in 0..2^31-1.
 * @throws {SyscallError} `EINVAL` for other flags; `EMFILE`, `ENFILE`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/epoll_create1.2.html}
 */
export function epollCreate1(flags: number = 0): number {
  flagsOf(flags);
  return check(raw.epollCreate1(flags), "epoll_create1", () => "create an epoll set");
}

/**
 * Changes a set of descriptors. Another thread may wait for the set meanwhile.
 *
 * The set watches the open file, not the number: it forgets the file once its last duplicate is
 * closed.
 *
 * @param epoll Descriptor of the set.
 * @param op One of `EpollOp`.
 * @param fd Descriptor to watch; {@linkcode epollWait} reports the same number.
 * @param events Or-ed bits of `EpollEvent`; ignored for `EpollOp.DEL`. Default: 0.
 *
 * @throws {TypeError} When a descriptor is not an integer >= 0.
 * @throws {RangeError} When a number is out of range.
 * @throws {SyscallError} `EEXIST` when `fd` is already in the set; `ENOENT` when it is not; `EPERM`
 * for a regular file or folder; `EINVAL` for an unknown `op`, or when `epoll` is not an epoll set;
 * `ELOOP`; `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/epoll_ctl.2.html}
 */
export function epollCtl(epoll: FdLike, op: number, fd: FdLike, events: number = 0): void {
  const set = fdOf(epoll, "epoll");
  flagsOf(op, "op");
  const watched = fdOf(fd, "watched");
  // JavaScript's `|` turns EPOLLET into a negative number with the same bits.
  integer(events, "events", -MAX_INT - 1, MAX_UNSIGNED);
  check(
    raw.epollCtl(set, op, watched, events),
    "epoll_ctl",
    () => `change fd ${watched} in the set ${set}`,
  );
}

/** One report of {@linkcode epollWait}. */
export interface EpollReport {
  /** Descriptor, as passed to {@linkcode epollCtl}. */
  readonly fd: number;
  /** Or-ed bits of `EpollEvent`. */
  readonly events: number;
}

let list: raw.EventList | undefined;

/**
 * Waits until a descriptor of the set is ready.
 *
 * @param epoll Descriptor of the set.
 * @param maxEvents Maximum number of reports, an integer in 1..65536; the next call returns the
 * rest.
 * @param timeoutMs Milliseconds; 0 returns at once, -1 waits forever.
 * @returns The reports; empty after the timeout.
 *
 * @throws {TypeError} When `epoll` is not a descriptor.
 * @throws {RangeError} When a number is out of range.
 * @throws {SyscallError} `EINTR` when a signal arrived; `EINVAL` when `epoll` is not an epoll set;
 * `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/epoll_wait.2.html}
 */
export function epollWait(epoll: FdLike, maxEvents: number, timeoutMs: number): EpollReport[] {
  const set = fdOf(epoll, "epoll");
  integer(maxEvents, "maxEvents", 1, MAX_EVENTS);
  timeoutOf(timeoutMs);
  const events = list = list?.capacity === maxEvents ? list : new raw.EventList(maxEvents);
  const length = check(
    events.wait(set, timeoutMs),
    "epoll_wait",
    () => `wait for the set ${set}`,
  );
  return Array.from({ length }, (_, i) => ({ fd: events.fd(i), events: events.events(i) }));
}

/**
 * Creates a counter that you can wait for.
 *
 * `write()` adds a 64-bit number of 8 bytes to it. `read()` returns the value and resets it to 0.
 * Linux only.
 *
 * @param initial Initial value, an integer in 0..2^32-1.
 * @param flags Or-ed bits of `EventfdFlag`. Default: 0.
 * @returns The descriptor; the caller closes it.
 *
 * @throws {RangeError} When a number is out of range.
 * @throws {SyscallError} `EINVAL` for unknown flags; `EMFILE`, `ENFILE`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/eventfd.2.html}
 */
export function eventfd(initial: number, flags: number = 0): number {
  unsignedOf(initial, "initial");
  flagsOf(flags);
  return check(raw.eventfd(initial, flags), "eventfd", () => "create an eventfd");
}
