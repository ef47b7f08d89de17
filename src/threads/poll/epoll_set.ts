/**
 * The waits of one JavaScript thread: one epoll set, and one Worker blocked in it.
 *
 * This thread changes the set itself by `epoll_ctl`, which also affects a wait in progress. So it
 * needs no commands to the Worker, and no duplicates of descriptors, which would keep closed
 * connections alive.
 *
 * @module
 */

import { EBADF, EEXIST, ENOENT } from "../../errno.ts";
import { SyscallError, type UnsupportedError } from "../../errors.ts";
import { check } from "../../sys/check.ts";
import { EpollEvent, EpollFlag, EpollOp } from "../../sys/flags/event.ts";
import * as raw from "../../sys/raw/mod.ts";
import { WorkerHost } from "../worker_host.ts";
import { isLasting } from "../worker_location.ts";

/** Always reported; ends every wait. */
const ALWAYS = EpollEvent.ERR | EpollEvent.HUP;

/** A caller that waits. */
export interface Waiter {
  /** Bits of `PollEvent` to wait for. */
  readonly events: number;
  /** Called once with the bits that are set, among those requested, `ERR` and `HUP`. */
  done(events: number): void;
  /** Called once instead, if the descriptor was closed or the thread has ended. */
  fail(error: Error): void;
}

/** All waits on one descriptor. */
interface Entry {
  /** Tag in the epoll set: distinguishes late events of an older entry. */
  readonly id: number;
  readonly fd: number;
  readonly waiters: Set<Waiter>;
}

/** Descriptors are checked in this many portions ... */
const PORTIONS = 5;
/** ... one portion per interval in milliseconds, so each descriptor is checked every 500 ms. */
const CHECK_MS = 100;

/** The epoll set of this thread. */
export class Readiness {
  readonly #epoll: number;
  readonly #host: WorkerHost;
  readonly #byFd = new Map<number, Entry>();
  readonly #byId = new Map<number, Entry>();
  #lastId = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #unchecked: Iterator<Entry> = this.#byFd.values();

  /** Starts the Worker. Calls `ended` when it has ended, before the waits fail. */
  constructor(ended: (error: Error) => void) {
    const action = () => "wait for descriptors";
    this.#epoll = check(raw.epollCreate1(EpollFlag.CLOEXEC), "epoll_create1", action);
    this.#host = new WorkerHost({
      job: "ready",
      name: "sluice ready",
      fds: [this.#epoll],
      completed: (id, events) => this.#fired(id, events),
      ended: (error) => {
        ended(error);
        for (const entry of this.#byFd.values()) this.#fail(entry, error);
      },
    });
  }

  /** Adds a wait. Returns 0 or `-errno`; `EPERM` means that the descriptor is always ready. */
  add(fd: number, waiter: Waiter): number {
    const found = this.#byFd.get(fd);
    if (found !== undefined) {
      found.waiters.add(waiter);
      const result = this.#arm(found, EpollOp.MOD);
      if (result === 0) return 0;
      found.waiters.delete(waiter);
      // The older waits are for a closed file; this one is for the file that now has the number.
      this.#gone(found);
      if (result !== ENOENT) return result;
    }
    const entry = { id: this.#nextId(), fd, waiters: new Set([waiter]) };
    let result = this.#arm(entry, EpollOp.ADD);
    // Left by a descriptor that was closed while it was waited for, and whose file is open elsewhere.
    if (result === EEXIST) result = this.#arm(entry, EpollOp.MOD);
    if (result === 0) this.#enter(entry);
    return result;
  }

  /** Cancels a wait. Does nothing if it has ended. */
  cancel(fd: number, waiter: Waiter): void {
    const entry = this.#byFd.get(fd);
    if (entry?.waiters.delete(waiter) && entry.waiters.size === 0) this.#leave(entry);
  }

  #enter(entry: Entry): void {
    this.#byFd.set(entry.fd, entry);
    this.#byId.set(entry.id, entry);
    if (this.#byFd.size > 1) return;
    this.#host.ref();
    this.#timer ??= setInterval(() => this.#checkSome(), CHECK_MS).unref();
  }

  /** Removes an entry from the set and from the tables. Fails harmlessly on a closed descriptor. */
  #leave(entry: Entry): void {
    raw.epollCtl(this.#epoll, EpollOp.DEL, entry.fd, 0);
    this.#forget(entry);
  }

  #forget(entry: Entry): void {
    this.#byFd.delete(entry.fd);
    this.#byId.delete(entry.id);
    if (this.#byFd.size === 0) this.#host.unref();
  }

  #arm({ id, fd, waiters }: Entry, operation: number): number {
    let events = EpollEvent.ONESHOT as number;
    for (const waiter of waiters) events |= waiter.events;
    return raw.epollCtl(this.#epoll, operation, fd, events, id);
  }

  #fired(id: number, events: number): void {
    const entry = this.#byId.get(id);
    if (entry === undefined) return;
    const ready = [...entry.waiters].filter((w) => (events & (w.events | ALWAYS)) !== 0);
    for (const waiter of ready) entry.waiters.delete(waiter);
    if (entry.waiters.size === 0) this.#leave(entry);
    else this.#rearm(entry);
    for (const waiter of ready) waiter.done(events & (waiter.events | ALWAYS));
  }

  /** Re-arms an entry; detects a descriptor that was closed or reused. */
  #rearm(entry: Entry): void {
    if (this.#arm(entry, EpollOp.MOD) < 0) this.#gone(entry);
  }

  #gone(entry: Entry): void {
    this.#fail(
      entry,
      new SyscallError({
        syscall: "epoll_ctl",
        errno: -EBADF,
        action: `wait for descriptor ${entry.fd}, which was closed`,
      }),
    );
  }

  #fail(entry: Entry, error: Error): void {
    this.#forget(entry);
    const waiters = [...entry.waiters];
    entry.waiters.clear();
    for (const waiter of waiters) waiter.fail(error);
  }

  /** The kernel removes a closed descriptor from the set silently, so check each one. */
  #checkSome(): void {
    if (this.#byFd.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    for (let left = Math.ceil(this.#byFd.size / PORTIONS); left > 0; left--) {
      let next = this.#unchecked.next();
      if (next.done === true) {
        this.#unchecked = this.#byFd.values();
        next = this.#unchecked.next();
      }
      if (next.done === true) return;
      this.#rearm(next.value);
    }
  }

  /** Numbers from 1 to 2^32-1; 0 is the Worker's eventfd. */
  #nextId(): number {
    do {
      this.#lastId = (this.#lastId + 1) >>> 0;
    } while (this.#lastId === 0 || this.#byId.has(this.#lastId));
    return this.#lastId;
  }
}

let current: Readiness | undefined;
let refusal: UnsupportedError | undefined;

/**
 * Returns the set of this thread, started on the first call.
 *
 * @throws {UnsupportedError} When it cannot be started; remembered, unless there was no thread.
 */
export function readiness(): Readiness {
  if (refusal !== undefined) throw refusal;
  return current ??= new Readiness((error) => {
    current = undefined;
    if (isLasting(error)) refusal = error;
  });
}
