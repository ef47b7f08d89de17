/** Chunks of a pipe, a socket or a device. @module */

import { REFUSALS, SHORTAGES } from "../../../errno.ts";
import { SyscallError } from "../../../errors.ts";
import { PollEvent } from "../../../sys/flags/event.ts";
import { OpenFlag, SpliceFlag } from "../../../sys/flags/file.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { FileType } from "../../../sys/file/statx.ts";
import { ready } from "../../../threads/poll/poll_ready.ts";
import { closeEnd, type End, verify } from "../../engine/endpoint.ts";
import type { Pipe } from "../../engine/pipe.ts";
import { openPipe } from "../../engine/pipe_pool.ts";
import { readNow, takeStep } from "../../engine/staging.ts";
import { spliceStep } from "../../engine/step/splice.ts";
import { isTransient } from "../../transfer/options.ts";
import { bytesChunk } from "./bytes_source.ts";
import type { Chunk, ChunkSource, PendingWrite, WriteTaker } from "../types.ts";
import { PendingBytesWrite, PendingPipeWrite } from "../pending_writes.ts";
import { CHUNK_BYTES, enlarge, LEAST_PIPE } from "../pipes.ts";

/**
 * Smaller chunks are copied: tee(2) and splice(2) are two calls for each target, send(2) is one.
 * See `npm run bench -- broadcast`.
 */
const LEAST_TEE = 8 * 1024;

/** Bytes read at once from a source that has no pages. */
const COPY_BYTES = 64 * 1024;

/**
 * A source without positions.
 *
 * Invariant: between two chunks, our pipe is empty. So an `EAGAIN` before the first byte of a chunk
 * can only come from the source. A chunk has at most as many pages as our pipe, and a target's pipe
 * gets it only if it has room for that many.
 */
export class StreamSource implements ChunkSource {
  readonly total: number;
  readonly live = true;
  readonly #end: End;
  readonly #stopWaiting = new AbortController();
  #pipe: Pipe | null;
  #sink = -1;
  #taken = 0;

  /** Takes over `end`, and closes it. */
  constructor(end: End, total: number) {
    this.#end = end;
    this.total = total;
    // A blocking socket blocks in splice(2) too, whatever its flags.
    const pages = end.type !== FileType.CHARACTER && (end.type === FileType.FIFO || !end.blocking);
    this.#pipe = pages ? openPipe(CHUNK_BYTES, LEAST_PIPE) : null;
    if (pages && end.type === FileType.FIFO) enlarge(end.fd);
  }

  async ready(): Promise<void> {
    verify(this.#end, this.#taken);
    if (this.#taken >= this.total) return;
    // Use the number that the caller passed: if its owner closes it, the wait ends.
    await ready(this.#end.given, PollEvent.IN, { signal: this.#stopWaiting.signal });
  }

  take(count: number): Chunk | "end" | null {
    verify(this.#end, this.#taken);
    const most = Math.min(count, this.total - this.#taken);
    if (most === 0) return "end";
    const length = this.#pipe === null ? this.#refused() : this.#splice(this.#pipe, most);
    const chunk = length === "refused" ? this.#copy(most) : this.#chunk(this.#pipe!, length);
    if (chunk !== null && chunk !== "end") this.#taken += chunk.length;
    return chunk;
  }

  #refused(): "refused" {
    this.#pipe?.close();
    this.#pipe = null;
    return "refused";
  }

  /** Fills our pipe with available bytes: the count, 0 at the end, -1 if there are none yet. */
  #splice(pipe: Pipe, most: number): number | "refused" {
    let held = 0;
    while (held < most) {
      const wanted = Math.min(most - held, pipe.capacity);
      const moved = held === 0
        ? takeStep(this.#end, pipe.writeFd, wanted)
        : spliceStep(this.#end.fd, null, pipe.writeFd, null, wanted);
      if (moved > 0) {
        held += moved;
        continue;
      }
      // An error after some bytes repeats with the next chunk, and so does the end.
      if (held > 0) return held;
      if (moved === 0) return 0;
      if (isTransient(moved)) return -1;
      if (REFUSALS.has(moved)) return this.#refused();
      // Memory for pages has run out; a copy still works.
      if (SHORTAGES.has(moved)) return "refused";
      throw this.#failure(moved, "splice");
    }
    return held;
  }

  #chunk(pipe: Pipe, length: number): Chunk | "end" | null {
    if (length <= 0) return length === 0 ? "end" : null;
    if (length < LEAST_TEE) return bytesChunk(new PendingPipeWrite(pipe, length).takeOut(length));
    return new TeeChunk(pipe, length, () => this.#discard(pipe, length));
  }

  #copy(most: number): Chunk | "end" | null {
    const bytes = new Uint8Array(Math.min(most, COPY_BYTES));
    const count = readNow(this.#end, bytes);
    if (count === 0) return "end";
    if (count > 0) return bytesChunk(bytes.subarray(0, count));
    if (isTransient(count)) return null;
    throw this.#failure(count, "read");
  }

  /** Empties our pipe, whose bytes every target has by now. */
  #discard(pipe: Pipe, length: number): void {
    const { WRONLY, CLOEXEC } = OpenFlag;
    if (this.#sink < 0) this.#sink = raw.open("/dev/null", WRONLY | CLOEXEC, 0);
    for (let left = length; left > 0;) {
      const moved = spliceStep(pipe.readFd, null, this.#sink, null, left);
      if (moved <= 0) return void new PendingPipeWrite(pipe, left).takeOut(left);
      left -= moved;
    }
  }

  #failure(result: number, syscall: string): SyscallError {
    return new SyscallError({
      syscall,
      errno: -result,
      action: `broadcast fd ${this.#end.given}`,
      bytesMoved: this.#taken,
    });
  }

  close(): Promise<void> {
    this.#stopWaiting.abort();
    this.#pipe?.close();
    if (this.#sink >= 0) raw.close(this.#sink);
    closeEnd(this.#end);
    return Promise.resolve();
  }
}

/** A chunk in a pipe, duplicated into every target's pipe: see tee(2). */
class TeeChunk implements Chunk {
  readonly length: number;
  readonly method = "splice";
  readonly #pipe: Pipe;
  readonly #discard: () => void;
  #bytes: Uint8Array | undefined;

  constructor(pipe: Pipe, length: number, discard: () => void) {
    this.#pipe = pipe;
    this.length = length;
    this.#discard = discard;
  }

  laneFor(taker: WriteTaker): PendingWrite {
    return (taker.splices && this.#bytes === undefined
      ? this.#tee(taker.pipe(this.#pipe.capacity))
      : null) ??
      new PendingBytesWrite(this.#read(), taker);
  }

  /** tee(2) always starts at the head, so bytes that don't fit in one call cannot follow later. */
  #tee(own: Pipe | null): PendingWrite | null {
    if (own === null) return null;
    const { NONBLOCK } = SpliceFlag;
    const count = raw.tee(this.#pipe.readFd, own.writeFd, this.length, NONBLOCK);
    if (count === this.length) return new PendingPipeWrite(own, count, this.#pipe.capacity);
    if (count > 0) new PendingPipeWrite(own, count).takeOut(count);
    return null;
  }

  /** Reads the chunk once, for targets that take bytes; targets that take pages have theirs. */
  #read(): Uint8Array {
    return this.#bytes ??= new PendingPipeWrite(this.#pipe, this.length).takeOut(this.length);
  }

  settle(): void {
    if (this.#bytes === undefined) this.#discard();
    this.#bytes ??= new Uint8Array(0);
  }
}
