/** Writing bytes of JavaScript to a descriptor without waiting in the kernel. @module */

import { PollEvent } from "../../sys/flags/event.ts";
import * as raw from "../../sys/raw/mod.ts";
import { ready } from "../../threads/poll/poll_ready.ts";
import { type End, isFile, verify } from "./endpoint.ts";
import type { TransferProgress } from "./progress.ts";
import type { Pipe } from "./pipe.ts";
import { givePipe, takePipe } from "./pipe_pool.ts";
import { type Cursor, emptyInto, writeNow } from "./staging.ts";
import { failure, isTransient } from "../transfer/options.ts";

/** Writes to one descriptor, in order. */
export class DescriptorWriter {
  readonly #target: End;
  readonly #progress: TransferProgress;
  readonly #cursor: Cursor;
  /** Through it the thread gets what goes to a file: it knows descriptors only. */
  readonly #pipe: Pipe | null;
  #busy: Promise<unknown> = Promise.resolve();

  /** `offset` is where in a file the first byte goes; `null` where there are no positions. */
  constructor(target: End, offset: number | null, progress: TransferProgress) {
    this.#target = target;
    this.#progress = progress;
    this.#cursor = { offset };
    this.#pipe = isFile(target) ? takePipe() : null;
  }

  /** Writes all of `bytes`; one at a time. */
  write(bytes: Uint8Array): Promise<void> {
    const writing = this.#write(bytes);
    this.#busy = writing.catch(() => {});
    return writing;
  }

  /** Gives back what it holds, once nothing is under way any more. */
  async close(): Promise<void> {
    await this.#busy;
    if (this.#pipe !== null) givePipe(this.#pipe);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) {
      if (this.#progress.aborted) throw this.#progress.abortError();
      verify(this.#target, this.#progress.bytes);
      const written = await this.#some(rest);
      if (written > 0) rest = rest.subarray(written);
      else if (isTransient(written)) {
        await ready(this.#target.given, PollEvent.OUT, { signal: this.#progress.signal });
      } else {
        const names = `bytes to fd ${this.#target.given}`;
        throw failure(written, "copy", names, this.#progress.bytes);
      }
    }
  }

  async #some(bytes: Uint8Array): Promise<number> {
    if (!isFile(this.#target)) return writeNow(this.#target, bytes);
    if (this.#pipe === null) return this.#here(bytes);
    const held = raw.write(this.#pipe.writeFd, bytes);
    if (held <= 0) return held;
    let left = held;
    const empty = emptyInto(this.#target, this.#cursor, "copy");
    while (left > 0) {
      const moved = await empty(this.#pipe.readFd, left);
      if (moved <= 0) return moved;
      left -= moved;
    }
    return held;
  }

  #here(bytes: Uint8Array): number {
    const { offset } = this.#cursor;
    const { fd } = this.#target;
    const written = offset === null ? raw.write(fd, bytes) : raw.pwrite(fd, bytes, offset);
    if (written > 0 && offset !== null) this.#cursor.offset = offset + written;
    return written;
  }
}
