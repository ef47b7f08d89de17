/** Writes to a descriptor without blocking: the content of a pipe, or memory. @module */

import { partOf, sizeOf } from "../../bytes.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import * as raw from "../../sys/raw/mod.ts";
import { ready } from "../../threads/poll/poll_ready.ts";
import { runOffThread } from "./file/off_loop.ts";
import { isTransient } from "./driver.ts";
import { type End, isFile, verify } from "./endpoint.ts";
import { discard, writeStep } from "./step/memory.ts";
import { spliceStep } from "./step/splice.ts";
import type { TransferProgress } from "./progress.ts";
import type { Pipe } from "./pipe.ts";
import { givePipe, takePipe } from "./pipe_pool.ts";
import { writeNow } from "./staging.ts";

/**
 * Writes to one descriptor, in order. Writes to a file in a thread, because it may wait for a disk.
 */
export class DescriptorWriter {
  readonly #target: End;
  #offset: number | null;
  /** Passes bytes for a file to the thread, which only handles descriptors. */
  #pipe: Pipe | null | undefined;
  #busy: Promise<unknown> = Promise.resolve();

  /** `offset` is the position of the first byte in a file; `null` without positions. */
  constructor(target: End, offset: number | null) {
    this.#target = target;
    this.#offset = offset;
  }

  /** Moves a part of a file to a file, at its position: a count, or `-errno`. */
  sendFile(file: number, position: number, count: number): Promise<number> {
    return this.#keep(
      runOffThread("sendRange", file, position, this.#target.fd, null, count, count),
    );
  }

  /** Moves some of a pipe's content: a count, or `-errno`. */
  splice(pipe: number, count: number): number | Promise<number> {
    const { fd } = this.#target;
    if (!isFile(this.#target)) return spliceStep(pipe, null, fd, null, count);
    return this.#keep(runOffThread("spliceRange", pipe, null, fd, this.#offset, count, count));
  }

  /** Writes some of `bytes`: a count, or `-errno`. */
  give(bytes: Uint8Array): number | Promise<number> {
    if (!isFile(this.#target)) return writeNow(this.#target, bytes);
    const pipe = this.#pipe === undefined ? this.#pipe = takePipe() : this.#pipe;
    if (pipe !== null) return this.#keep(this.#through(pipe, bytes), false);
    return this.#advance(writeStep(this.#target.fd, bytes, this.#offset));
  }

  /**
   * Writes all of `bytes`; one call at a time.
   *
   * @throws {TypeError} When the owner of the memory has detached it.
   * @throws {SyscallError} When the descriptor takes no more.
   * @throws {AbortError} When the signal fired.
   */
  async write(bytes: Uint8Array, progress: TransferProgress): Promise<void> {
    const length = sizeOf(bytes);
    for (let done = 0; done < length;) {
      if (progress.aborted) throw progress.abortError();
      verify(this.#target, progress.bytes);
      const written = await this.give(partOf(bytes, done, length - done));
      if (written > 0) done += written;
      else if (isTransient(written)) {
        await ready(this.#target.given, PollEvent.OUT, { signal: progress.signal });
      } else {
        const action = `transfer bytes to fd ${this.#target.given}`;
        throw progress.failure(written, "write", action);
      }
    }
  }

  /** Frees its resources, once nothing is in flight. */
  async close(): Promise<void> {
    await this.#busy;
    if (this.#pipe) givePipe(this.#pipe);
  }

  async #through(pipe: Pipe, bytes: Uint8Array): Promise<number> {
    const held = raw.write(pipe.writeFd, bytes);
    for (let done = 0; done < held;) {
      const left = held - done;
      const { fd } = this.#target;
      const call = runOffThread("copyThrough", pipe.readFd, null, fd, this.#offset, left, left, 0);
      const moved = this.#advance(await call);
      if (moved > 0) done += moved;
      else {
        // Unwritten bytes are still in memory: the next call meets the error again.
        discard(pipe.readFd, left);
        return done > 0 ? done : moved;
      }
    }
    return held;
  }

  /** Remembers the operation in flight. */
  async #keep(moving: Promise<number>, advances = true): Promise<number> {
    this.#busy = moving.catch(() => {});
    const moved = await moving;
    return advances ? this.#advance(moved) : moved;
  }

  #advance(moved: number): number {
    if (moved > 0 && this.#offset !== null) this.#offset += moved;
    return moved;
  }
}
