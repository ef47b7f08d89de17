/** One direction of a request that is passed on: bytes from one socket to the other. @module */

import { Cell } from "../../../../ffi/libc/cell.ts";
import { errnoNumber } from "../../../errors.ts";
import { PIPE_BYTES, type PipeEnds, Pipes } from "../../../move/relay/pipes.ts";
import { SpliceFlag } from "../../../sys/file_flags.ts";
import { recvCell, sendCell } from "../../../sys/raw/cells.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { MessageFlag } from "../../../sys/socket_flags.ts";
import type { Framing } from "./framing.ts";

/** How a turn has ended. */
export const Moved = {
  /** The source has nothing more at the moment. */
  READ: 0,
  /** The target is full. */
  WRITE: 1,
  /** There may be more; others are to have their turn. */
  MORE: 2,
  /** The body has been passed on, to its end. */
  DONE: 3,
  /** The source ended before its body. */
  CUT: 4,
  /** What the source sends is no body. */
  MALFORMED: 5,
  /** The source, or the target, has failed. */
  SOURCE_FAILED: 6,
  TARGET_FAILED: 7,
} as const;

/** Bytes at once where they are looked at, or too few for a pipe. */
const BUFFER_BYTES = 64 * 1024;

/** Turns around the loop before others get theirs. */
const ROUNDS = 4;

const EAGAIN = -errnoNumber("EAGAIN");
const EINTR = -errnoNumber("EINTR");
const EINVAL = -errnoNumber("EINVAL");

/** What all flows of a thread share. */
export class Means {
  readonly pipes: Pipes = new Pipes();
  /** Nothing stays in it between two calls. */
  readonly buffer: Cell = new Cell(BUFFER_BYTES);
}

/** Moves a body: what is long by splice(2), the rest by way of memory. */
export class Flow {
  /** Bytes that the target has taken. */
  bytes = 0;
  readonly #means: Means;
  readonly #from: number;
  readonly #to: number;
  readonly #framing: Framing;
  /** Goes first. */
  #ahead: Uint8Array | null;
  #behind: Uint8Array | null = null;
  #pipe: PipeEnds | undefined;
  #held = 0;
  #splices = true;

  /** `ahead` goes first, to the target as it is; `framing` has been told of what is body in it. */
  constructor(
    means: Means,
    { ahead, framing, from, to }: {
      readonly from: number;
      readonly to: number;
      readonly framing: Framing;
      readonly ahead: Uint8Array;
    },
  ) {
    this.#means = means;
    this.#from = from;
    this.#to = to;
    this.#framing = framing;
    this.#ahead = ahead;
  }

  /** What was received behind the end of the body. */
  get behind(): Uint8Array | null {
    return this.#behind;
  }

  /** Moves as much as goes; returns one of {@linkcode Moved}. */
  move(): number {
    for (let round = 0; round < ROUNDS; round++) {
      if (this.#held > 0) {
        const result = this.#drain();
        if (result !== Moved.MORE) return result;
      }
      if (this.#ahead !== null) {
        const result = this.#sendAhead(this.#ahead);
        if (result !== Moved.MORE) return result;
      }
      if (this.#framing.done) {
        this.release();
        return Moved.DONE;
      }
      const result = this.#receive();
      if (result !== Moved.MORE) {
        if (result === Moved.READ) this.release();
        return result;
      }
    }
    return Moved.MORE;
  }

  /** Gives back what it holds; bytes in the pipe are lost. */
  release(): void {
    const pipe = this.#pipe;
    this.#pipe = undefined;
    if (pipe === undefined) return;
    if (this.#held > 0) this.#means.pipes.drop(pipe);
    else this.#means.pipes.give(pipe);
    this.#held = 0;
  }

  #receive(): number {
    const { blind } = this.#framing;
    if (this.#splices && blind > BUFFER_BYTES) {
      this.#pipe ??= this.#means.pipes.take();
      const filled = this.#pipe === undefined
        ? Moved.READ
        : this.#fill(this.#pipe, Math.min(blind, PIPE_BYTES));
      // In front of an urgent byte splice(2) has nothing for ever: whoever waits looks for itself.
      if (filled !== Moved.READ) return filled;
    }
    const { buffer } = this.#means;
    // Not more than is known to belong to the body: what follows is the reader's.
    const most = blind > 0 ? Math.min(blind, BUFFER_BYTES) : BUFFER_BYTES;
    const count = recvCell(this.#from, buffer, 0, most, MessageFlag.DONTWAIT);
    if (count <= 0) return this.#without(count);
    const end = this.#framing.scan(buffer.bytes, 0, count);
    if (end < 0) return Moved.MALFORMED;
    if (end < count) this.#behind = buffer.bytes.slice(end, count);
    return this.#send(buffer, end - this.#framing.removed);
  }

  /** After a call that brought nothing. */
  #without(count: number): number {
    if (count === EAGAIN) return Moved.READ;
    if (count === EINTR) return Moved.MORE;
    if (count < 0) return Moved.SOURCE_FAILED;
    return this.#framing.untilEnd ? Moved.DONE : Moved.CUT;
  }

  #fill(pipe: PipeEnds, most: number): number {
    const count = raw.splice(this.#from, null, pipe.writeFd, null, most, SpliceFlag.NONBLOCK);
    if (count === EINVAL) {
      // Before any byte: this kind of socket cannot be spliced from.
      this.#splices = false;
      return Moved.MORE;
    }
    if (count <= 0) return this.#without(count);
    this.#held = count;
    this.#framing.skip(count);
    return this.#drain();
  }

  #drain(): number {
    const { readFd } = this.#pipe!;
    while (this.#held > 0) {
      const count = raw.splice(readFd, null, this.#to, null, this.#held, SpliceFlag.NONBLOCK);
      if (count > 0) {
        this.#held -= count;
        this.bytes += count;
      } else if (count === EAGAIN) return Moved.WRITE;
      else if (count !== EINTR) return Moved.TARGET_FAILED;
    }
    return Moved.MORE;
  }

  /** Sends what is in the buffer; what does not fit is kept. */
  #send(buffer: Cell, end: number): number {
    const sent = sendCell(this.#to, buffer, 0, end, SEND);
    if (sent === end) {
      this.bytes += sent;
      return Moved.MORE;
    }
    if (sent < 0 && sent !== EAGAIN && sent !== EINTR) return Moved.TARGET_FAILED;
    const taken = Math.max(0, sent);
    this.bytes += taken;
    this.#ahead = buffer.bytes.slice(taken, end);
    return sent === EINTR ? Moved.MORE : Moved.WRITE;
  }

  #sendAhead(bytes: Uint8Array): number {
    while (bytes.length > 0) {
      const sent = raw.send(this.#to, bytes, SEND);
      if (sent > 0) {
        this.bytes += sent;
        bytes = bytes.subarray(sent);
      } else if (sent === EAGAIN) {
        this.#ahead = bytes;
        return Moved.WRITE;
      } else if (sent !== EINTR) return Moved.TARGET_FAILED;
    }
    this.#ahead = null;
    return Moved.MORE;
  }
}

const SEND = MessageFlag.DONTWAIT | MessageFlag.NOSIGNAL;
