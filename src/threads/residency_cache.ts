/** Remembers what is in the page cache, so that hot files are not probed repeatedly. @module */

import { ENXIO } from "../errno.ts";
import { Whence } from "../sys/flags/file.ts";
import { lseek } from "../sys/raw/files.ts";
import { resident, WINDOW } from "../page_cache/resident.ts";

/** Milliseconds for which an answer stays valid: the kernel evicts old pages first. */
const VALID_MS = 1000;

/** Number of answers remembered, a power of two. */
const SLOTS = 4096;

/** Windows of a file with distinct keys: 2^21 windows of 512 KiB are 1 TiB. */
const WINDOWS = 2 ** 21;

/** A file to probe. */
export interface ResidentFile {
  readonly fd: number;
  /** Unique ID of this opening; unlike descriptors, IDs are never reused. */
  readonly id: number;
  /** Size in bytes when it was opened. */
  readonly size: number;
  /** Whether the file has holes. */
  readonly sparse: boolean;
}

let lastId = 0;

/** Returns an ID for the opening of a file. */
export function newFileId(): number {
  return ++lastId;
}

/** Like {@linkcode resident}, but also counts holes, which no disk stores. */
function there(file: ResidentFile, position: number, length: number): number {
  const count = resident(file.fd, position, length);
  // Only for sparse files: looking for a hole may access the disk.
  if (count === length || !file.sparse) return count;
  // This moves the descriptor's position, which nothing here uses.
  const data = lseek(file.fd, position + count, Whence.DATA);
  return data === ENXIO || data >= position + length ? length : count;
}

/** Remembers which windows of which files were recently resident. */
export class ResidencyCache {
  readonly #keys = new Float64Array(SLOTS).fill(-1);
  readonly #times = new Float64Array(SLOTS);
  readonly #now: () => number;

  /** `now` returns the time in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Number of bytes from `position` on, at most `length`, that can be sent without waiting for the
   * disk.
   */
  ready(file: ResidentFile, position: number, length: number): number {
    const window = Math.floor(position / WINDOW);
    // Remembers whole windows only; a request may cover part of one.
    const left = Math.min(length, (window + 1) * WINDOW - position);
    const key = file.id * WINDOWS + window;
    const slot = (Math.imul(file.id, 0x9e3779b1) + window) & (SLOTS - 1);
    const now = this.#now();
    if (this.#keys[slot] === key && now - this.#times[slot]! < VALID_MS) return left;
    const start = window * WINDOW;
    const whole = Math.min(WINDOW, Math.max(0, file.size - start));
    // For a large part, probe the whole window; for a small part, only itself.
    if (left * 4 < whole) return there(file, position, left);
    const count = there(file, position, left);
    if (count === left && position === start) {
      this.#keys[slot] = key;
      this.#times[slot] = now;
    }
    return count;
  }

  /** Marks the window of a position as resident: it has just been read. */
  warm(file: ResidentFile, position: number): void {
    const window = Math.floor(position / WINDOW);
    const slot = (Math.imul(file.id, 0x9e3779b1) + window) & (SLOTS - 1);
    this.#keys[slot] = file.id * WINDOWS + window;
    this.#times[slot] = this.#now();
  }
}
