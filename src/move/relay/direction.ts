/** One direction of a relayed connection: from one socket through a pipe into another. @module */

import { EAGAIN, EINVAL } from "../../errno.ts";
import * as raw from "../../sys/raw/mod.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import { ShutdownHow } from "../../sys/flags/socket.ts";
import { SMALL_BYTES, SocketSplice } from "../engine/socket_splice.ts";
import { PIPE_BYTES, type PipePool } from "../engine/pipe_pool.ts";

/**
 * Default bytes of one turn, so that one connection cannot keep the others waiting: about two
 * milliseconds. Smaller turns cost more CPU time per byte. Then the thread becomes the bottleneck,
 * and all connections wait for it with full buffers: see `npm run bench -- relay`.
 */
export const TURN_BYTES: number = 4 * PIPE_BYTES;

/** Minimum that one filling counts: many small pieces also end a turn. */
const FILLING_BYTES = 64 * 1024;

/** How a turn ended; a negative number is the `-errno` of a socket. */
export const Turn = {
  /** Nothing can be moved before the next event. */
  WAIT: 0,
  /** More may follow, but other connections get their turn. */
  MORE: 1,
  /** The source has ended, and so has the output to the target. */
  DONE: 2,
} as const;

/** Resources that the directions of a thread share. */
export interface SharedBuffers {
  readonly pipes: PipePool;
  /** Bytes after which a direction yields to others; it may exceed them by one filling. */
  readonly turnBytes: number;
}

/** Moves bytes from one socket to another, and then ends the output. */
export class Direction {
  readonly path: SocketSplice;
  /** Whether the source has ended, and the output to the target too. */
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
    // Bytes of the source that were read before.
    if (ahead !== undefined) this.path.queue(ahead);
  }

  /**
   * Moves bytes until one of the sockets would block.
   *
   * @param plain Whether the source has just reported bytes and nothing else: neither its end nor
   * urgent bytes. Then a short read has emptied it, and the next bytes cause another event.
   * @returns A {@linkcode Turn} or `-errno`. After an error, the direction is unusable.
   */
  move(plain = false): number {
    const { path } = this;
    if (this.done) return Turn.DONE;
    if (path.queued) {
      const result = this.#sendQueued();
      if (result !== Turn.DONE) return result;
    }
    const { bytes } = path;
    for (let left = this.#turnBytes; left > 0;) {
      if (path.brief && path.held === 0 && !this.#ended) {
        path.rest();
        const result = path.forward();
        if (result < 0) return result === EAGAIN ? Turn.WAIT : result;
        if (path.queued) {
          const sent = this.#sendQueued();
          if (sent !== Turn.DONE) return sent;
        }
        if (result > 0) {
          if (plain && path.emptiedBy(result)) return Turn.WAIT;
          left -= FILLING_BYTES;
          continue;
        }
        this.#ended = true;
      }
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
      if (result === EAGAIN && this.#hasRoom()) {
        result = path.drain();
        if (result === EAGAIN) break;
      }
      if (result < 0) return result === EAGAIN ? Turn.WAIT : result;
      if (this.#ended) return this.#finish();
      path.brief = path.bytes - bytes < SMALL_BYTES;
    }
    path.rest();
    return Turn.MORE;
  }

  /** Sends queued bytes: `DONE` when all have left, another {@linkcode Turn}, or `-errno`. */
  #sendQueued(): number {
    const { path } = this;
    let result = path.sendQueued();
    if (result === EAGAIN && this.#hasRoom()) {
      result = path.sendQueued();
      if (result === EAGAIN) return Turn.MORE;
    }
    return result === EAGAIN ? Turn.WAIT : result < 0 ? result : Turn.DONE;
  }

  /** Whether the target has room by now, or the kernel was briefly short of memory. */
  #hasRoom(): boolean {
    return raw.poll(this.path.to, PollEvent.OUT, 0) > 0;
  }

  /** Ends the output. A target that has closed reports that by its own event. */
  #finish(): number {
    this.done = true;
    this.path.rest();
    raw.shutdown(this.path.to, ShutdownHow.WR);
    return Turn.DONE;
  }
}
