/** Chunks of a stream of the runtime. @module */

import type { ByteReader } from "../../../runtime/reading/readers.ts";
import type { Chunk, ChunkSource } from "../types.ts";
import { PendingBytesWrite } from "../pending_writes.ts";

/** Any source of bytes: a stream of Node.js or of the web, a socket, a generator. */
export class BytesSource implements ChunkSource {
  readonly total: number;
  readonly live: boolean;
  readonly #reader: ByteReader;
  #bytes: Uint8Array = new Uint8Array(0);
  #taken = 0;
  #ended = false;

  constructor(reader: ByteReader, total: number, live = true) {
    this.#reader = reader;
    this.total = total;
    this.live = live;
  }

  async ready(): Promise<void> {
    while (this.#bytes.length === 0 && !this.#ended && this.#taken < this.total) {
      const bytes = await this.#reader.next(this.total - this.#taken);
      this.#ended = bytes === null;
      this.#bytes = bytes ?? this.#bytes;
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
    this.#reader.giveBack(this.#bytes);
    this.#reader.end();
    return Promise.resolve();
  }
}

/** A chunk that every target gets as bytes. */
export function bytesChunk(bytes: Uint8Array): Chunk {
  return {
    length: bytes.length,
    method: "copy",
    laneFor: (taker) => new PendingBytesWrite(bytes, taker),
    settle() {},
  };
}
