/** From one socket through a pipe into another, without waiting. @module */

import { EAGAIN, EINVAL, EPIPE } from "../../errno.ts";
import { recv } from "../../sys/raw/sockets.ts";
import { MessageFlag } from "../../sys/flags/socket.ts";
import type { Pipe } from "./pipe.ts";
import { PIPE_BYTES, type PipePool } from "./pipe_pool.ts";
import { peekStep, scratch, sendStep, SOCKET_BYTES } from "./step/memory.ts";
import { receiveStep, spliceStep, wasCopied } from "./step/splice.ts";

/**
 * A piece from which on there is likely to be another one behind it, for which the pipe has room:
 * fillings of a quarter of the size take half again as much CPU time. Messages go on at once.
 */
const BULK_BYTES = 64 * 1024;

/**
 * Moves bytes between two sockets of an epoll loop. Its owner decides what is moved when, and what an
 * end or an error means.
 *
 * Invariant: filling begins with an empty pipe. So `EAGAIN` for the first piece is about the source.
 */
export class SocketSplice {
  /** The socket to read, and the one to write: both are read by whoever may reset them. */
  readonly from: number;
  readonly to: number;
  /** Bytes delivered. */
  bytes = 0;
  /** Whether some that were received by us had to be copied. */
  copied = false;
  /** Whether the target was full when last seen. */
  full = false;
  /** Whether splice(2) can read the source. */
  splices: boolean;
  /** Bytes in the pipe. */
  held = 0;
  readonly #pool: PipePool;
  #pipe: Pipe | null = null;
  /** What ended a filling that had begun: it is met when the pipe is empty. */
  #failure = 0;
  /** Bytes that go first. */
  #ahead: Uint8Array | null = null;

  constructor(pool: PipePool, from: number, to: number, splices: boolean) {
    this.#pool = pool;
    this.from = from;
    this.to = to;
    this.splices = splices;
  }

  /** Whether bytes that go first are left. */
  get queued(): boolean {
    return this.#ahead !== null;
  }

  /** Sends bytes before anything that is received; they must not change. */
  queue(bytes: Uint8Array): void {
    this.#ahead = bytes.length > 0 ? bytes : null;
  }

  /** Sends what goes first. 0 when all of it has left, or `-errno`. */
  sendQueued(): number {
    this.full = false;
    while (this.#ahead !== null) {
      const sent = sendStep(this.to, this.#ahead);
      if (sent < 0) {
        this.full = sent === EAGAIN;
        return sent;
      }
      this.bytes += sent;
      this.queue(this.#ahead.subarray(sent));
    }
    return 0;
  }

  /**
   * Fills the empty pipe with at most `most` bytes.
   *
   * @returns Bytes in the pipe, 0 at the end of the source, or `-errno`; `EINVAL` where splice(2)
   * cannot read the source, or no descriptor is left for a pipe: copy then.
   */
  fill(most: number): number {
    if (this.#failure < 0) return this.#failure;
    if (!this.splices) return EINVAL;
    const pipe = this.#pipe ??= this.#pool.take();
    if (pipe === null) return EINVAL;
    let count = receiveStep(this.from, pipe.writeFd, Math.min(most, PIPE_BYTES));
    if (count === EINVAL) this.splices = false;
    if (count <= 0) return count;
    if (wasCopied()) this.copied = true;
    this.held = count;
    while (count >= BULK_BYTES && this.held < PIPE_BYTES && this.held < most) {
      const wanted = Math.min(most - this.held, PIPE_BYTES);
      count = spliceStep(this.from, null, pipe.writeFd, null, wanted);
      if (count > 0) this.held += count;
    }
    // `EAGAIN` may be about the pipe. Any other error the kernel tells once.
    if (count < 0 && count !== EAGAIN) this.#failure = count;
    return this.held;
  }

  /** Empties the pipe. 0, or `-errno`: `EAGAIN` when the target is full. */
  drain(): number {
    if (this.held === 0) return 0;
    this.full = false;
    while (this.held > 0) {
      const count = spliceStep(this.#pipe!.readFd, null, this.to, null, this.held);
      if (count <= 0) {
        this.full = count === EAGAIN;
        return count === 0 ? EPIPE : count;
      }
      this.held -= count;
      this.bytes += count;
    }
    return 0;
  }

  /**
   * Copies some bytes from socket to socket. They are looked at, sent as far as there is room, and
   * then taken by that number: nothing is kept.
   *
   * @returns Bytes delivered, 0 at the end of the source, or `-errno`.
   */
  copy(): number {
    const memory = scratch();
    if (typeof memory === "number") return memory;
    this.full = false;
    const seen = peekStep(this.from, memory.subarray(0, SOCKET_BYTES));
    if (seen <= 0) return seen;
    const sent = sendStep(this.to, memory.subarray(0, seen));
    this.full = sent === EAGAIN;
    if (sent < 0) return sent;
    recv(this.from, memory.subarray(0, sent), MessageFlag.DONTWAIT);
    this.bytes += sent;
    this.copied = true;
    return sent;
  }

  /** Gives an empty pipe back: idle connections have none. */
  rest(): void {
    if (this.#pipe === null || this.held > 0) return;
    this.#pool.give(this.#pipe);
    this.#pipe = null;
  }

  /** Gives back what it holds; bytes in the pipe are lost. */
  release(): void {
    this.#ahead = null;
    if (this.#pipe !== null && this.held > 0) {
      this.#pool.drop(this.#pipe);
      this.#pipe = null;
      this.held = 0;
    } else this.rest();
  }
}
