/** Chunks of what the runtime yields. @module */

import { bytesOf, type ByteSource } from "../../transfer/runtime_endpoints.ts";
import type { Chunk, ChunkSource } from "../types.ts";
import { PendingBytesWrite } from "../pending_writes.ts";

/** A stream that can be given bytes back, and whose iterator need not destroy it. */
interface Returnable extends ByteSource {
  iterator?(options: { destroyOnReturn: boolean }): AsyncIterator<Uint8Array | string>;
  unshift?(bytes: Uint8Array): void;
}

/** Anything that yields bytes: a stream of Node.js or of the web, a socket, a generator. */
export class BytesSource implements ChunkSource {
  readonly total: number;
  readonly live: boolean;
  readonly #source: Returnable;
  readonly #iterator: AsyncIterator<Uint8Array | string>;
  #bytes: Uint8Array = new Uint8Array(0);
  #taken = 0;
  #ended = false;

  constructor(source: ByteSource, total: number, live = true) {
    this.#source = source;
    this.total = total;
    this.live = live;
    this.#iterator = this.#source.iterator?.({ destroyOnReturn: false }) ??
      source[Symbol.asyncIterator]();
  }

  async ready(): Promise<void> {
    while (this.#bytes.length === 0 && !this.#ended && this.#taken < this.total) {
      const { done, value } = await this.#iterator.next();
      if (done) this.#ended = true;
      else this.#bytes = bytesOf(value);
    }
  }

  take(count: number): Chunk | "end" | null {
    const most = Math.min(count, this.total - this.#taken);
    if (most === 0 || (this.#ended && this.#bytes.length === 0)) return "end";
    if (this.#bytes.length === 0) return null;
    const bytes = this.#bytes.subarray(0, most);
    this.#bytes = this.#bytes.subarray(bytes.length);
    this.#taken += bytes.length;
    return bytesChunk(bytes);
  }

  close(): Promise<void> {
    // What the stream yielded beyond the length it gets back, where it takes it.
    if (this.#bytes.length > 0) this.#source.unshift?.(this.#bytes);
    // Nobody waits for it: a generator that is stuck would never return.
    this.#iterator.return?.().catch(() => {});
    return Promise.resolve();
  }
}

/** A chunk that everybody gets as bytes. */
export function bytesChunk(bytes: Uint8Array): Chunk {
  return {
    length: bytes.length,
    method: "copy",
    laneFor: (taker) => new PendingBytesWrite(bytes, taker),
    settle() {},
  };
}
