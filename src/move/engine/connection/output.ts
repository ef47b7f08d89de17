/** Writes from memory or a pipe to a connection that the runtime owns, as promises. @module */

import { platform } from "../../../../ffi/platform/mod.ts";
import { EAGAIN, HANGUPS } from "../../../errno.ts";
import { errnoName } from "../../../errors.ts";
import type { RuntimeConnection } from "../../../runtime/types.ts";
import { PollEvent } from "../../../sys/flags/event.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { connectionClosed, writeFailure } from "./closed.ts";
import { ConnectionWriter, type WriteJob } from "./writer.ts";
import { spliceStep } from "../step/splice.ts";
import type { TransferProgress } from "../progress.ts";

const { DONTWAIT, MORE, NOSIGNAL } = platform.message;

/** Bytes that a pipe with a free slot always takes: see pipe(7), "PIPE_BUF". */
const PIPE_BUF = 4096;

/** Runs one write after the other. */
export class ConnectionOutput implements WriteJob {
  readonly #connection: RuntimeConnection;
  readonly #progress: TransferProgress;
  readonly #writer: ConnectionWriter;
  /** The write in progress: the content of this pipe, or these bytes. */
  #pipe = -1;
  #bytes: Uint8Array = new Uint8Array(0);
  #more = false;
  #left = 0;
  #given = 0;
  #ended: PromiseWithResolvers<number> | undefined;

  constructor(connection: RuntimeConnection, progress: TransferProgress, total: number = Infinity) {
    this.#connection = connection;
    this.#progress = progress;
    this.#writer = new ConnectionWriter(connection, this, total, progress.watched);
  }

  /**
   * Moves some of a pipe's content to the connection; waits until it takes at least one byte.
   *
   * @returns A count, or `-errno` if the connection cannot take bytes this way.
   *
   * @throws {SyscallError} When the connection has closed.
   * @throws {AbortError} When the signal fired.
   */
  async splice(pipe: number, count: number): Promise<number> {
    this.#pipe = pipe;
    return await this.#write(count);
  }

  /**
   * Sends bytes; `more` means that others follow at once.
   *
   * @throws {SyscallError} When the connection has closed.
   * @throws {AbortError} When the signal fired.
   */
  async send(bytes: Uint8Array, more = false): Promise<void> {
    this.#pipe = -1;
    this.#bytes = bytes;
    this.#more = more;
    if (bytes.length > 0) await this.#write(bytes.length);
  }

  /** Stops using the connection. */
  stop(): void {
    this.#writer.stop();
  }

  async #write(count: number): Promise<number> {
    if (this.#progress.aborted) throw this.#progress.abortError();
    this.#left = count;
    this.#given = 0;
    const ended = this.#ended = Promise.withResolvers<number>();
    // After an abort, no caller awaits the end of the write.
    ended.promise.catch(() => {});
    this.#writer.start();
    return await this.#progress.unlessAborted(ended.promise);
  }

  /** For a pipe, some bytes are enough: its owner counts them. */
  get left(): number {
    return this.#pipe >= 0 && this.#given > 0 ? 0 : this.#left;
  }

  give(fd: number): number {
    const moved = this.#pipe >= 0
      ? spliceStep(this.#pipe, null, fd, null, this.#left)
      : sendNow(fd, this.#bytes, this.#more ? MORE : 0);
    // The pipe is not empty: 0 means that the connection took nothing.
    return moved === 0 ? EAGAIN : this.#count(moved);
  }

  takeByte(target: Uint8Array): number {
    if (this.#pipe >= 0) return this.#count(raw.read(this.#pipe, target));
    target[0] = this.#bytes[0]!;
    return this.#count(1);
  }

  #count(moved: number): number {
    if (moved <= 0) return moved;
    this.#given += moved;
    this.#left -= moved;
    if (this.#pipe < 0) this.#bytes = this.#bytes.subarray(moved);
    return moved;
  }

  emptied(): void {
    this.#ended?.resolve(this.#given);
  }

  failed(result: number): void {
    if (this.#pipe >= 0 && !HANGUPS.has(result)) return this.#ended?.resolve(result);
    const syscall = this.#pipe >= 0 ? "splice" : "send";
    const action = `send bytes to fd ${this.#connection.fd()}`;
    this.broke(writeFailure(result, syscall, action, this.#progress.bytes));
  }

  lost(cause?: unknown): void {
    const syscall = this.#pipe >= 0 ? "splice" : "send";
    this.broke(connectionClosed({ syscall, bytesMoved: this.#progress.bytes, cause }));
  }

  broke(error: Error): void {
    this.#ended?.reject(error);
  }
}

/** Sends bytes before or after other data on a connection. */
export async function sendBytes(
  connection: RuntimeConnection,
  bytes: Uint8Array,
  progress: TransferProgress,
  more = false,
): Promise<void> {
  const writer = new ConnectionOutput(connection, progress, bytes.length);
  try {
    await writer.send(bytes, more);
  } finally {
    writer.stop();
  }
}

/** Sends what the kernel takes without waiting: a count, or `-errno`. */
function sendNow(fd: number, bytes: Uint8Array, flags: number): number {
  const sent = raw.send(fd, bytes, DONTWAIT | NOSIGNAL | flags);
  if (errnoName(-sent) !== "ENOTSOCK") return sent;
  return raw.poll(fd, PollEvent.OUT, 0) === 0 ? EAGAIN : raw.write(fd, bytes.subarray(0, PIPE_BUF));
}
