/** Asks the disk thread to read files into the page cache. @module */

import type { BackgroundLink } from "../background/background_link.ts";
import type { SharedFile } from "../response/shared_file.ts";

/** A request: `{ u32 fd, f64 offset, f64 length }`. */
const REQUEST_BYTES = 20;

/** Decodes a request. */
export function requestOf(message: Uint8Array): { fd: number; offset: number; length: number } {
  const view = viewOf(message);
  return {
    fd: view.getUint32(0, true),
    offset: view.getFloat64(4, true),
    length: view.getFloat64(12, true),
  };
}

/** Encodes an answer: 0 or `-errno`. */
export function answerOf(result: number): Uint8Array {
  return new Uint8Array(Int32Array.of(result).buffer);
}

/** Maximum number of pending requests: one after the other, they take their time. */
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

/** Requests of a serving thread to the disk thread. */
export class PrefetchClient {
  readonly #link: BackgroundLink;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor(link: BackgroundLink) {
    this.#link = link;
  }

  /** Whether the disk thread failed to start or has ended: each thread then reads for itself. */
  get gone(): boolean {
    return this.#link.gone;
  }

  /**
   * Reads a range; calls `waiter` when it is in the page cache.
   *
   * @returns An ID for `forget`, or 0 if the disk thread is too busy.
   */
  ask(file: SharedFile, offset: number, length: number, waiter: PrefetchWaiter): number {
    if (this.gone || this.#pending.size >= MOST_PENDING) return 0;
    const id = this.#lastId = (this.#lastId + 1) >>> 0 || 1;
    const view = new DataView(new ArrayBuffer(REQUEST_BYTES));
    view.setUint32(0, file.fd, true);
    view.setFloat64(4, offset, true);
    view.setFloat64(12, length, true);
    this.#pending.set(id, { file: file.use(), waiter });
    this.#link.send(new Uint8Array(view.buffer), (message) => {
      this.#finish(id, message === undefined ? 0 : viewOf(message).getInt32(0, true));
    });
    return id;
  }

  /** Cancels the callback of request `id`. */
  forget(id: number): void {
    const pending = this.#pending.get(id);
    if (pending !== undefined) pending.waiter = undefined;
  }

  #finish(id: number, result: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    pending.file.release();
    pending.waiter?.onDisk(result);
  }
}

function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}
