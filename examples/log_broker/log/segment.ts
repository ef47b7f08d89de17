/** A segment: a file of batches whose name is the offset of the first one, and its index. @module */

import { Buffer } from "node:buffer";
import { closeSync, constants, ftruncateSync, openSync, read, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Batch, batchAt, eachIntact, HEADER_BYTES } from "./batch.ts";
import { append, withBytes } from "./files.ts";
import { Index } from "./index.ts";

const readAt = promisify(read);
const EXTENSIONS = ["log", "entries", "producers"] as const;

/** A part of a segment that is to be sent. */
export type Slice = { readonly segment: Segment; readonly start: number; readonly length: number };

type Found = { readonly position: number; readonly batch?: Batch };

/** A segment. Complete ones open their files at the first use. */
export class Segment {
  readonly base: number;
  /** Offset after its last record, while it is written. */
  next: number;
  /** Bytes. */
  size: number;
  /** When it was last written to, in milliseconds since 1970. */
  written: number;
  readonly #folder: string;
  /** Its largest batch in bytes, if known, and its largest timestamp, while it is written. */
  #largest = Infinity;
  #maxTimestamp = -1;
  #fd = -1;
  #index: Index | undefined;
  #users = 0;
  #removed = false;

  /** A segment that exists, or one that {@linkcode recover} creates. */
  constructor(folder: string, base: number) {
    this.#folder = folder;
    this.base = this.next = base;
    const found = statSync(this.path("log"), { throwIfNoEntry: false });
    this.size = found?.size ?? 0;
    this.written = found?.mtimeMs ?? Date.now();
  }

  /** Opens it for writing: counts its intact batches, and cuts what follows them. */
  recover(maxBytes: number, each: (batch: Batch) => void): void {
    this.#fd = openSync(this.path("log"), constants.O_RDWR | constants.O_CREAT);
    this.#makeIndex(maxBytes, each);
    ftruncateSync(this.#fd, this.size);
  }

  /** The descriptor of its log. */
  get fd(): number {
    if (this.#fd < 0) this.#fd = openSync(this.path("log"), "r");
    return this.#fd;
  }

  /** The path of one of its files. */
  path(extension: typeof EXTENSIONS[number]): string {
    return join(this.#folder, `${String(this.base).padStart(20, "0")}.${extension}`);
  }

  /** Where `offset` is: the position and the size of its batch. */
  async find(offset: number): Promise<{ position: number; size: number }> {
    const entry = this.#entries.find("offset", offset - this.base);
    // Consumers mostly ask for a batch that the index knows. Then only a limit below the largest
    // batch makes its size matter.
    if (entry.offset === offset - this.base && this.#largest < Infinity) {
      return { position: entry.position, size: this.#largest };
    }
    const found = await this.#seek(entry.position, (batch) => batch.next > offset);
    return { position: found.position, size: found.batch!.size };
  }

  /** The first batch with a timestamp of at least `timestamp`, if there is one. */
  async findTime(timestamp: number): Promise<Batch | undefined> {
    const { position } = this.#entries.find("time", timestamp - 1);
    return (await this.#seek(position, (batch) => batch.maxTimestamp >= timestamp)).batch;
  }

  /** The part from `start` with at most `most` bytes; ends between two batches. */
  slice(start: number, most: number, end: number): Slice {
    if (end - start <= most) return { segment: this, start, length: end - start };
    const { position } = this.#entries.find("position", start + most);
    return { segment: this, start, length: position > start ? position - start : most };
  }

  /** Appends a batch. If that fails, the segment is as before. */
  async append(bytes: Buffer, batch: Batch): Promise<void> {
    await append(this.fd, this.size, bytes);
    this.#add(batch);
    this.written = Date.now();
  }

  /** Ends its index: no batch follows. */
  complete(): void {
    this.#index?.complete();
    this.#index = undefined;
  }

  /** Keeps the file open during `task`. */
  async use<T>(task: () => Promise<T>): Promise<T> {
    this.#users++;
    try {
      return await task();
    } finally {
      if (--this.#users === 0 && this.#removed) this.close();
    }
  }

  /** Removes its files; those who send it finish. */
  remove(): void {
    for (const extension of EXTENSIONS) rmSync(this.path(extension), { force: true });
    this.#removed = true;
    if (this.#users === 0) this.close();
  }

  /** Closes its files. */
  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    this.#index?.close();
    this.#index = undefined;
  }

  /** A lost index is made anew. */
  get #entries(): Index {
    try {
      return this.#index ??= Index.open(this.path("entries"));
    } catch {
      this.#makeIndex(this.size, () => {});
      this.complete();
      return this.#index = Index.open(this.path("entries"));
    }
  }

  #makeIndex(maxBytes: number, each: (batch: Batch) => void): void {
    this.#index = Index.create(this.path("entries"), maxBytes);
    const { size } = this;
    this.size = this.#largest = 0;
    if (size === 0) return;
    withBytes(this.path("log"), (bytes) =>
      eachIntact(bytes, this.base, (batch) => {
        this.#add(batch);
        each(batch);
      }));
  }

  /** Counts a batch that is in the file. */
  #add(batch: Batch): void {
    this.#entries.add(batch.base - this.base, this.size, this.#maxTimestamp);
    this.next = batch.next;
    this.size += batch.size;
    this.#largest = Math.max(this.#largest, batch.size);
    this.#maxTimestamp = Math.max(this.#maxTimestamp, batch.maxTimestamp);
  }

  /** The first batch from `position` on for which `wanted` holds. */
  async #seek(position: number, wanted: (batch: Batch) => boolean): Promise<Found> {
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    while (position < this.size) {
      const { bytesRead } = await readAt(this.fd, header, 0, HEADER_BYTES, position);
      if (bytesRead < HEADER_BYTES) throw new Error(`${this.path("log")} was cut from outside`);
      const batch = batchAt(header, 0);
      if (wanted(batch)) return { position, batch };
      position += batch.size;
    }
    return { position };
  }
}
