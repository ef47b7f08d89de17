/** Remembers what is in the page cache, so that hot files are not probed repeatedly. @module */

import { ENXIO } from "../errno.ts";
import { Whence } from "../sys/flags/file.ts";
import { lseek } from "../sys/raw/files.ts";
import { resident, WINDOW } from "../page_cache/resident.ts";

/** Milliseconds for which an answer stays valid: the kernel evicts old pages first. */
const VALID_MS = 1000;

/** Number of answers remembered, a power of two: one for each window of 4 GiB. */
const SLOTS = 8192;

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

/** Remembers which part of which window of which file was recently resident. */
export class ResidencyCache {
  readonly #keys = new Float64Array(SLOTS).fill(-1);
  readonly #times = new Float64Array(SLOTS);
  /** The part of the window, as offsets in it. */
  readonly #starts = new Int32Array(SLOTS);
  readonly #ends = new Int32Array(SLOTS);
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
    const start = position - window * WINDOW;
    // Answers are about one window; a request may cover part of it, or several.
    const end = Math.min(start + length, WINDOW);
    const key = file.id * WINDOWS + window;
    const slot = slotOf(file, window);
    const now = this.#now();
    const known = this.#keys[slot] === key && now - this.#times[slot]! < VALID_MS;
    if (known && this.#starts[slot]! <= start && end <= this.#ends[slot]!) return end - start;
    const count = there(file, position, end - start);
    if (count < end - start) return count;
    if (known && start <= this.#ends[slot]! && this.#starts[slot]! <= end) {
      // A longer part; the time stays that of the older answer.
      this.#starts[slot] = Math.min(this.#starts[slot]!, start);
      this.#ends[slot] = Math.max(this.#ends[slot]!, end);
    } else this.#remember(slot, key, start, end);
    return count;
  }

  /** Marks the window of a position as resident: it has just been read. */
  warm(file: ResidentFile, position: number): void {
    const window = Math.floor(position / WINDOW);
    this.#remember(slotOf(file, window), file.id * WINDOWS + window, 0, WINDOW);
  }

  #remember(slot: number, key: number, start: number, end: number): void {
    this.#keys[slot] = key;
    this.#times[slot] = this.#now();
    this.#starts[slot] = start;
    this.#ends[slot] = end;
  }
}

function slotOf({ id }: ResidentFile, window: number): number {
  return (Math.imul(id, 0x9e3779b1) + window) & (SLOTS - 1);
}
