/** What is known to be in the page cache, so that a hot file is not asked about again and again. @module */

import { ENXIO } from "../errno.ts";
import { Whence } from "../sys/flags/file.ts";
import { lseek } from "../sys/raw/files.ts";
import { resident, WINDOW } from "../page_cache/resident.ts";

/** For how long an answer is believed, in milliseconds: the kernel drops old pages first. */
const VALID_MS = 1000;

/** Answers that are remembered, a power of two. */
const SLOTS = 4096;

/** Windows of a file that have numbers of their own: 2^21 of 512 KiB are 1 TiB. */
const WINDOWS = 2 ** 21;

/** A file whose pages are asked about. */
export interface ResidentFile {
  readonly fd: number;
  /** Number of this opening: descriptors are used again, this is not. */
  readonly id: number;
  /** Bytes, when it was opened. */
  readonly size: number;
  /** Whether it has holes. */
  readonly sparse: boolean;
}

let lastId = 0;

/** A number for the opening of a file. */
export function newFileId(): number {
  return ++lastId;
}

/** As {@linkcode resident}; what lies in a hole of the file is there as well, for no disk has it. */
function there(file: ResidentFile, position: number, length: number): number {
  const count = resident(file.fd, position, length);
  // Only where there may be one: looking for it may take a look at the disk.
  if (count === length || !file.sparse) return count;
  // The position of the descriptor, which this moves, means nothing here.
  const data = lseek(file.fd, position + count, Whence.DATA);
  return data === ENXIO || data >= position + length ? length : count;
}

/** Remembers which windows of which files were resident a moment ago. */
export class ResidencyCache {
  readonly #keys = new Float64Array(SLOTS).fill(-1);
  readonly #times = new Float64Array(SLOTS);
  readonly #now: () => number;

  /** Tells time by `now`, in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Bytes from `position` on, at most `length`, that can be sent without waiting for the disk. */
  ready(file: ResidentFile, position: number, length: number): number {
    const window = Math.floor(position / WINDOW);
    // Only whole windows are remembered, and what lies in one of them.
    const left = Math.min(length, (window + 1) * WINDOW - position);
    const key = file.id * WINDOWS + window;
    const slot = (Math.imul(file.id, 0x9e3779b1) + window) & (SLOTS - 1);
    const now = this.#now();
    if (this.#keys[slot] === key && now - this.#times[slot]! < VALID_MS) return left;
    const start = window * WINDOW;
    const whole = Math.min(WINDOW, Math.max(0, file.size - start));
    // Of a large part the whole window is asked about at once, of a small one only itself.
    if (left * 4 < whole) return there(file, position, left);
    const count = there(file, position, left);
    if (count === left && position === start) {
      this.#keys[slot] = key;
      this.#times[slot] = now;
    }
    return count;
  }

  /** Believes that the window of a position is there: it has just been read. */
  warm(file: ResidentFile, position: number): void {
    const window = Math.floor(position / WINDOW);
    const slot = (Math.imul(file.id, 0x9e3779b1) + window) & (SLOTS - 1);
    this.#keys[slot] = file.id * WINDOWS + window;
    this.#times[slot] = this.#now();
  }
}
