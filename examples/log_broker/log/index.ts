/**
 * The sparse index of a segment, mapped into memory: an entry for every 4 KiB of the log at most.
 *
 * Without foreign calls, it is an array, and written when the segment is complete.
 *
 * @module
 */

import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import type { MappedFile } from "../../../src/mod.ts";
import { map } from "./files.ts";

/** Bytes of the log between two entries, at least. */
const INTERVAL = 4096;
/**
 * Numbers of an entry, which grow from entry to entry: the offset in the segment, the position in
 * the file, and the largest timestamp before it.
 */
const FIELDS = ["offset", "position", "time"] as const;
type Field = typeof FIELDS[number];

/** An index; entries are added in order. */
export class Index {
  readonly #path: string;
  readonly #map: MappedFile | undefined;
  readonly #numbers: Float64Array;
  #count = 0;

  private constructor(path: string, mapped: MappedFile | undefined, bytes: Uint8Array) {
    [this.#path, this.#map] = [path, mapped];
    this.#numbers = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 3);
  }

  /** Creates an empty index for a segment of at most `logBytes`. */
  static create(path: string, logBytes: number): Index {
    const length = (Math.ceil(logBytes / INTERVAL) + 2) * FIELDS.length * 8;
    rmSync(path, { force: true });
    writeFileSync(path, "");
    const mapped = map(path, { access: "write", length });
    return new Index(path, mapped, mapped?.bytes ?? new Uint8Array(length));
  }

  /** Opens the index of a complete segment. */
  static open(path: string): Index {
    const mapped = map(path);
    const index = new Index(path, mapped, mapped?.bytes ?? new Uint8Array(readFileSync(path)));
    index.#count = Math.floor(index.#numbers.length / FIELDS.length);
    if (index.#count === 0) throw new Error(`${path} is empty`);
    // A kill before complete() leaves room at the end.
    while (index.#count > 1 && index.#get(index.#count - 1, "position") === 0) index.#count--;
    return index;
  }

  /** Adds a batch if it is far enough from the last entry. */
  add(offset: number, position: number, largestBefore: number): void {
    const last = this.#count - 1;
    if (last >= 0 && position - this.#get(last, "position") < INTERVAL) return;
    this.#numbers.set([offset, position, largestBefore], this.#count++ * FIELDS.length);
  }

  /** The last entry whose `field` is at most `limit`, else the first one. */
  find(field: Field, limit: number): { offset: number; position: number } {
    let [low, high] = [0, this.#count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#get(middle, field) <= limit) low = middle + 1;
      else high = middle;
    }
    const found = Math.max(low - 1, 0);
    return { offset: this.#get(found, "offset"), position: this.#get(found, "position") };
  }

  /** Gives the file its final length. */
  complete(): void {
    const used = this.#count * FIELDS.length;
    this.#map?.flush();
    if (this.#map === undefined) writeFileSync(this.#path, this.#numbers.subarray(0, used));
    this.close();
    truncateSync(this.#path, used * 8);
  }

  /** Unmaps it. */
  close(): void {
    this.#map?.close();
  }

  #get(entry: number, field: Field): number {
    return this.#numbers[entry * FIELDS.length + FIELDS.indexOf(field)]!;
  }
}
