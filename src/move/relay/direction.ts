/** One direction of a relayed connection: from one socket through a pipe into another. @module */

import { EAGAIN, EINVAL } from "../../errno.ts";
import * as raw from "../../sys/raw/mod.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import { ShutdownHow } from "../../sys/flags/socket.ts";
import { SocketSplice } from "../engine/socket_splice.ts";
import { PIPE_BYTES, type PipePool } from "../engine/pipe_pool.ts";

/**
 * Bytes of one turn by default, so that one connection cannot keep the others waiting: about two
 * milliseconds. With half of that 20 downloads over loopback take a tenth more CPU time per byte,
 * with a quarter or with two fillings, whatever they hold, a third more: the thread is then the one
 * that is waited for, and all connections stand in line before it with their buffers full.
 */
export const TURN_BYTES: number = 4 * PIPE_BYTES;

/** What one filling counts at least: many small pieces end a turn as well. */
const FILLING_BYTES = 64 * 1024;

/** How a turn has ended; a negative number is the `-errno` of a socket. */
export const Turn = {
  /** Nothing can be moved before the next event. */
  WAIT: 0,
  /** There may be more, but others are to have their turn. */
  MORE: 1,
  /** The source has ended, and the target has been told. */
  DONE: 2,
} as const;

/** What a thread moves bytes with. */
export interface SharedBuffers {
  readonly pipes: PipePool;
  /** Bytes after which a direction lets others have their turn; it may go one filling beyond. */
  readonly turnBytes: number;
}

/** Moves what arrives on one socket to another, and then its end. */
export class Direction {
  readonly path: SocketSplice;
  /** Whether the source has ended, and the target has been told. */
  done = false;
  readonly #turnBytes: number;
  #ended = false;

  constructor(
    { pipes, turnBytes }: SharedBuffers,
    from: number,
    to: number,
    { ahead, copying = false }: { ahead?: Uint8Array | undefined; copying?: boolean } = {},
  ) {
    this.path = new SocketSplice(pipes, from, to, !copying);
    this.#turnBytes = turnBytes;
    // Bytes of the source that somebody else has read before.
    if (ahead !== undefined) this.path.queue(ahead);
  }

  /**
   * Moves bytes until one of the sockets would have to be waited for.
   *
   * @returns A {@linkcode Turn} or `-errno`. After an error the direction is of no more use.
   */
  move(): number {
    const { path } = this;
    if (this.done) return Turn.DONE;
    if (path.queued) {
      const result = path.sendQueued();
      if (result !== 0) return result === EAGAIN ? Turn.WAIT : result;
    }
    for (let left = this.#turnBytes; left > 0;) {
      if (path.held === 0 && !this.#ended) {
        let result = path.fill(PIPE_BYTES);
        if (result === EINVAL) result = path.copy();
        if (result === 0) this.#ended = true;
        else if (result < 0) {
          path.rest();
          return result === EAGAIN ? Turn.WAIT : result;
        }
      }
      left -= Math.max(path.held, FILLING_BYTES);
      let result = path.drain();
      if (result === EAGAIN && raw.poll(path.to, PollEvent.OUT, 0) > 0) {
        // There is room by now, or the kernel was short of memory for a moment.
        result = path.drain();
        if (result === EAGAIN) break;
      }
      if (result < 0) return result === EAGAIN ? Turn.WAIT : result;
      if (this.#ended) return this.#finish();
    }
    path.rest();
    return Turn.MORE;
  }

  /** Passes the end on. A target that is gone says so by an event of its own. */
  #finish(): number {
    this.done = true;
    this.path.rest();
    raw.shutdown(this.path.to, ShutdownHow.WR);
    return Turn.DONE;
  }
}
