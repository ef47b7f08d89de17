/** Moves bytes from one socket through a pipe into another, without waiting. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { EAGAIN, EINTR, EINVAL, EPIPE } from "../../errno.ts";
import { recvCell, sendCell } from "../../sys/raw/cells.ts";
import { getsockopt, recv } from "../../sys/raw/sockets.ts";
import { MessageFlag, SocketLevel, TcpOption } from "../../sys/flags/socket.ts";
import type { Pipe } from "./pipe.ts";
import { PIPE_BYTES, type PipePool } from "./pipe_pool.ts";
import { peekStep, scratch, sendStep, SOCKET_BYTES } from "./step/memory.ts";
import { receiveStep, spliceStep, wasCopied } from "./step/splice.ts";

/**
 * Size of a piece after which another one is likely to follow, for which the pipe has room: moving
 * it in smaller pieces costs more CPU time. Short messages are forwarded at once.
 */
const BULK_BYTES = 64 * 1024;

/**
 * Smallest piece that is worth a pipe. Shorter messages cost less CPU time by recv(2) and send(2):
 * see the bench `relay`.
 */
export const SMALL_BYTES: number = 16 * 1024;

/** Empty between two calls of {@linkcode SocketSplice.forward}. */
const buffer = new Cell(SMALL_BYTES);
const option = new Int32Array(1);

/**
 * Moves bytes between two sockets of an epoll loop. Its owner decides when to move, and what an end
 * or an error means.
 *
 * Invariant: filling starts with an empty pipe. So `EAGAIN` for the first piece concerns the
 * source.
 */
export class SocketSplice {
  /** The source and the target socket. Public, because their owner may have to reset them. */
  readonly from: number;
  readonly to: number;
  /** Bytes delivered. */
  bytes = 0;
  /** Whether any received bytes had to be copied. */
  copied = false;
  /** Whether the target was full at the last attempt. */
  full = false;
  /** Whether splice(2) can read the source. */
  splices: boolean;
  /** Whether the next message is probably short, as the last one was: see {@linkcode forward}. */
  brief = true;
  /** Bytes in the pipe. */
  held = 0;
  readonly #pool: PipePool;
  #pipe: Pipe | null = null;
  #tcp: boolean | undefined;
  /** Error that ended a filling in progress; reported once the pipe is empty. */
  #failure = 0;
  /** Bytes to send first. */
  #ahead: Uint8Array | null = null;

  constructor(pool: PipePool, from: number, to: number, splices: boolean) {
    this.#pool = pool;
    this.from = from;
    this.to = to;
    this.splices = splices;
  }

  /** Whether bytes to send first are left. */
  get queued(): boolean {
    return this.#ahead !== null;
  }

  /** Queues bytes to send before all received ones; they must not change. */
  queue(bytes: Uint8Array): void {
    this.#ahead = bytes.length > 0 ? bytes : null;
  }

  /** Sends the queued bytes. 0 when all have left, or `-errno`. */
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
   * @returns Bytes in the pipe, 0 at the end of the source, or `-errno`; `EINVAL` if splice(2)
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
    // `EAGAIN` may concern the pipe. The kernel reports any other error only once.
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
   * Copies some bytes from socket to socket: peeks at them, sends as many as there is room for, and
   * then takes that number. Nothing is buffered.
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

  /**
   * Forwards one short message through memory; nothing may be held or queued. It queues what the
   * target does not take.
   *
   * @returns Bytes taken from the source, 0 at its end, or `-errno`. `EAGAIN` concerns the source.
   */
  forward(): number {
    this.full = false;
    let count;
    do count = recvCell(this.from, buffer, 0, SMALL_BYTES, MessageFlag.DONTWAIT); while (
      count === EINTR
    );
    if (count <= 0) return count;
    this.brief = count < SMALL_BYTES;
    const sent = sendCell(this.to, buffer, 0, count, MessageFlag.DONTWAIT | MessageFlag.NOSIGNAL);
    if (sent < 0 && sent !== EAGAIN && sent !== EINTR) return sent;
    const taken = Math.max(0, sent);
    this.bytes += taken;
    if (taken < count) this.queue(buffer.bytes.slice(taken, count));
    return count;
  }

  /**
   * Whether a {@linkcode forward} of this many bytes has left nothing behind. A Unix socket also
   * ends a read before and after a message that carries descriptors.
   */
  emptiedBy(count: number): boolean {
    if (count === SMALL_BYTES) return false;
    return this.#tcp ??= getsockopt(this.from, SocketLevel.TCP, TcpOption.NODELAY, option) === 0;
  }

  /** Returns an empty pipe to the pool: idle connections hold none. */
  rest(): void {
    if (this.#pipe === null || this.held > 0) return;
    this.#pool.give(this.#pipe);
    this.#pipe = null;
  }

  /** Frees its pipe; bytes in it are lost. */
  release(): void {
    this.#ahead = null;
    if (this.#pipe !== null && this.held > 0) {
      this.#pool.drop(this.#pipe);
      this.#pipe = null;
      this.held = 0;
    } else this.rest();
  }
}
