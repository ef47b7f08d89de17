/** From a pipe into a connection that the runtime owns. @module */

import { errnoName, UnsupportedError } from "../../errors.ts";
import type { RuntimeConnection } from "../../runtime/types.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import { SpliceFlag } from "../../sys/flags/file.ts";
import * as raw from "../../sys/raw/mod.ts";
import { ready } from "../../threads/poll/poll_ready.ts";
import { connectionClosed } from "./connection_closed.ts";
import type { TransferProgress } from "./progress.ts";
import { EAGAIN, isTransient } from "../transfer/options.ts";
import { Tuning } from "./tcp_tuning.ts";

/** Writes behind the runtime's back: only while its own queue is empty, and never after it is closed. */
export class ConnectionWriter {
  readonly #connection: RuntimeConnection;
  readonly #progress: TransferProgress;
  readonly #tuning = new Tuning();

  constructor(connection: RuntimeConnection, progress: TransferProgress) {
    this.#connection = connection;
    this.#progress = progress;
  }

  /**
   * Gives some of what a pipe holds to the connection; waits until that takes at least one byte.
   *
   * @returns A count, or `-errno` when it refuses bytes that come in this way.
   *
   * @throws {SyscallError} When the connection is gone.
   * @throws {AbortError} When the signal fired.
   */
  async give(pipe: number, count: number): Promise<number> {
    for (;;) {
      const fd = this.#fd();
      const queued = this.#connection.queued();
      const flags = SpliceFlag.NONBLOCK;
      const moved = queued ? -EAGAIN : raw.splice(pipe, null, fd, null, count, flags);
      if (moved > 0) {
        this.#connection.touch();
        return moved;
      }
      const code = errnoName(-moved);
      if (code === "EPIPE" || code === "ECONNRESET") throw this.#gone({ code });
      if (moved < 0 && !isTransient(moved)) return moved;
      if (this.#connection.write !== null) return await this.#handOver(pipe);
      await this.#ready(fd);
    }
  }

  /** The number is good for this turn of the event loop only. */
  #fd(): number {
    if (this.#progress.aborted) throw this.#progress.abortError();
    const fd = this.#connection.fd();
    if (fd < 0) throw this.#gone();
    if (!this.#tuning.limited && (this.#progress.watched || this.#connection.timed())) {
      this.#tuning.limit(fd);
    }
    return fd;
  }

  /** The next byte goes through the runtime's own write, whose callback tells when there is room. */
  async #handOver(pipe: number): Promise<number> {
    const one = new Uint8Array(1);
    raw.read(pipe, one);
    const written = new Promise<void>((resolve, reject) =>
      this.#connection.write!(one, (cause) => cause ? reject(this.#gone({ cause })) : resolve())
    );
    // A write that outlives an abort has nobody else to hear of its end.
    written.catch(() => {});
    await this.#progress.unlessAborted(written);
    return one.length;
  }

  async #ready(fd: number): Promise<void> {
    try {
      await ready(fd, PollEvent.OUT, { signal: this.#progress.signal });
    } catch (error) {
      if (this.#progress.aborted) throw this.#progress.abortError();
      if (this.#connection.fd() < 0 && !(error instanceof UnsupportedError)) throw this.#gone();
      throw error;
    }
  }

  #gone(closed: { code?: string; cause?: unknown } = {}): Error {
    return connectionClosed({ syscall: "splice", bytesMoved: this.#progress.bytes, ...closed });
  }
}
