/** Accepts connections from a listener inside a loop. @module */

import { EAGAIN, EINVAL } from "../../errno.ts";
import { errnoNumber } from "../../errors.ts";
import { check } from "../../sys/check.ts";
import { EpollEvent, EventfdFlag } from "../../sys/flags/event.ts";
import * as raw from "../../sys/raw/mod.ts";
import { SocketType } from "../../sys/flags/socket.ts";
import type { Handler, Loop } from "./loop.ts";
import { Timer } from "./timers.ts";

/** Connections accepted per turn, so that existing ones get their share. */
const BUDGET = 64;

/** Pause when the limit is reached or the kernel refuses, in milliseconds. */
const REST_MS = 100;

const FLAGS = SocketType.NONBLOCK | SocketType.CLOEXEC;
const errnos = (...names: string[]): ReadonlySet<number> =>
  new Set(names.map((name) => -errnoNumber(name)));

/** No descriptor is left, in this process or in the system. */
const NO_DESCRIPTOR = errnos("EMFILE", "ENFILE");
/** The descriptor is not a listener: it will never accept. */
const NO_LISTENER = errnos("EBADF", "EFAULT", "ENOTSOCK");
/** The connection ended before it was accepted; others are not affected. See accept(2). */
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

/** A limit of connections, which several threads may share. */
export interface ConnectionLimit {
  /** Reserves a place for one more connection, or returns false. */
  enter(): boolean;
  /** Returns a place that was not used. */
  leave(): void;
}

const OPEN: ConnectionLimit = { enter: () => true, leave: () => {} };

/** Callbacks and settings of an acceptor. */
export interface AcceptorOptions {
  /**
   * Called with each new descriptor, non-blocking and close-on-exec, which the callee owns. It may
   * call {@linkcode Acceptor.pause}.
   */
  accepted(fd: number): void;
  /**
   * Called when no descriptor is left, in this process or in the system. Returns whether one
   * becomes free at the end of the turn; the connection then waits until then.
   */
  exhausted?(): boolean;
  /**
   * Called for each connection that is closed because no descriptor is left, right before the
   * close: you can still send a last message.
   */
  refused?(fd: number): void;
  /**
   * Checked before each connection. While it has no place, connections stay in the kernel's queue;
   * it is checked again later, and on {@linkcode Acceptor.resume}.
   */
  readonly limit?: ConnectionLimit;
}

/**
 * Accepts on one listener, which several threads may watch, each through its own duplicate.
 *
 * When descriptors run out, connections are accepted with a reserved one and closed at once.
 * Otherwise they would stay in the queue and keep the loop awake until another connection closes.
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

  /** Starts to accept on `fd`, a non-blocking listener that the caller owns. */
  constructor(loop: Loop, fd: number, options: AcceptorOptions) {
    this.#loop = loop;
    this.#fd = fd;
    this.#options = options;
    this.#limit = options.limit ?? OPEN;
    this.#refill();
    check(this.#watch(), "epoll_ctl", () => "watch a listener");
  }

  /** Whether the acceptor currently accepts. */
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

  /** Accepts again, including waiting connections; with `afterMs`, not before that delay. */
  resume(afterMs: number = 0): void {
    if (this.#watching || this.#closed) return;
    if (afterMs > 0) return this.#loop.timers.start(this.#rest, afterMs);
    this.#loop.timers.stop(this.#rest);
    // Without memory, or over the user's limit of watches: try again later.
    if (this.#watch() < 0) this.#loop.timers.start(this.#rest, REST_MS);
  }

  #watch(): number {
    const result = this.#loop.add(this.#fd, EpollEvent.IN | EpollEvent.EXCLUSIVE, this);
    this.#watching = result === 0;
    return result;
  }

  /** Stops accepting. A second call does nothing. */
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
        // The next turn starts at once, because the listener stays ready.
        if (this.#options.exhausted?.()) return;
        this.#refuse();
      } else if (NO_LISTENER.has(fd)) check(fd, "accept4", () => `accept on fd ${this.#fd}`);
      // Another error keeps this connection out; existing ones continue.
      else if (!GONE.has(fd)) this.#pauseFor(REST_MS);
    }
  }

  /** Accepts one connection with the reserved descriptor, to inform its peer at once. */
  #refuse(): void {
    if (this.#reserve >= 0) raw.close(this.#reserve);
    this.#reserve = -1;
    const fd = raw.accept4(this.#fd, FLAGS);
    if (fd >= 0) {
      this.#options.refused?.(fd);
      raw.close(fd);
    }
    this.#refill();
    // Another thread got the descriptor first.
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
