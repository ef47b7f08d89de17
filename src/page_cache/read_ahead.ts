/** Decides how much of a file may be sent now without waiting for the disk. @module */

import { bringIn } from "./prefetch.ts";
import { resident, STRIDE, WINDOW } from "./resident.ts";

/**
 * After this many cached windows in a row, probe less often, with this stride: three system calls
 * per window instead of nine. A gap that is missed blocks the loop for one short read.
 */
const TRUSTED = 8;
const TRUSTED_STRIDE = 256 * 1024;

/** Bytes that a thread reads at once; it reads as many again while these are sent. */
export const PORTION: number = 1024 * 1024;

/** Portions in a row that were already cached, after which the thread stops reading ahead. */
const WARM_PORTIONS = 32;

/**
 * Keeps one sequential reader of a file away from the disk.
 *
 * After the first missing page, a thread reads ahead and this one stops probing. The first access
 * to a page that the kernel has read ahead triggers the next readahead, and pays for it.
 */
export class ReadAhead {
  /** Settles once no thread reads the file for us: only then may you close it. */
  idle: Promise<void> = Promise.resolve();
  readonly #file: number;
  /** Bytes before this offset were in the page cache at the last probe. */
  #warm: number;
  #warmWindows = 0;
  /** Whether a thread reads ahead, and up to which offset. */
  #led = false;
  #end = 0;
  /** The read in progress, or a failed one whose error is still to be reported. */
  #reading: Promise<void> | undefined;
  #warmPortions = 0;

  constructor(file: number, start: number) {
    this.#file = file;
    this.#warm = start;
  }

  /** Number of the `wanted` bytes at `position` that are in the page cache. */
  open(position: number, wanted: number): number {
    this.#warm = Math.max(this.#warm, position);
    if (this.#led) this.#goAhead(position);
    else if (position + wanted > this.#warm) this.#ask(position + wanted - this.#warm);
    return Math.min(wanted, this.#warm - position);
  }

  #ask(needed: number): void {
    const trusted = this.#warmWindows >= TRUSTED;
    // A socket that takes a part of a window would otherwise cost a probe for each part.
    const asked = trusted ? WINDOW : needed;
    const found = resident(this.#file, this.#warm, asked, trusted ? TRUSTED_STRIDE : STRIDE);
    this.#warmWindows = found < needed ? 0 : this.#warmWindows + 1;
    this.#warm += found;
  }

  #goAhead(position: number): void {
    const near = this.#warm - position < PORTION && this.#warm < this.#end;
    if (near && this.#reading === undefined) this.#read(this.#warm);
  }

  /**
   * Makes a thread read some of the `length` bytes at `position` into the page cache. Reads up to
   * {@linkcode PORTION} bytes more when `open` comes near them.
   */
  async fill(position: number, length: number): Promise<void> {
    this.#led = true;
    this.#end = position + length;
    if (this.#reading === undefined) this.#read(position);
    await this.#reading;
  }

  #read(from: number): void {
    const count = Math.min(this.#end - from, PORTION);
    const reading = bringIn(this.#file, from, count).then((waited) => {
      this.#reading = undefined;
      // Counts as cached even if it was evicted since: waiting for the disk once is better than
      // probing forever.
      this.#warm = Math.max(this.#warm, from + count);
      this.#warmPortions = waited ? 0 : this.#warmPortions + 1;
      if (this.#warmPortions < WARM_PORTIONS) return;
      this.#led = false;
      this.#warmWindows = this.#warmPortions = 0;
    });
    this.#reading = reading;
    this.idle = reading.catch(() => {});
  }
}
