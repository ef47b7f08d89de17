/** Chunks of a pipe, a socket or a device. @module */

import { REFUSALS, SHORTAGES } from "../../../errno.ts";
import { SyscallError } from "../../../errors.ts";
import { PollEvent } from "../../../sys/flags/event.ts";
import { OpenFlag, SpliceFlag } from "../../../sys/flags/file.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { FileType } from "../../../sys/file/statx.ts";
import { ready } from "../../../threads/poll/poll_ready.ts";
import { type End, verify } from "../../engine/endpoint.ts";
import type { Pipe } from "../../engine/pipe.ts";
import { openPipe } from "../../engine/pipe_pool.ts";
import { readNow, takeStep } from "../../engine/staging.ts";
import { discard, takeOut } from "../../engine/step/memory.ts";
import { spliceStep } from "../../engine/step/splice.ts";
import { isTransient } from "../../engine/driver.ts";
import { bytesChunk } from "./bytes_source.ts";
import type { Chunk, ChunkSource, PendingWrite, WriteTaker } from "../types.ts";
import { PendingBytesWrite, PendingPipeWrite } from "../pending_writes.ts";
import { CHUNK_BYTES, enlarge, LEAST_PIPE } from "../pipes.ts";

/**
 * A chunk of fewer bytes is copied: tee(2) and splice(2) are two calls for each target, send(2) is
 * one. To 16 TCP clients 4 KiB at a time cost 0.67 to 0.70 CPU-seconds per GB by copying and 0.77 by
 * tee(2); 8 KiB 0.47 to 0.49 and 0.44 to 0.54; 16 KiB 0.34 to 0.41 and 0.32; 256 KiB 0.22 and 0.17 to
 * 0.26. With 1, 2 and 4 clients 256 KiB by tee(2) cost less as well: 0.36 to 0.43, 0.25 to 0.32 and
 * 0.21 to 0.29, against 0.46 to 0.51, 0.33 to 0.46 and 0.26 to 0.31 (measured on Linux 6.18).
 */
const LEAST_TEE = 8 * 1024;

/** Bytes read at once of what gives no pages. */
const COPY_BYTES = 64 * 1024;

/**
 * A source without positions.
 *
 * Invariant: between two chunks our pipe is empty. So an `EAGAIN` before the first byte of a chunk
 * can only come from the source. A chunk has as many pages as our pipe at most, and a target's pipe
 * gets it only while it has room for so many.
 */
export class StreamSource implements ChunkSource {
  readonly total: number;
  readonly live = true;
  readonly #end: End;
  readonly #stopWaiting = new AbortController();
  #pipe: Pipe | null;
  #sink = -1;
  #taken = 0;

  constructor(end: End, total: number) {
    this.#end = end;
    this.total = total;
    // A socket that blocks would block in splice(2) as well, whatever its flags.
    const pages = end.type !== FileType.CHARACTER && (end.type === FileType.FIFO || !end.blocking);
    this.#pipe = pages ? openPipe(CHUNK_BYTES, LEAST_PIPE) : null;
    if (pages && end.type === FileType.FIFO) enlarge(end.fd);
  }

  async ready(): Promise<void> {
    verify(this.#end, this.#taken);
    if (this.#taken >= this.total) return;
    // By the number that was given: its owner may close it, and then the wait ends.
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

  /** Fills our pipe with what there is: the count, 0 at the end, -1 when there is nothing yet. */
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
      // An error after some bytes comes again with the next chunk, and so does the end.
      if (held > 0) return held;
      if (moved === 0) return 0;
      if (isTransient(moved)) return -1;
      if (REFUSALS.has(moved)) return this.#refused();
      // There is no memory for pages; there is some for a copy.
      if (SHORTAGES.has(moved)) return "refused";
      throw this.#failure(moved, "splice");
    }
    return held;
  }

  #chunk(pipe: Pipe, length: number): Chunk | "end" | null {
    if (length <= 0) return length === 0 ? "end" : null;
    if (length < LEAST_TEE) return bytesChunk(takeOut(pipe.readFd, length));
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
      if (moved <= 0) return discard(pipe.readFd, left);
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
    return Promise.resolve();
  }
}

/** A chunk in a pipe, of which every target's pipe gets a duplicate: see tee(2). */
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

  /** tee(2) always begins at the head, so that what does not fit in one call cannot follow later. */
  #tee(own: Pipe | null): PendingWrite | null {
    if (own === null) return null;
    const { NONBLOCK } = SpliceFlag;
    const count = raw.tee(this.#pipe.readFd, own.writeFd, this.length, NONBLOCK);
    if (count === this.length) return new PendingPipeWrite(own, count, this.#pipe.capacity);
    if (count > 0) discard(own.readFd, count);
    return null;
  }

  /** Reads the chunk out for those who take bytes, once; those who take pages have theirs. */
  #read(): Uint8Array {
    return this.#bytes ??= takeOut(this.#pipe.readFd, this.length);
  }

  settle(): void {
    if (this.#bytes === undefined) this.#discard();
    this.#bytes ??= new Uint8Array(0);
  }
}
