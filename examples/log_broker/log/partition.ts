/** A partition: segments, the last of which is written to. @module */

import type { Buffer } from "node:buffer";
import { mkdirSync, readdirSync } from "node:fs";
import { Code, Refusal } from "../errors.ts";
import { type Batch, batchAt, checkBatch, place } from "./batch.ts";
import { sync, Turns } from "./files.ts";
import { Producers } from "./producers.ts";
import { Segment, type Slice } from "./segment.ts";

/** Settings of all partitions. */
export interface LogOptions {
  readonly segmentBytes: number;
  readonly maxBatchBytes: number;
  readonly retentionBytes: number;
  readonly retentionMs: number;
  /** Whether a batch is on the disk before it is acknowledged. */
  readonly syncAlways: boolean;
}

/** A partition of a topic. */
export class Partition {
  /** Offset after the last record that consumers may see. */
  high: number;
  /** Called when `high` grows. */
  readonly waiting: Set<() => void> = new Set();
  readonly #folder: string;
  readonly #options: LogOptions;
  readonly #segments: Segment[];
  readonly #producers: Producers;
  readonly #turns: Turns = new Turns();
  readonly #syncs: Turns = new Turns();
  #nextSync: Promise<void> | undefined;
  #dirty = false;
  #failure: unknown;

  /** Opens a partition, and cuts what a kill left incomplete; creates it if it is missing. */
  constructor(folder: string, options: LogOptions) {
    [this.#folder, this.#options] = [folder, options];
    mkdirSync(folder, { recursive: true });
    const bases = readdirSync(folder).filter((name) => name.endsWith(".log"))
      .map((name) => Number(name.slice(0, -4))).sort((a, b) => a - b);
    this.#segments = (bases.length > 0 ? bases : [0]).map((base) => new Segment(folder, base));
    this.#producers = new Producers(this.#active.path("producers"));
    this.#active.recover(options.segmentBytes, (batch) => this.#producers.add(batch));
    this.high = this.#active.next;
  }

  /** Offset of the first record. */
  get start(): number {
    return this.#segments[0]!.base;
  }

  /** Stores a batch. Returns its first offset, once it is as durable as the options say. */
  async append(bytes: Buffer): Promise<number> {
    checkBatch(bytes, this.#options.maxBatchBytes);
    const { base, end } = await this.#turns.run(() => this.#store(bytes));
    if (this.#options.syncAlways) await this.sync();
    if (end > this.high) {
      this.high = end;
      for (const wake of [...this.waiting]) wake();
    }
    return base;
  }

  /** The batches from `offset` on: at most `most` bytes, but one batch at least if `whole`. */
  async read(offset: number, most: number, whole: boolean): Promise<Slice | undefined> {
    if (offset < this.start || offset > this.high) {
      throw new Refusal(Code.OFFSET_OUT_OF_RANGE, `${offset} in ${this.start}..${this.high}`);
    }
    if (offset === this.high) return undefined;
    const index = this.#segments.findLastIndex(({ base }) => base <= offset);
    const segment = this.#segments[index]!;
    const complete = (this.#segments[index + 1]?.base ?? segment.next) <= this.high;
    const written = segment.size;
    return await segment.use(async () => {
      const { position, size } = await segment.find(offset);
      if (size > most && !whole) return undefined;
      // What is written but not yet on the disk is not shown.
      const end = complete ? written : (await segment.find(this.high)).position;
      return end > position ? segment.slice(position, Math.max(most, size), end) : undefined;
    });
  }

  /** The first batch that is not older than `timestamp`. */
  async findTime(timestamp: number): Promise<Batch | undefined> {
    for (const segment of [...this.#segments]) {
      const found = await segment.use(() => segment.findTime(timestamp));
      if (found !== undefined && found.base < this.high) return found;
    }
    return undefined;
  }

  /** Writes everything to the disk. All who call during a sync share the next one. */
  sync(): Promise<void> {
    return this.#nextSync ??= this.#syncs.run(async () => {
      this.#nextSync = undefined;
      if (this.#failure !== undefined) throw this.#failure;
      if (!this.#dirty) return;
      this.#dirty = false;
      await sync(this.#active.fd);
    }).catch((error) => {
      // The kernel may have dropped the pages it could not write, so a later sync proves nothing.
      this.#failure = error;
      throw new Refusal(Code.STORAGE_ERROR, "Cannot sync", error);
    });
  }

  /** Removes the oldest segments that exceed the size or the age. */
  async retain(now: number): Promise<void> {
    const { retentionBytes, retentionMs } = this.#options;
    const old = (segment: Segment) => now - segment.written > retentionMs;
    if (this.#active.size > 0 && old(this.#active)) await this.#turns.run(() => this.#roll());
    let total = this.#segments.reduce((sum, { size }) => sum + size, 0);
    while (this.#segments.length > 1) {
      const [first] = this.#segments as [Segment];
      if (total - first.size < retentionBytes && !old(first)) break;
      total -= first.size;
      this.#segments.shift();
      first.remove();
    }
  }

  /** Waits for what is being written, and writes it to the disk. */
  async close(): Promise<void> {
    await this.#turns.run(() => {});
    await this.sync().catch(() => {});
  }

  get #active(): Segment {
    return this.#segments.at(-1)!;
  }

  async #store(bytes: Buffer): Promise<{ base: number; end: number }> {
    if (this.#failure !== undefined) {
      throw new Refusal(Code.STORAGE_ERROR, "The disk has failed", this.#failure);
    }
    const sent = batchAt(bytes, 0);
    const count = sent.next - sent.base;
    const known = this.#producers.check(sent, count);
    if (known !== undefined) return { base: known, end: known + count };
    try {
      const { size } = this.#active;
      if (size > 0 && size + bytes.length > this.#options.segmentBytes) await this.#roll();
      place(bytes, this.#active.next);
      const batch = batchAt(bytes, 0);
      await this.#active.append(bytes, batch);
      this.#dirty = true;
      this.#producers.add(batch);
      return { base: batch.base, end: batch.next };
    } catch (error) {
      throw new Refusal(Code.STORAGE_ERROR, "Cannot write", error);
    }
  }

  /** Completes the segment on the disk before the next one exists: only the last can be torn. */
  async #roll(): Promise<void> {
    await this.sync();
    const before = this.#active;
    const segment = new Segment(this.#folder, before.next);
    this.#producers.save(segment.path("producers"));
    segment.recover(this.#options.segmentBytes, () => {});
    before.complete();
    this.#segments.push(segment);
  }
}
