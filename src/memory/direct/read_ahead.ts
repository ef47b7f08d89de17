/** A queue of reads in flight, in file order. @module */

import { AbortError } from "../../errors.ts";
import { show, takeBack } from "../aligned/lending.ts";
import type { Block } from "../aligned/slabs.ts";
import { ownBlock } from "./bounce.ts";
import type { Operations } from "./operations.ts";

/** What to read. */
export interface ReadAheadOptions {
  /** First byte to read. */
  readonly start: number;
  /** First byte not to read. */
  readonly end: number;
  readonly depth: number;
  readonly blockSize: number;
  readonly signal: AbortSignal | undefined;
}

/** One read in flight. */
interface Ahead {
  readonly block: Block;
  readonly offset: number;
  readonly length: number;
  readonly outcome: Promise<{ readonly count: number; readonly failure?: unknown }>;
}

/** Reads whole blocks, from the one that holds `start` to the one that holds `end`. */
export class ReadAhead {
  readonly #operations: Operations;
  readonly #options: ReadAheadOptions;
  readonly #line: Ahead[] = [];
  readonly #free: Block[] = [];
  #offset: number;
  #delivered = 0;
  /** Block of the last chunk returned, and its buffer if it was lent. */
  #out: Block | undefined;
  #lent: ArrayBuffer | undefined;
  #stopped: Promise<void> | undefined;
  readonly #forget: () => void;

  constructor(operations: Operations, options: ReadAheadOptions) {
    this.#operations = operations;
    this.#options = options;
    const unit = operations.channel.alignment.offset;
    this.#offset = Math.floor(options.start / unit) * unit;
    this.#forget = operations.channel.atClose(() => this.stop());
  }

  /** Returns the next bytes, which stay valid until the next call; undefined at the end. */
  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const found = await this.#advance();
    return found === undefined
      ? undefined
      : found.block.bytes.subarray(found.from, found.from + found.length);
  }

  /** Like `next()`, but in a separate buffer that the next call detaches. */
  async lend(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const found = await this.#advance();
    if (found === undefined) return undefined;
    const bytes = show(found.block, found.from, found.length);
    found.block.hold();
    this.#lent = bytes.buffer;
    return bytes;
  }

  async #advance(): Promise<{ block: Block; from: number; length: number } | undefined> {
    this.#operations.channel.assertOpen("read");
    if (this.#stopped !== undefined) return undefined;
    this.#reclaim();
    const { start, end, signal } = this.#options;
    if (signal?.aborted) throw new AbortError(this.#delivered, signal.reason);
    this.#fill();
    const head = this.#line.shift();
    if (head === undefined) return undefined;
    const { block, offset, length, outcome } = head;
    const { count, failure } = await outcome;
    this.#out = block;
    if (failure instanceof AbortError) throw new AbortError(this.#delivered, failure.cause);
    if (failure !== undefined) throw failure;
    // Only the last block of the file is short.
    if (count < length) this.#offset = Infinity;
    const from = Math.max(start - offset, 0);
    const to = Math.min(count, end - offset);
    if (to <= from) return undefined;
    this.#delivered += to - from;
    return { block, from, length: to - from };
  }

  /** Starts reads until `depth` are in flight. */
  #fill(): void {
    const { depth, blockSize, end, signal } = this.#options;
    const unit = this.#operations.channel.alignment.offset;
    const last = Math.ceil(end / unit) * unit;
    while (this.#line.length < depth && this.#offset < last) {
      const offset = this.#offset;
      const length = Math.min(blockSize, last - offset);
      const block = this.#free.pop() ?? ownBlock(blockSize, unit);
      const outcome = this.#operations.readPlace({ block, at: block.at }, length, offset, signal)
        .then((count) => ({ count }), (failure: unknown) => ({ count: 0, failure }));
      this.#line.push({ block, offset, length, outcome });
      this.#offset += length;
    }
  }

  #reclaim(): void {
    const block = this.#out;
    this.#out = undefined;
    if (block === undefined) return;
    const lent = this.#lent;
    this.#lent = undefined;
    // The borrower kept the buffer: replace the block.
    if (lent !== undefined && !takeBack(lent, block)) block.drop();
    // An operation still writes from this block: don't read into it.
    else if (block.holds > 1) block.drop();
    else this.#free.push(block);
  }

  /** Waits for the reads in flight, then returns the memory. */
  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  async #stop(): Promise<void> {
    this.#forget();
    await Promise.all(this.#line.map(({ outcome }) => outcome));
    this.#reclaim();
    for (const { block } of this.#line.splice(0)) block.drop();
    for (const block of this.#free.splice(0)) block.drop();
  }
}
