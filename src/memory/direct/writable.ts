/** Streams that write in whole blocks. @module */

import { isBytes, ownBytes } from "../../bytes.ts";
import type { Checked, Names } from "../../checked.ts";
import { AbortError } from "../../errors.ts";
import { describe, wholeNumber } from "../../options.ts";
import type { Block } from "../aligned/slabs.ts";
import { ownBlock } from "./bounce.ts";
import type { Operations } from "./operations.ts";
import { checkDepth } from "./readable.ts";

/** Options of {@linkcode DirectFile.writable}. */
export interface DirectWritableOptions {
  /**
   * First byte to write, or `"end"` for the end of the file.
   *
   * @default {0}
   */
  start?: number | "end" | undefined;
  /**
   * Writes in flight, 1 to 256.
   *
   * @default {8}
   */
  depth?: number | undefined;
  /**
   * Bytes of each write: a multiple of the file's alignment, at most 64 MiB.
   *
   * @default {512 KiB}
   */
  blockSize?: number | undefined;
  /** Stops writing: the stream fails with an `AbortError`. */
  signal?: AbortSignal | undefined;
}

/** Names of the options in {@linkcode DirectWritableOptions}. */
export const WRITABLE_OPTIONS: Names<DirectWritableOptions> = {
  blockSize: true,
  depth: true,
  signal: true,
  start: true,
};

/**
 * Creates the stream. Closing it writes the remaining bytes, but neither closes nor syncs the file.
 */
export function writable(
  operations: Operations,
  options: Checked<DirectWritableOptions>,
): WritableStream<Uint8Array> {
  const action = `write "${operations.channel.name}"`;
  const { start = 0, signal } = options;
  if (start !== "end") wholeNumber(start, "start", action);
  const { depth, blockSize } = checkDepth(options, operations, action);
  const behind = new WriteBehind(operations, start, depth, blockSize, signal);
  return new WritableStream<Uint8Array>({
    write: (chunk) => behind.write(chunk),
    close: () => behind.close(),
    abort: () => behind.stop(),
  });
}

/** Fills blocks and writes them. */
class WriteBehind {
  readonly #operations: Operations;
  readonly #depth: number;
  readonly #blockSize: number;
  readonly #signal: AbortSignal | undefined;
  readonly #running: Promise<void>[] = [];
  readonly #free: Block[] = [];
  #block: Block | undefined;
  #used = 0;
  /** Bytes that the current block takes. The first block is shorter if that aligns the others. */
  #capacity: number;
  #offset: number;
  #failure: unknown;

  constructor(
    operations: Operations,
    start: number | "end",
    depth: number,
    blockSize: number,
    signal: AbortSignal | undefined,
  ) {
    this.#operations = operations;
    this.#depth = depth;
    this.#blockSize = blockSize;
    this.#signal = signal;
    this.#offset = start === "end" ? operations.channel.size() : start;
    this.#capacity = blockSize - this.#offset % operations.channel.alignment.offset;
  }

  async write(given: Uint8Array): Promise<void> {
    if (!isBytes(given)) {
      await this.stop();
      throw new TypeError(`Cannot write ${describe(given)}: expected a Uint8Array`);
    }
    const chunk = ownBytes(given);
    for (let at = 0; at < chunk.length;) {
      const block = this.#block ??= this.#free.pop() ??
        ownBlock(this.#blockSize, this.#operations.channel.alignment.memory);
      const count = Math.min(this.#capacity - this.#used, chunk.length - at);
      block.bytes.set(chunk.subarray(at, at + count), this.#used);
      this.#used += count;
      at += count;
      if (this.#used === this.#capacity) await this.#flush();
    }
  }

  /** Starts to write the current block; waits while `depth` writes are in flight. */
  async #flush(): Promise<void> {
    const block = this.#block!;
    const length = this.#used;
    const offset = this.#offset;
    this.#block = undefined;
    this.#used = 0;
    this.#capacity = this.#blockSize;
    this.#offset += length;
    this.#running.push(
      this.#store(block, length, offset).catch((error: unknown) => void (this.#failure ??= error))
        .finally(() => this.#free.push(block)),
    );
    while (this.#running.length >= this.#depth) await this.#running.shift();
    await this.#assertWell();
  }

  async #store(block: Block, length: number, offset: number): Promise<void> {
    if (this.#operations.suits(block.at, length, offset)) {
      await this.#operations.writePlace({ block, at: block.at }, length, offset, this.#signal);
    } else {
      await this.#operations.write(ownBytes(block.bytes.subarray(0, length)), offset, this.#signal);
    }
  }

  async close(): Promise<void> {
    if (this.#used > 0) await this.#flush();
    await Promise.all(this.#running.splice(0));
    await this.#assertWell();
    await this.stop();
  }

  async #assertWell(): Promise<void> {
    const signal = this.#signal;
    if (this.#failure === undefined && !signal?.aborted) return;
    await this.stop();
    throw this.#failure ?? new AbortError(this.#offset, signal!.reason);
  }

  /** Waits for the writes in flight, then returns the memory. */
  async stop(): Promise<void> {
    await Promise.all(this.#running.splice(0));
    this.#block?.drop();
    this.#block = undefined;
    this.#used = 0;
    for (const block of this.#free.splice(0)) block.drop();
  }
}
