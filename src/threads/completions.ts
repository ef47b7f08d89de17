/**
 * Completion records: how a thread reports the end of an operation to a JavaScript thread.
 *
 * A record is 16 bytes, `{ u32 id, u32 unused, i64 result }`, little-endian, as both supported
 * processors are. io_uring can write one by itself.
 *
 * @module
 */

import { EAGAIN, EINTR, SHORTAGES } from "../errno.ts";
import { check } from "../sys/check.ts";
import { PollEvent } from "../sys/flags/event.ts";
import * as raw from "../sys/raw/mod.ts";
import type { JobContext } from "./job.ts";

/** Length of a record in bytes. */
export const RECORD_BYTES = 16;

/** Records collected before a write: one write wakes the other side once. */
const BATCH = 256;

/** Pause when the kernel is out of memory, in milliseconds. */
const STARVED_MS = 10;

/** Cuts a stream of bytes into records. */
export class RecordReader {
  readonly #onRecord: (id: number, result: number) => void;
  readonly #rest = new Uint8Array(RECORD_BYTES);
  #restLength = 0;

  /** Passes each record to `onRecord`. */
  constructor(onRecord: (id: number, result: number) => void) {
    this.#onRecord = onRecord;
  }

  /** Takes the next bytes of the stream, however they are split. */
  feed(bytes: Uint8Array): void {
    let at = 0;
    if (this.#restLength > 0) {
      at = Math.min(RECORD_BYTES - this.#restLength, bytes.length);
      this.#rest.set(bytes.subarray(0, at), this.#restLength);
      this.#restLength += at;
      if (this.#restLength < RECORD_BYTES) return;
      this.#restLength = 0;
      this.#report(new DataView(this.#rest.buffer), 0);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) this.#report(view, at);
    this.#rest.set(bytes.subarray(at));
    this.#restLength = bytes.length - at;
  }

  #report(view: DataView, at: number): void {
    this.#onRecord(view.getUint32(at, true), Number(view.getBigInt64(at + 8, true)));
  }
}

/** Writes records to a non-blocking stream socket, from a thread that may block. */
export class RecordWriter {
  readonly #fd: number;
  readonly #job: Pick<JobContext, "parkMs" | "stopping">;
  readonly #bytes = new Uint8Array(BATCH * RECORD_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  #used = 0;

  /** Writes to `fd`. Gives up when the job stops, because no thread reads then. */
  constructor(fd: number, job: Pick<JobContext, "parkMs" | "stopping">) {
    this.#fd = fd;
    this.#job = job;
  }

  /** Adds a record to the batch. */
  add(id: number, result: number): void {
    if (this.#used === this.#bytes.length) this.flush();
    this.#view.setUint32(this.#used, id, true);
    this.#view.setBigInt64(this.#used + 8, BigInt(result), true);
    this.#used += RECORD_BYTES;
  }

  /** Writes the batch; waits if the reader is behind. */
  flush(): void {
    const end = this.#used;
    this.#used = 0;
    for (let at = 0; at < end;) {
      const written = raw.write(this.#fd, this.#bytes.subarray(at, end));
      if (written > 0) at += written;
      else if (this.#job.stopping()) return;
      else if (written === EAGAIN) raw.poll(this.#fd, PollEvent.OUT, this.#job.parkMs);
      else if (SHORTAGES.has(written)) raw.poll(this.#fd, 0, STARVED_MS);
      else if (written !== EINTR) check(written, "write", () => "report a completion");
    }
  }
}
