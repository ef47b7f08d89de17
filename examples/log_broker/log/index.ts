/**
 * The sparse index of a segment, mapped into memory: an entry for every 4 KiB of the log at most.
 *
 * Without foreign calls, it is an array, and written when the segment is complete.
 *
 * @module
 */

import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { MappedFile } from "../../../src/mod.ts";
import { map } from "./files.ts";

/** Bytes of the log between two entries, at least. */
export const INTERVAL = 4096;
/** Offset in the segment (4), position (4), and the largest timestamp before it (8). */
const ENTRY_BYTES = 16;

/** Where a batch begins. */
export interface Entry {
  /** Offset, relative to the base of the segment. */
  readonly offset: number;
  readonly position: number;
}

/** An index; entries are added in order. */
export class Index {
  readonly #path: string;
  readonly #map: MappedFile | undefined;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #count: number;

  private constructor(path: string, content: MappedFile | Uint8Array, count: number) {
    this.#path = path;
    this.#map = content instanceof MappedFile ? content : undefined;
    this.#bytes = content instanceof MappedFile ? content.bytes : content;
    const { buffer, byteOffset, length } = this.#bytes;
    this.#view = new DataView(buffer, byteOffset, length);
    this.#count = count;
  }

  /** Creates an empty index for a segment of at most `logBytes`. */
  static create(path: string, logBytes: number): Index {
    const length = (Math.ceil(logBytes / INTERVAL) + 2) * ENTRY_BYTES;
    rmSync(path, { force: true });
    writeFileSync(path, "");
    return new Index(path, map(path, { access: "write", length }) ?? new Uint8Array(length), 0);
  }

  /** Opens the index of a complete segment. */
  static open(path: string): Index {
    const content = map(path) ?? readFileSync(path);
    const index = new Index(path, content, Math.floor(content.length / ENTRY_BYTES));
    // A kill before complete() leaves room at the end.
    while (index.#count > 1 && index.#position(index.#count - 1) === 0) index.#count--;
    return index;
  }

  /** Adds a batch if it is far enough from the last entry. */
  add({ offset, position }: Entry, largestBefore: number): void {
    const at = this.#count * ENTRY_BYTES;
    if (this.#count > 0 && position - this.#position(this.#count - 1) < INTERVAL) return;
    this.#view.setUint32(at, offset);
    this.#view.setUint32(at + 4, position);
    this.#view.setFloat64(at + 8, largestBefore);
    this.#count++;
  }

  /** The last entry at or before `offset`. */
  findOffset(offset: number): Entry {
    return this.#last((i) => this.#view.getUint32(i * ENTRY_BYTES) <= offset);
  }

  /** The last entry at or before `position`. */
  findPosition(position: number): Entry {
    return this.#last((i) => this.#position(i) <= position);
  }

  /** The last entry before which all timestamps are smaller than `timestamp`. */
  findTime(timestamp: number): Entry {
    return this.#last((i) => this.#view.getFloat64(i * ENTRY_BYTES + 8) < timestamp);
  }

  /** Gives the file its final length. */
  complete(): void {
    const length = this.#count * ENTRY_BYTES;
    if (this.#map === undefined) return writeFileSync(this.#path, this.#bytes.subarray(0, length));
    this.#map.flush();
    this.#map.close();
    truncateSync(this.#path, length);
  }

  /** Unmaps it. */
  close(): void {
    this.#map?.close();
  }

  #position(i: number): number {
    return this.#view.getUint32(i * ENTRY_BYTES + 4);
  }

  #last(holds: (i: number) => boolean): Entry {
    let [low, high] = [0, this.#count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(middle)) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return { offset: 0, position: 0 };
    const offset = this.#view.getUint32((low - 1) * ENTRY_BYTES);
    return { offset, position: this.#position(low - 1) };
  }
}
