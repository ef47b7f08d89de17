/** A segment: a file of batches whose name is the offset of the first one, and its index. @module */

import { Buffer } from "node:buffer";
import {
  closeSync,
  constants,
  fdatasync,
  ftruncateSync,
  openSync,
  read,
  rmSync,
  write,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Batch, batchAt, HEADER_BYTES } from "./batch.ts";
import { Index } from "./index.ts";
import { scan } from "./scan.ts";

const [readAt, writeAt, sync] = [promisify(read), promisify(write), promisify(fdatasync)];

/** A part of a segment that is to be sent. */
export interface Slice {
  readonly segment: Segment;
  readonly start: number;
  readonly length: number;
}

/** A segment. Complete ones open their files at the first use. */
export class Segment {
  readonly base: number;
  /** Bytes. */
  size: number;
  /** When it was last written to, in milliseconds since 1970. */
  written: number;
  /** Its largest batch in bytes, if known. */
  largest: number = Infinity;
  /** Its largest timestamp, while it is written. */
  maxTimestamp: number = -1;
  readonly #folder: string;
  #fd = -1;
  #index: Index | undefined;
  #users = 0;
  #removed = false;

  /** A segment whose files exist. */
  constructor(folder: string, base: number, size: number, written: number) {
    this.#folder = folder;
    this.base = base;
    this.size = size;
    this.written = written;
  }

  /** Creates the files of a new segment, or empties the index of one that is recovered. */
  static create(folder: string, base: number, maxBytes: number): Segment {
    const segment = new Segment(folder, base, 0, Date.now());
    segment.largest = 0;
    segment.#index = Index.create(segment.path("index"), maxBytes);
    segment.#fd = openSync(segment.path("log"), constants.O_RDWR | constants.O_CREAT);
    return segment;
  }

  /** The descriptor of its log. */
  get fd(): number {
    if (this.#fd < 0) this.#fd = openSync(this.path("log"), "r");
    return this.#fd;
  }

  /** The path of one of its files. */
  path(extension: "log" | "index" | "producers"): string {
    return join(this.#folder, `${String(this.base).padStart(20, "0")}.${extension}`);
  }

  /** Where `offset` is: the position and the size of its batch. */
  async find(offset: number): Promise<{ position: number; size: number }> {
    const entry = this.#entries.findOffset(offset - this.base);
    // Consumers mostly ask for a batch that the index knows. Then only a limit below the largest
    // batch makes its size matter.
    if (entry.offset === offset - this.base && this.largest < Infinity) {
      return { position: entry.position, size: this.largest };
    }
    const found = await this.#seek(entry.position, (batch) => batch.next > offset);
    return { position: found.position, size: found.batch!.size };
  }

  /** The first batch with a timestamp of at least `timestamp`, if there is one. */
  async findTime(timestamp: number): Promise<Batch | undefined> {
    const { position } = this.#entries.findTime(timestamp);
    return (await this.#seek(position, (batch) => batch.maxTimestamp >= timestamp)).batch;
  }

  /** The part from `start` with at most `most` bytes; ends between two batches. */
  slice(start: number, most: number, end: number): Slice {
    if (end - start <= most) return { segment: this, start, length: end - start };
    const { position } = this.#entries.findPosition(start + most);
    return { segment: this, start, length: position > start ? position - start : most };
  }

  /** Appends a batch. If that fails, the segment is as before. */
  async append(bytes: Buffer, batch: Batch): Promise<void> {
    try {
      for (let done = 0; done < bytes.length;) {
        const left = bytes.length - done;
        done += (await writeAt(this.fd, bytes, done, left, this.size + done)).bytesWritten;
      }
    } catch (error) {
      ftruncateSync(this.fd, this.size);
      throw error;
    }
    this.add(batch);
    this.written = Date.now();
  }

  /** Counts a batch that is in the file. */
  add(batch: Batch): void {
    const entry = { offset: batch.base - this.base, position: this.size };
    this.#entries.add(entry, this.maxTimestamp);
    this.size += batch.size;
    this.largest = Math.max(this.largest, batch.size);
    this.maxTimestamp = Math.max(this.maxTimestamp, batch.maxTimestamp);
  }

  /** Writes it to the disk. */
  sync(): Promise<void> {
    return sync(this.fd);
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
    for (const extension of ["log", "index", "producers"] as const) {
      rmSync(this.path(extension), { force: true });
    }
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

  get #entries(): Index {
    return this.#index ??= this.#openIndex();
  }

  /** A lost index is made anew. */
  #openIndex(): Index {
    try {
      return Index.open(this.path("index"));
    } catch {
      const index = Index.create(this.path("index"), this.size);
      let largest = -1;
      scan(this.fd, this.base, this.size, (batch, position) => {
        index.add({ offset: batch.base - this.base, position }, largest);
        largest = Math.max(largest, batch.maxTimestamp);
      });
      index.complete();
      return Index.open(this.path("index"));
    }
  }

  /** The first batch from `position` on for which `wanted` holds. */
  async #seek(
    position: number,
    wanted: (batch: Batch) => boolean,
  ): Promise<{ position: number; batch: Batch | undefined }> {
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    while (position < this.size) {
      const { bytesRead } = await readAt(this.fd, header, 0, HEADER_BYTES, position);
      if (bytesRead < HEADER_BYTES) throw new Error(`${this.path("log")} was cut from outside`);
      const batch = batchAt(header, 0);
      if (wanted(batch)) return { position, batch };
      position += batch.size;
    }
    return { position, batch: undefined };
  }
}
