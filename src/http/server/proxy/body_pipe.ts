/** Moves the body of a forwarded request or response from one socket to the other. @module */

import { Cell } from "../../../../ffi/libc/cell.ts";
import { EAGAIN, EINTR, EINVAL } from "../../../errno.ts";
import { SocketSplice } from "../../../move/engine/socket_splice.ts";
import { type PipePool, relayPool } from "../../../move/engine/pipe_pool.ts";
import { recvCell, sendCell } from "../../../sys/raw/cells.ts";
import { MessageFlag } from "../../../sys/flags/socket.ts";
import { HeadWriter } from "../parser/head_writer.ts";
import type { Framing } from "./framing.ts";

/** Result of a turn. */
export const Moved = {
  /** The source has no more bytes at the moment. */
  READ: 0,
  /** The target is full. */
  WRITE: 1,
  /** There may be more, but others have their turn. */
  MORE: 2,
  /** The whole body has been moved. */
  DONE: 3,
  /** The source ended before the end of its body. */
  CUT: 4,
  /** The source sends an invalid body. */
  MALFORMED: 5,
  /** The source or the target has failed. */
  SOURCE_FAILED: 6,
  TARGET_FAILED: 7,
  /** The body is longer than it may be. */
  TOO_LONG: 8,
} as const;

/** Describes the program's fault that ended its response; `undefined` if there is none. */
export function faultOf(moved: number): string | undefined {
  if (moved === Moved.CUT) return "it ended the connection before the end of its answer";
  if (moved === Moved.MALFORMED) return "its answer is malformed";
  return moved === Moved.SOURCE_FAILED ? "its connection has failed" : undefined;
}

/** Most bytes at once if they must be inspected or are too few for a pipe. */
const BUFFER_BYTES = 64 * 1024;

/**
 * Most bytes at once that may contain the end of a request's body. Bytes after the end belong to
 * the next requests, and must fit into their buffer.
 */
export const LOOKED_AT_BYTES: number = 16 * 1024;

/** Rounds before others have their turn. */
const ROUNDS = 4;

/** Size of the pieces of memory for the heads of requests; a longer head gets one of its own. */
export const HEAD_BYTES = 4096;

/** Most unused pieces. */
const MOST_HEADS = 64;

/** Buffers shared by all pipes of a thread. */
export class SharedBuffers {
  readonly pipes: PipePool = relayPool();
  /** Empty between two calls. */
  readonly buffer: Cell = new Cell(BUFFER_BYTES);
  readonly #heads: Cell[] = [];

  /** Memory for the head of a request, until it is given back. */
  takeHead(): Cell {
    return this.#heads.pop() ?? new Cell(HEAD_BYTES);
  }

  /** Takes it back. Nothing may use it any more. */
  giveHead(cell: Cell): void {
    if (cell.bytes.length === HEAD_BYTES && this.#heads.length < MOST_HEADS) this.#heads.push(cell);
  }
}

/** Pieces are joined here, and copied if they have to wait. */
const joined = new HeadWriter();

/** Moves a body: long parts by splice(2), the rest through memory. */
export class BodyPipe {
  readonly #buffer: Cell;
  readonly #path: SocketSplice;
  readonly #framing: Framing;
  readonly #lookedAt: number;
  readonly #most: number;
  #behind: Uint8Array | null = null;
  #failed = false;

  /**
   * Receives at most `lookedAt` bytes at once while the body may end among them, and moves about
   * `most` in all.
   */
  constructor(
    { buffer, pipes }: SharedBuffers,
    { framing, from, lookedAt = BUFFER_BYTES, most = Infinity, to }: {
      readonly from: number;
      readonly to: number;
      readonly framing: Framing;
      readonly lookedAt?: number;
      readonly most?: number;
    },
  ) {
    this.#buffer = buffer;
    this.#path = new SocketSplice(pipes, from, to, true);
    this.#framing = framing;
    this.#lookedAt = lookedAt;
    this.#most = most;
  }

  /**
   * Sends the first `end` bytes of a cell before all others, unchanged; the framing already knows
   * their part of the body. The cell must not change until the pipe is released.
   */
  begin(cell: Cell, end: number): void {
    if (end > 0 && this.#send(cell, end, true) === Moved.TARGET_FAILED) this.#failed = true;
  }

  /** Sends pieces in the same way, which may change afterwards. */
  beginWith(...pieces: readonly Uint8Array[]): void {
    joined.begin();
    for (const piece of pieces) joined.add(piece);
    const { cell, length } = joined;
    if (length > 0 && this.#send(cell, length, false) === Moved.TARGET_FAILED) this.#failed = true;
  }

  /** Bytes that the target has taken. */
  get bytes(): number {
    return this.#path.bytes;
  }

  /** Bytes received after the end of the body. */
  get behind(): Uint8Array | null {
    return this.#behind;
  }

  /** Moves as much as possible; returns one of {@linkcode Moved}. */
  move(): number {
    if (this.#failed) return Moved.TARGET_FAILED;
    const path = this.#path;
    for (let round = 0; round < ROUNDS; round++) {
      const sent = path.held > 0 ? path.drain() : path.sendQueued();
      if (sent < 0) return sent === EAGAIN ? Moved.WRITE : Moved.TARGET_FAILED;
      if (path.bytes > this.#most) return Moved.TOO_LONG;
      if (this.#framing.done) {
        path.rest();
        return Moved.DONE;
      }
      const result = this.#receive();
      if (result !== Moved.MORE) {
        if (result === Moved.READ) path.rest();
        return result;
      }
    }
    return Moved.MORE;
  }

  /** Returns the pipe to its pool. Bytes in it are lost. */
  release(): void {
    this.#path.release();
  }

  /** Receives bytes: into the pipe, or through memory to the target. */
  #receive(): number {
    const { blind } = this.#framing;
    if (blind > BUFFER_BYTES) {
      const filled = this.#path.fill(blind);
      if (filled > 0) this.#framing.skip(filled);
      if (filled !== EINVAL) return filled > 0 ? Moved.MORE : this.#without(filled);
    }
    // Only bytes that surely belong to the body. The rest is the reader's.
    const most = blind > 0 ? Math.min(blind, BUFFER_BYTES) : this.#lookedAt;
    const buffer = this.#buffer;
    const count = recvCell(this.#path.from, buffer, 0, most, MessageFlag.DONTWAIT);
    if (count <= 0) return this.#without(count);
    const end = this.#framing.scan(buffer.bytes, 0, count);
    if (end < 0) return Moved.MALFORMED;
    if (end < count) this.#behind = buffer.bytes.slice(end, count);
    return this.#send(buffer, end - this.#framing.removed, false);
  }

  /** Handles a call that returned no bytes. */
  #without(count: number): number {
    if (count === EAGAIN) return Moved.READ;
    if (count === EINTR) return Moved.MORE;
    if (count < 0) return Moved.SOURCE_FAILED;
    return this.#framing.untilEnd ? Moved.DONE : Moved.CUT;
  }

  /** Sends the buffer, and queues what does not fit. */
  #send(buffer: Cell, end: number, kept: boolean): number {
    const path = this.#path;
    const sent = sendCell(path.to, buffer, 0, end, SEND);
    if (sent < 0 && sent !== EAGAIN && sent !== EINTR) return Moved.TARGET_FAILED;
    const taken = Math.max(0, sent);
    path.bytes += taken;
    if (taken < end) {
      const { bytes } = buffer;
      path.queue(kept ? bytes.subarray(taken, end) : bytes.slice(taken, end));
    }
    return taken < end && sent !== EINTR ? Moved.WRITE : Moved.MORE;
  }
}

const SEND = MessageFlag.DONTWAIT | MessageFlag.NOSIGNAL;
