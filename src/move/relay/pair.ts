/** A relayed connection: two sockets, two directions, one idle timer. @module */

import { ECONNRESET, ETIMEDOUT } from "../../errno.ts";
import { EpollEvent, PollEvent } from "../../sys/flags/event.ts";
import * as raw from "../../sys/raw/mod.ts";
import { SocketLevel, SocketOption, TcpOption } from "../../sys/flags/socket.ts";
import type { Handler, Loop, Task } from "../../threads/loop/loop.ts";
import { Timer } from "../../threads/loop/timers.ts";
import { type Direction, type SharedBuffers, Turn } from "./direction.ts";

const { ERR, ET, HUP, IN, OUT, PRI, RDHUP } = EpollEvent;

/** All events, edge-triggered: a connection is registered once and never changed. */
export const WATCHED: number = IN | OUT | PRI | RDHUP | ET;

/** Events after which there may be data to read, or the end. */
const READABLE = IN | RDHUP | HUP | ERR;

/** Events after which a read may stop before the last received byte: see `Direction.move`. */
const INTERRUPTED = PRI | RDHUP | HUP | ERR;

/** Events after which a stalled direction may continue, or find that it cannot. */
const WRITABLE = OUT | HUP | ERR;

const option = new Int32Array(1);

/** `struct linger { 1, 0 }`: closing sends a reset. */
export const RESET: Uint8Array = new Uint8Array(Int32Array.of(1, 0).buffer);

/** Makes close(2) reset the connection, so that the peer cannot mistake the data for complete. */
export function resetOnClose(fd: number): void {
  raw.setsockoptBytes(fd, SocketLevel.SOCKET, SocketOption.LINGER, RESET);
}

/** How a pair ended: 0 if both sides ended normally, else `-errno`; `-ETIMEDOUT` if it was idle. */
export type PairResult = number;

/** Whether both directions of a socket are shut: the event may be outdated. */
function isShut(fd: number): boolean {
  return (raw.poll(fd, 0, 0) & PollEvent.HUP) !== 0;
}

/** What all pairs of a thread share. */
export interface PairOwner {
  readonly loop: Loop;
  readonly buffers: SharedBuffers;
  /** Milliseconds without a byte after which both sides are closed; 0 for never. */
  readonly idleMs: number;
  /** Called with the bytes moved in either direction. */
  moved(pair: Pair, up: number, down: number): void;
  /** Called once, after the sockets are closed. */
  ended(pair: Pair, result: PairResult): void;
}

/** One of the two sockets. */
class End implements Handler {
  readonly #pair: Pair;
  readonly #first: boolean;

  constructor(pair: Pair, first: boolean) {
    this.#pair = pair;
    this.#first = first;
  }

  onEvents(events: number): void {
    this.#pair.onEvents(this.#first, events);
  }
}

/**
 * Relays between two sockets until both directions have ended, and closes them.
 *
 * If one side ends early, its end is passed on, and the other direction continues. An error of
 * either side resets the other one, so that no peer mistakes the data for complete.
 */
export class Pair implements Task {
  readonly #owner: PairOwner;
  readonly #up: Direction;
  readonly #down: Direction;
  readonly #timer: Timer = new Timer(this);
  #activeAt: number;
  #queued = false;
  #closed = false;

  /**
   * Takes two connected, watched sockets. Call {@linkcode start} next.
   *
   * @param up From the first socket to the second.
   * @param down From the second to the first.
   */
  constructor(up: Direction, down: Direction, owner: PairOwner) {
    this.#owner = owner;
    this.#up = up;
    this.#down = down;
    this.#activeAt = owner.loop.now;
  }

  /** Handler for the first socket. */
  first(): Handler {
    return new End(this, true);
  }

  /** Handler for the second socket. */
  second(): Handler {
    return new End(this, false);
  }

  /** When it began, if nothing has moved since; else infinity. */
  get silentSince(): number {
    return this.#up.path.bytes + this.#down.path.bytes === 0 ? this.#activeAt : Infinity;
  }

  /** Bytes moved in each direction. */
  get bytes(): readonly [up: number, down: number] {
    return [this.#up.path.bytes, this.#down.path.bytes];
  }

  /** Whether any bytes had to be copied. */
  get copied(): boolean {
    return this.#up.path.copied || this.#down.path.copied;
  }

  /** Moves the bytes that have already arrived. */
  start(): void {
    const { idleMs, loop } = this.#owner;
    if (idleMs > 0) loop.timers.start(this.#timer, idleMs);
    this.#move(true, true);
  }

  /** Called for events of either socket. */
  onEvents(first: boolean, events: number): void {
    if (this.#closed) return;
    if ((events & (ERR | HUP)) !== 0) {
      const error = this.#failure(first);
      if (error !== 0) return this.cut(error);
    }
    const readable = (events & READABLE) !== 0;
    const writable = (events & WRITABLE) !== 0;
    const plain = (events & INTERRUPTED) === 0;
    if (first) this.#move(readable, writable && this.#down.path.full, plain, false);
    else this.#move(writable && this.#up.path.full, readable, false, plain);
  }

  /**
   * Error of a socket as `-errno`, or 0.
   *
   * The kernel reports the error once, and a runtime that shares the socket may have read it first.
   * But a TCP socket that is shut in both directions, and not by sluice, was reset.
   */
  #failure(first: boolean): number {
    const fd = first ? this.#up.path.from : this.#up.path.to;
    raw.getsockopt(fd, SocketLevel.SOCKET, SocketOption.ERROR, option);
    if (option[0] !== 0) return -option[0]!;
    const told = first ? this.#down.done : this.#up.done;
    const tcp = raw.getsockopt(fd, SocketLevel.TCP, TcpOption.NODELAY, option) === 0;
    return tcp && !told && isShut(fd) ? ECONNRESET : 0;
  }

  /** Called by the loop after other connections had a turn. */
  onTurn(): void {
    this.#queued = false;
    if (!this.#closed) this.#move(true, true);
  }

  /** Called by the timer. */
  onTimeout(): void {
    const { idleMs, loop } = this.#owner;
    const left = this.#activeAt + idleMs - loop.now;
    if (left > 0) loop.timers.start(this.#timer, left);
    else if (this.#up.path.full || this.#down.path.full) this.cut(ETIMEDOUT);
    else this.#close(ETIMEDOUT);
  }

  /** Resets both sides. A second call does nothing. */
  cut(result: PairResult): void {
    if (this.#closed) return;
    for (const fd of [this.#up.path.from, this.#up.path.to]) {
      raw.setsockoptBytes(fd, SocketLevel.SOCKET, SocketOption.LINGER, RESET);
    }
    this.#close(result);
  }

  #move(up: boolean, down: boolean, upPlain = false, downPlain = false): void {
    const { loop } = this.#owner;
    const before = this.#up.path.bytes;
    const beforeDown = this.#down.path.bytes;
    const first = up ? this.#up.move(upPlain) : Turn.WAIT;
    const second = down && first >= 0 ? this.#down.move(downPlain) : Turn.WAIT;
    if (this.#up.path.bytes !== before || this.#down.path.bytes !== beforeDown) {
      this.#activeAt = loop.now;
      this.#owner.moved(this, this.#up.path.bytes - before, this.#down.path.bytes - beforeDown);
    }
    if (first < 0) return this.cut(first);
    if (second < 0) return this.cut(second);
    if (this.#up.done && this.#down.done) return this.#close(0);
    if ((first === Turn.MORE || second === Turn.MORE) && !this.#queued) {
      this.#queued = true;
      loop.again(this);
    }
  }

  #close(result: PairResult): void {
    this.#closed = true;
    const { loop } = this.#owner;
    loop.timers.stop(this.#timer);
    this.#up.path.release();
    this.#down.path.release();
    loop.close(this.#up.path.from);
    loop.close(this.#up.path.to);
    this.#owner.ended(this, result);
  }
}
