/** Asks the disk thread to read files into the page cache. @module */

import { EAGAIN, EINTR } from "../../../errno.ts";
import { EpollEvent } from "../../../sys/flags/event.ts";
import * as raw from "../../../sys/raw/mod.ts";
import type { Handler, Loop } from "../../../threads/loop/loop.ts";
import type { SharedFile } from "../response/shared_file.ts";

/** Length of a request in bytes: `{ u32 id, u32 fd, f64 offset, f64 length }`. */
export const REQUEST_BYTES = 24;

/** Length of an answer in bytes: `{ u32 id, i32 result }`. */
export const ANSWER_BYTES = 8;

/**
 * Maximum number of pending requests. A socket of the usual size holds 278 such small records in
 * each direction (Linux 6.18). If an answer found no room, its waiter would hang.
 */
const MOST_PENDING = 128;

/** Waits for the disk. */
export interface PrefetchWaiter {
  /** Called once, with 0 or `-errno`. */
  onDisk(result: number): void;
}

interface Pending {
  readonly file: SharedFile;
  /** `undefined` once cancelled; the file stays open until the disk thread is done with it. */
  waiter: PrefetchWaiter | undefined;
}

/** A serving thread's end of the socket to the disk thread. */
export class PrefetchClient implements Handler {
  readonly #fd: number;
  readonly #wake: () => void;
  readonly #pending = new Map<number, Pending>();
  readonly #request = new DataView(new ArrayBuffer(REQUEST_BYTES));
  readonly #answers = new Uint8Array(64 * ANSWER_BYTES);
  readonly #loop: Loop;
  #rest = 0;
  #lastId = 0;
  #started = false;
  #gone = false;

  /** Uses the socket `fd`; calls `wake` before the first request. */
  constructor(loop: Loop, fd: number, wake: () => void) {
    this.#loop = loop;
    this.#fd = fd;
    this.#wake = wake;
    loop.add(fd, EpollEvent.IN, this);
  }

  /** Whether the disk thread failed to start or has ended: each thread then reads for itself. */
  get gone(): boolean {
    return this.#gone;
  }

  /**
   * Reads a range; calls `waiter` when it is in the page cache.
   *
   * @returns An ID for `forget`, or 0 if the disk thread is too busy.
   */
  ask(file: SharedFile, offset: number, length: number, waiter: PrefetchWaiter): number {
    if (!this.#started) {
      this.#started = true;
      this.#wake();
    }
    if (this.#gone || this.#pending.size >= MOST_PENDING) return 0;
    const id = this.#lastId = (this.#lastId + 1) >>> 0 || 1;
    this.#request.setUint32(0, id, true);
    this.#request.setUint32(4, file.fd, true);
    this.#request.setFloat64(8, offset, true);
    this.#request.setFloat64(16, length, true);
    const written = raw.write(this.#fd, new Uint8Array(this.#request.buffer));
    if (written !== REQUEST_BYTES) return 0;
    this.#pending.set(id, { file: file.use(), waiter });
    return id;
  }

  /** Cancels the callback of request `id`. */
  forget(id: number): void {
    const pending = this.#pending.get(id);
    if (pending !== undefined) pending.waiter = undefined;
  }

  /** Called by the loop. */
  onEvents(): void {
    const read = raw.read(this.#fd, this.#answers.subarray(this.#rest));
    if (read === EAGAIN || read === EINTR) return;
    if (read <= 0) return this.#abandon();
    const end = this.#rest + read;
    const view = new DataView(this.#answers.buffer);
    let at = 0;
    for (; at + ANSWER_BYTES <= end; at += ANSWER_BYTES) {
      this.#finish(view.getUint32(at, true), view.getInt32(at + 4, true));
    }
    this.#answers.copyWithin(0, at, end);
    this.#rest = end - at;
  }

  #finish(id: number, result: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    pending.file.release();
    pending.waiter?.onDisk(result);
  }

  #abandon(): void {
    this.#gone = true;
    this.#loop.remove(this.#fd);
    for (const id of [...this.#pending.keys()]) this.#finish(id, 0);
  }
}
