/** Taking connections from a listener inside a loop. @module */

import { EAGAIN, EINVAL } from "../../errno.ts";
import { errnoNumber } from "../../errors.ts";
import { check } from "../../sys/check.ts";
import { EpollEvent, EventfdFlag } from "../../sys/flags/event.ts";
import * as raw from "../../sys/raw/mod.ts";
import { SocketType } from "../../sys/flags/socket.ts";
import type { Handler, Loop } from "./loop.ts";
import { Timer } from "./timers.ts";

/** Connections of one turn: those that exist already get theirs in between. */
const BUDGET = 64;

/** Time without accepting when there is no place, or the kernel refuses to, in milliseconds. */
const REST_MS = 100;

const FLAGS = SocketType.NONBLOCK | SocketType.CLOEXEC;
const errnos = (...names: string[]): ReadonlySet<number> =>
  new Set(names.map((name) => -errnoNumber(name)));

/** No descriptor is left, in this process or in the system. */
const NO_DESCRIPTOR = errnos("EMFILE", "ENFILE");
/** The descriptor is no listener: nobody will ever be accepted on it. */
const NO_LISTENER = errnos("EBADF", "EFAULT", "ENOTSOCK");
/** The connection ended before it was taken; the others are none the worse. See accept(2). */
const GONE = errnos(
  "EINTR",
  "ECONNABORTED",
  "EPERM",
  "EPROTO",
  "ENOPROTOOPT",
  "EOPNOTSUPP",
  "ENETDOWN",
  "ENETUNREACH",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENONET",
  "ECONNRESET",
  "ETIMEDOUT",
);

/** A limit of connections; several threads may share one. */
export interface ConnectionLimit {
  /** Takes a place for one more connection, or returns false. */
  enter(): boolean;
  /** Gives a place back that was not used. */
  leave(): void;
}

const OPEN: ConnectionLimit = { enter: () => true, leave: () => {} };

/** What an acceptor is for. */
export interface AcceptorOptions {
  /**
   * Called with each new descriptor, non-blocking and close-on-exec, which it owns. It may call
   * {@linkcode Acceptor.pause}.
   */
  accepted(fd: number): void;
  /**
   * Called when no descriptor is left, in this process or in the system. Returns whether one becomes
   * free at the end of the turn: then the connection waits until then.
   */
  exhausted?(): boolean;
  /**
   * Called for each connection that is closed at once, when this returns, because no descriptor was
   * left: there is time for a last word.
   */
  refused?(fd: number): void;
  /**
   * Asked for a place before each connection. While it has none, connections stay in the kernel's
   * queue; it is asked again after a time, and on {@linkcode Acceptor.resume}.
   */
  readonly limit?: ConnectionLimit;
}

/**
 * Accepts on one listener, which several threads may watch, each through a duplicate of its own.
 *
 * When descriptors run out, connections are taken with one kept in reserve and closed at once:
 * left alone they would wait in the queue, and keep the loop awake, until somebody else hangs up.
 */
export class Acceptor implements Handler {
  readonly #loop: Loop;
  readonly #fd: number;
  readonly #options: AcceptorOptions;
  readonly #limit: ConnectionLimit;
  readonly #rest = new Timer({ onTimeout: () => this.resume() });
  #reserve = -1;
  #watching = false;
  #closed = false;

  /** Begins to accept on `fd`, a non-blocking listener, which stays the caller's. */
  constructor(loop: Loop, fd: number, options: AcceptorOptions) {
    this.#loop = loop;
    this.#fd = fd;
    this.#options = options;
    this.#limit = options.limit ?? OPEN;
    this.#refill();
    check(this.#watch(), "epoll_ctl", () => "watch a listener");
  }

  /** Whether connections are taken at the moment. */
  get watching(): boolean {
    return this.#watching;
  }

  /** Leaves new connections in the kernel's queue. */
  pause(): void {
    this.#loop.timers.stop(this.#rest);
    if (!this.#watching) return;
    this.#watching = false;
    this.#loop.remove(this.#fd);
  }

  /** Takes connections again, those that wait included. With `afterMs`, not before that time. */
  resume(afterMs: number = 0): void {
    if (this.#watching || this.#closed) return;
    if (afterMs > 0) return this.#loop.timers.start(this.#rest, afterMs);
    this.#loop.timers.stop(this.#rest);
    // Without memory, or with too many watches of this user, not now.
    if (this.#watch() < 0) this.#loop.timers.start(this.#rest, REST_MS);
  }

  #watch(): number {
    const result = this.#loop.add(this.#fd, EpollEvent.IN | EpollEvent.EXCLUSIVE, this);
    this.#watching = result === 0;
    return result;
  }

  /** Accepts no more. A second call does nothing. */
  close(): void {
    this.pause();
    this.#closed = true;
    if (this.#reserve >= 0) raw.close(this.#reserve);
    this.#reserve = -1;
  }

  /** Called by the loop. */
  onEvents(): void {
    for (let left = BUDGET; left > 0 && this.#watching; left--) {
      if (!this.#limit.enter()) return this.#pauseFor(REST_MS);
      const fd = raw.accept4(this.#fd, FLAGS);
      if (fd >= 0) {
        this.#options.accepted(fd);
        continue;
      }
      this.#limit.leave();
      if (fd === EAGAIN) return;
      if (fd === EINVAL) this.pause();
      else if (NO_DESCRIPTOR.has(fd)) {
        // The next turn begins at once, for the listener stays ready.
        if (this.#options.exhausted?.()) return;
        this.#refuse();
      } else if (NO_LISTENER.has(fd)) check(fd, "accept4", () => `accept on fd ${this.#fd}`);
      // Whatever else keeps this connection out, those that there are go on.
      else if (!GONE.has(fd)) this.#pauseFor(REST_MS);
    }
  }

  /** Takes one connection with the number in reserve, to tell its peer at once. */
  #refuse(): void {
    if (this.#reserve >= 0) raw.close(this.#reserve);
    this.#reserve = -1;
    const fd = raw.accept4(this.#fd, FLAGS);
    if (fd >= 0) {
      this.#options.refused?.(fd);
      raw.close(fd);
    }
    this.#refill();
    // Another thread got the number first.
    if (this.#reserve < 0) this.#pauseFor(REST_MS);
  }

  #refill(): void {
    this.#reserve = Math.max(-1, raw.eventfd(0, EventfdFlag.CLOEXEC));
  }

  #pauseFor(ms: number): void {
    if (this.#reserve < 0) this.#refill();
    this.pause();
    this.resume(ms);
  }
}
