/** Chunks of a connection that the runtime does not read meanwhile. @module */

import type { BorrowedInput } from "../../../runtime/reading/borrow.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { ShutdownHow } from "../../../sys/flags/socket.ts";
import { FileType } from "../../../sys/file/statx.ts";
import { connectionClosed } from "../../engine/connection/closed.ts";
import { ownEnd } from "../../engine/endpoint.ts";
import { bytesChunk } from "./bytes_source.ts";
import type { Chunk, ChunkSource } from "../types.ts";
import { StreamSource } from "./stream_source.ts";

/** First what the runtime has received, then what its descriptor has; in the end it is given back. */
export class BorrowedSource implements ChunkSource {
  readonly total: number;
  readonly live = true;
  readonly #input: BorrowedInput;
  readonly #inner: StreamSource;
  /** Bytes that the runtime has received and that are wanted. */
  #ahead: number;
  #taken = 0;

  constructor(input: BorrowedInput, total: number) {
    this.#input = input;
    this.total = total;
    this.#ahead = Math.min(input.rest.length, total);
    this.#inner = new StreamSource(ownEnd(input.fd, FileType.SOCKET), total - this.#ahead);
    // Its owner has no other way to end what waits for our duplicate.
    input.whenClosed(() => void raw.shutdown(input.fd, ShutdownHow.RD));
  }

  async ready(): Promise<void> {
    if (this.#ahead === 0) await this.#inner.ready();
  }

  take(count: number): Chunk | "end" | null {
    const chunk = this.#ahead > 0 ? this.#first(count) : this.#inner.take(count);
    if (chunk === "end" && this.#input.closed()) {
      throw connectionClosed({ syscall: "splice", bytesMoved: this.#taken });
    }
    if (chunk !== null && chunk !== "end") {
      this.#taken += chunk.length;
      this.#input.touch();
    }
    return chunk;
  }

  #first(count: number): Chunk {
    const bytes = this.#input.rest.subarray(0, Math.min(count, this.#ahead));
    this.#input.rest = this.#input.rest.subarray(bytes.length);
    this.#ahead -= bytes.length;
    return bytesChunk(bytes);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
