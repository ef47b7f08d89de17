/** Connections to the program that wait for another request. @module */

import type { Cell } from "../../../../../ffi/libc/cell.ts";
import { EAGAIN } from "../../../../errno.ts";
import { EpollEvent } from "../../../../sys/flags/event.ts";
import { MessageFlag } from "../../../../sys/flags/socket.ts";
import { recvCell } from "../../../../sys/raw/cells.ts";
import type { Handler, Loop } from "../../../../threads/loop/loop.ts";
import { Timer } from "../../../../threads/loop/timers.ts";

/** Shorter than the 5 s after which `node:http` closes an idle connection, in milliseconds. */
const IDLE_MS = 4000;

const PEEK = MessageFlag.PEEK | MessageFlag.DONTWAIT;

/**
 * The idle connections of one thread. Each has carried complete requests and responses only, so
 * nothing is due on it: a connection on which anything arrives, be it its end, is closed.
 */
export class IdleConnections {
  readonly #loop: Loop;
  readonly #most: number;
  readonly #buffer: Cell;
  /** The one used last is at the end. */
  readonly #idle: Idle[] = [];

  /** Keeps at most `most` connections; nothing stays in `buffer`. */
  constructor(loop: Loop, most: number, buffer: Cell) {
    this.#loop = loop;
    this.#most = most;
    this.#buffer = buffer;
  }

  /** Returns a connection, in the loop for `IN`, or -1. The caller owns it, and must pass it on. */
  take(): number {
    for (let idle; (idle = this.#idle.pop()) !== undefined;) {
      this.#loop.timers.stop(idle.timer);
      if (recvCell(idle.fd, this.#buffer, 0, 1, PEEK) === EAGAIN) return idle.fd;
      this.#loop.close(idle.fd);
    }
    return -1;
  }

  /** Takes over a connection that is in the loop for `interest`; 0 if it is not in the loop. */
  keep(fd: number, interest: number): void {
    const { IN } = EpollEvent;
    const idle = new Idle(fd, () => this.#drop(idle));
    const watched = interest === 0
      ? this.#loop.add(fd, IN, idle)
      : interest === IN
      ? 0
      : this.#loop.modify(fd, IN);
    if (watched < 0) return this.#loop.close(fd);
    this.#loop.pass(fd, idle);
    this.#loop.timers.start(idle.timer, IDLE_MS);
    if (this.#idle.push(idle) > this.#most) this.evict();
  }

  /** Closes the connection that has been idle for the longest time; returns false without one. */
  evict(): boolean {
    const [oldest] = this.#idle;
    if (oldest !== undefined) this.#drop(oldest);
    return oldest !== undefined;
  }

  /** Closes all. */
  close(): void {
    while (this.evict());
  }

  #drop(idle: Idle): void {
    const at = this.#idle.indexOf(idle);
    if (at < 0) return;
    this.#idle.splice(at, 1);
    this.#loop.timers.stop(idle.timer);
    this.#loop.close(idle.fd);
  }
}

/** One idle connection. */
class Idle implements Handler {
  readonly fd: number;
  readonly timer: Timer;
  readonly #ended: () => void;

  constructor(fd: number, ended: () => void) {
    this.fd = fd;
    this.#ended = ended;
    this.timer = new Timer({ onTimeout: ended });
  }

  /** Called by the loop: for bytes that nobody asked for, and for the end. */
  onEvents(): void {
    this.#ended();
  }
}
