/** Waits for a plain descriptor that no runtime polls. @module */

import { EINTR, EPERM } from "../../errno.ts";
import { errnoNumber, SyscallError } from "../../errors.ts";
import { check } from "../../sys/check.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import * as raw from "../../sys/raw/mod.ts";
import { readiness, type Waiter } from "./epoll_set.ts";

const ASKABLE = PollEvent.IN | PollEvent.PRI | PollEvent.OUT | PollEvent.RDHUP;

/** Options of {@linkcode ready}. */
export interface ReadyOptions {
  /** Ends the wait; the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits until a descriptor is ready.
 *
 * A descriptor that is already ready costs one poll(2) and no thread. Waits on one descriptor are
 * independent. A regular file is always ready.
 *
 * The process stays alive until the wait ends. Closing the descriptor meanwhile ends the wait with
 * an error within about 500 ms, even if its number is reused; events of the new owner never end the
 * wait.
 *
 * @param fd Descriptor, open in this process and not polled by the runtime. You still own it.
 * @param events Bits of `PollEvent`: any of `IN`, `PRI`, `OUT`, `RDHUP`.
 * @returns The bits that are set, among those requested, `ERR` and `HUP`.
 *
 * @throws {TypeError} When an argument is not an integer.
 * @throws {RangeError} When `fd` is negative, or `events` is empty or has other bits.
 * @throws {SyscallError} `EBADF` when `fd` is not open, or was closed during the wait; `ENOSPC`
 * when the user's limit of watches is reached.
 * @throws {UnsupportedError} When Workers cannot start here.
 *
 * @see {@link https://man7.org/linux/man-pages/man7/epoll.7.html}
 */
export async function ready(
  fd: number,
  events: number,
  { signal }: ReadyOptions = {},
): Promise<number> {
  validate(fd, events);
  signal?.throwIfAborted();
  const now = pollNow(fd, events);
  if (now > 0) return now;
  return await new Promise((resolve, reject) => {
    const abort = () => {
      cancel();
      reject(signal!.reason);
    };
    const settled = () => signal?.removeEventListener("abort", abort);
    const cancel = whenReady(
      fd,
      events,
      (result) => {
        settled();
        resolve(result);
      },
      (error) => {
        settled();
        reject(error);
      },
    );
    signal?.addEventListener("abort", abort);
  });
}

/**
 * Calls back once a descriptor is ready: {@linkcode ready} without its promise and its first
 * poll(2), for loops that have just seen `EAGAIN`.
 *
 * Neither callback runs before this function returns, nor after you call the returned function;
 * they must not throw.
 *
 * @param fd As for {@linkcode ready}.
 * @param events As for {@linkcode ready}.
 * @param done Called with the bits that are set.
 * @param fail Called with the error if the descriptor was closed, or the Worker failed.
 * @returns A function that ends the wait; you may call it at any time.
 *
 * @throws {SyscallError} As {@linkcode ready} rejects, if known at once.
 * @throws {UnsupportedError} As {@linkcode ready} rejects, if known at once.
 */
export function whenReady(
  fd: number,
  events: number,
  done: (events: number) => void,
  fail: (error: Error) => void,
): () => void {
  const set = readiness();
  const waiter: Waiter = { events, done, fail };
  const result = set.add(fd, waiter);
  if (result === EPERM) return soon(() => done(events));
  check(result, "epoll_ctl", () => `wait for descriptor ${fd}`);
  return () => set.cancel(fd, waiter);
}

/** A file that epoll(7) rejects never blocks. */
function soon(callback: () => void): () => void {
  let cancelled = false;
  queueMicrotask(() => {
    if (!cancelled) callback();
  });
  return () => {
    cancelled = true;
  };
}

function pollNow(fd: number, events: number): number {
  const action = () => `wait for descriptor ${fd}`;
  const result = raw.poll(fd, events, 0);
  if (result === EINTR) return 0;
  if (result > 0 && (result & PollEvent.NVAL) !== 0) {
    throw new SyscallError({ syscall: "poll", errno: errnoNumber("EBADF"), action: action() });
  }
  return check(result, "poll", action);
}

function validate(fd: number, events: number): void {
  if (!Number.isInteger(fd)) throw new TypeError(`Cannot wait for fd ${fd}: expected an integer`);
  if (fd < 0 || fd > 0x7fffffff) {
    throw new RangeError(`Cannot wait for fd ${fd}: expected 0..2147483647`);
  }
  if (!Number.isInteger(events)) {
    throw new TypeError(`Cannot wait for events ${events}: expected an integer`);
  }
  if (events === 0 || (events & ~ASKABLE) !== 0) {
    throw new RangeError(
      `Cannot wait for events ${events}: expected bits of PollEvent.IN, PRI, OUT and RDHUP`,
    );
  }
}
