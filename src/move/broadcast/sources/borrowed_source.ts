/** Chunks of a connection that the runtime does not read meanwhile. @module */

import type { BorrowedReading } from "../../../runtime/borrow.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { ShutdownHow } from "../../../sys/flags/socket.ts";
import { connectionClosed } from "../../engine/connection/closed.ts";
import { socketEnd } from "../../engine/endpoint.ts";
import { bytesChunk } from "./bytes_source.ts";
import type { Chunk, ChunkSource } from "../types.ts";
import { StreamSource } from "./stream_source.ts";

/** First what the runtime has received, then what its descriptor has; in the end it is given back. */
export class BorrowedSource implements ChunkSource {
  readonly total: number;
  readonly live = true;
  readonly #reading: BorrowedReading;
  readonly #inner: StreamSource;
  /** Bytes that the runtime gets back. */
  readonly #rest: Uint8Array;
  #ahead: Uint8Array;
  #taken = 0;

  constructor(reading: BorrowedReading, total: number) {
    const { ahead, fd } = reading;
    this.#reading = reading;
    this.total = total;
    this.#ahead = ahead.subarray(0, total);
    this.#rest = ahead.subarray(this.#ahead.length);
    this.#inner = new StreamSource(socketEnd(fd), total - this.#ahead.length);
    // Its owner has no other way to end what waits for our duplicate.
    reading.whenClosed(() => void raw.shutdown(fd, ShutdownHow.RD));
  }

  async ready(): Promise<void> {
    if (this.#ahead.length === 0) await this.#inner.ready();
  }

  take(count: number): Chunk | "end" | null {
    const chunk = this.#ahead.length > 0 ? this.#first(count) : this.#inner.take(count);
    if (chunk === "end" && this.#reading.closed()) {
      throw connectionClosed({ syscall: "splice", bytesMoved: this.#taken });
    }
    if (chunk !== null && chunk !== "end") {
      this.#taken += chunk.length;
      this.#reading.touch();
    }
    return chunk;
  }

  #first(count: number): Chunk {
    const bytes = this.#ahead.subarray(0, count);
    this.#ahead = this.#ahead.subarray(bytes.length);
    return bytesChunk(bytes);
  }

  async close(): Promise<void> {
    await this.#inner.close();
    this.#reading.giveBack(this.#ahead.length > 0 ? this.#all() : this.#rest);
  }

  /** What was not taken, and what was not asked for: next to each other as they came. */
  #all(): Uint8Array {
    const { ahead } = this.#reading;
    return ahead.subarray(ahead.length - this.#ahead.length - this.#rest.length);
  }
}
