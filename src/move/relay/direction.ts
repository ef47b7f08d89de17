/** One direction of a relayed connection: from one socket through a pipe into another. @module */

import { errnoNumber } from "../../errors.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import { SpliceFlag } from "../../sys/flags/file.ts";
import * as raw from "../../sys/raw/mod.ts";
import { MessageFlag, ShutdownHow } from "../../sys/flags/socket.ts";
import { PIPE_BYTES, type PipeEnds, type Pipes } from "./pipes.ts";

const EAGAIN = -errnoNumber("EAGAIN");
const EINTR = -errnoNumber("EINTR");
const EPIPE = -errnoNumber("EPIPE");
const EINVAL = -errnoNumber("EINVAL");

/**
 * Bytes of one turn by default, so that one connection cannot keep the others waiting: about two
 * milliseconds. With half of that 20 downloads over loopback take a tenth more CPU time per byte,
 * with a quarter or with two fillings, whatever they hold, a third more: the thread is then the one
 * that is waited for, and all connections stand in line before it with their buffers full.
 */
export const TURN_BYTES: number = 4 * PIPE_BYTES;

/** What one filling counts at least: many small pieces end a turn as well. */
const FILLING_BYTES = 64 * 1024;

/**
 * A piece from which on there is likely to be another one behind it, for which the pipe has room:
 * fillings of a quarter of the size take half again as much CPU time. Messages go on at once.
 */
const BULK_BYTES = 64 * 1024;

const NONBLOCK = SpliceFlag.NONBLOCK;
const PEEK = MessageFlag.PEEK | MessageFlag.DONTWAIT;
const SEND = MessageFlag.DONTWAIT | MessageFlag.NOSIGNAL;

/** How a turn has ended; a negative number is the `-errno` of a socket. */
export const Outcome = {
  /** Nothing can be moved before the next event. */
  WAIT: 0,
  /** There may be more, but others are to have their turn. */
  MORE: 1,
  /** The source has ended, and the target has been told. */
  DONE: 2,
} as const;

/** What a thread moves bytes with. */
export interface SharedBuffers {
  readonly pipes: Pipes;
  /** Memory for copies, shared by all connections: nothing stays in it between two calls. */
  readonly buffer: Uint8Array;
  /** Bytes after which a direction lets others have their turn; it may go one filling beyond. */
  readonly turnBytes: number;
}

/** Whether a socket has what is waited for, or an error, at this moment. */
function isReady(fd: number, events: number): boolean {
  return raw.poll(fd, events, 0) > 0;
}

/** Moves what arrives on one socket to another, and then its end. */
export class Direction {
  readonly #buffers: SharedBuffers;
  /** The socket to read, and the one to write: both are read by whoever may reset them. */
  from: number;
  to: number;
  /** Bytes delivered. */
  bytes = 0;
  /** Whether some had to be copied, besides those that were received before. */
  copied = false;
  /** Whether the source has ended, and the target has been told. */
  done = false;
  /** Bytes of the source that somebody else has read before; they go first. */
  #ahead: Uint8Array | undefined;
  #copying: boolean;
  #pipe: PipeEnds | undefined;
  /** Bytes in the pipe. */
  #held = 0;
  /** Whether the target was full when last seen. */
  #full = false;
  #ended = false;

  constructor(
    buffers: SharedBuffers,
    from: number,
    to: number,
    { ahead, copying = false }: { ahead?: Uint8Array | undefined; copying?: boolean } = {},
  ) {
    this.#buffers = buffers;
    this.from = from;
    this.to = to;
    this.#ahead = ahead?.length ? ahead : undefined;
    this.#copying = copying;
  }

  /** Whether bytes wait for the target to have room. */
  get stalled(): boolean {
    return this.#full;
  }

  /**
   * Moves bytes until one of the sockets would have to be waited for.
   *
   * Invariant: filling begins with an empty pipe. So `EAGAIN` for the first piece cannot come from a
   * pipe that is full of small pieces. But it does come in front of an urgent byte, which splice(2)
   * does not pass and nobody is told of twice: only who has looked at the socket itself may wait.
   *
   * @returns An {@linkcode Outcome} or `-errno`. After an error the direction is of no more use.
   */
  move(): number {
    if (this.done) return Outcome.DONE;
    if (this.#ahead !== undefined) {
      const result = this.#sendAhead(this.#ahead);
      if (result !== 0) return result === EAGAIN ? Outcome.WAIT : result;
    }
    for (let left = this.#buffers.turnBytes; left > 0;) {
      if (this.#held === 0 && !this.#ended) {
        let result = this.#copying ? this.#copy() : this.#fill();
        if (result === EAGAIN && !this.#copying && isReady(this.from, PollEvent.IN)) {
          // Something may just have come.
          result = this.#fill();
          if (result === EAGAIN) result = this.#copy();
        }
        if (result === EAGAIN) {
          this.#releasePipe();
          return Outcome.WAIT;
        }
        if (result < 0) return result;
      }
      left -= Math.max(this.#held, FILLING_BYTES);
      let result = this.#drain();
      if (result === EAGAIN && isReady(this.to, PollEvent.OUT)) {
        // There is room by now, or the kernel was short of memory for a moment.
        result = this.#drain();
        if (result === EAGAIN) break;
      }
      if (result < 0) return result === EAGAIN ? Outcome.WAIT : result;
      if (this.#ended) return this.#finish();
    }
    if (this.#held === 0) this.#releasePipe();
    return Outcome.MORE;
  }

  /** Gives back what it holds; bytes in the pipe are lost. */
  release(): void {
    const pipe = this.#pipe;
    this.#pipe = undefined;
    this.#ahead = undefined;
    if (pipe === undefined) return;
    if (this.#held > 0) this.#buffers.pipes.drop(pipe);
    else this.#buffers.pipes.give(pipe);
    this.#held = 0;
  }

  /** Fills the empty pipe. Returns 0, or `-errno`. */
  #fill(): number {
    const pipe = this.#pipe ??= this.#buffers.pipes.take();
    if (pipe === undefined) return this.#copy();
    let count: number;
    do {
      count = raw.splice(this.from, null, pipe.writeFd, null, PIPE_BYTES, NONBLOCK);
      if (count > 0) this.#held += count;
    } while (count >= BULK_BYTES && this.#held < PIPE_BYTES);
    if (count > 0 || count === EINTR) return 0;
    if (count === 0) this.#ended = true;
    // After a first piece it says nothing: the pipe may be full.
    else if (count === EAGAIN) return this.#held > 0 ? 0 : EAGAIN;
    // Before any byte: this kind of socket cannot be spliced from.
    else if (count === EINVAL) this.#copying = true;
    else return count;
    return 0;
  }

  /** Empties the pipe. Returns 0, or `-errno`: `EAGAIN` when the target is full. */
  #drain(): number {
    if (this.#held === 0) return 0;
    this.#full = false;
    while (this.#held > 0) {
      const count = raw.splice(this.#pipe!.readFd, null, this.to, null, PIPE_BYTES, NONBLOCK);
      if (count > 0) {
        this.#held -= count;
        this.bytes += count;
      } else if (count === EAGAIN) {
        this.#full = true;
        return EAGAIN;
      } else if (count === 0) return EPIPE;
      else if (count !== EINTR) return count;
    }
    return 0;
  }

  /**
   * Copies some bytes: where no pipe is left, and for sockets that cannot be spliced or would block.
   *
   * They are looked at, sent as far as there is room, and then taken by that number: nothing is kept.
   */
  #copy(): number {
    const { buffer } = this.#buffers;
    this.#full = false;
    const seen = raw.recv(this.from, buffer, PEEK);
    if (seen === EINTR) return 0;
    if (seen < 0) return seen;
    if (seen === 0) {
      this.#ended = true;
      return 0;
    }
    const sent = raw.send(this.to, buffer.subarray(0, seen), SEND);
    if (sent === EINTR) return 0;
    if (sent === EAGAIN) this.#full = true;
    if (sent < 0) return sent;
    raw.recv(this.from, buffer.subarray(0, sent), MessageFlag.DONTWAIT);
    this.bytes += sent;
    this.copied = true;
    return 0;
  }

  /** Returns 0 when all of them have been sent, or `-errno`. */
  #sendAhead(bytes: Uint8Array): number {
    this.#full = false;
    const sent = raw.send(this.to, bytes, SEND);
    if (sent === EINTR) return this.#sendAhead(bytes);
    if (sent === EAGAIN) this.#full = true;
    if (sent < 0) return sent;
    this.bytes += sent;
    this.#ahead = sent < bytes.length ? bytes.subarray(sent) : undefined;
    return this.#ahead === undefined ? 0 : this.#sendAhead(this.#ahead);
  }

  /** Passes the end on. A target that is gone says so by an event of its own. */
  #finish(): number {
    this.done = true;
    this.#releasePipe();
    raw.shutdown(this.to, ShutdownHow.WR);
    return Outcome.DONE;
  }

  #releasePipe(): void {
    if (this.#pipe === undefined) return;
    this.#buffers.pipes.give(this.#pipe);
    this.#pipe = undefined;
  }
}
