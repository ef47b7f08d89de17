/** What of a file may be sent now without waiting for the disk. @module */

import { bringIn, resident, STRIDE } from "./prefetch.ts";

/**
 * Windows in a row that were in the page cache before it is asked about less often, and how often
 * then: three questions for each window instead of nine, each a system call. A gap that is
 * overlooked holds up the loop for one short read.
 */
const TRUSTED = 8;
const TRUSTED_STRIDE = 256 * 1024;

/** Bytes that a thread reads in at once; as many again are read while these are sent. */
export const PORTION: number = 1024 * 1024;

/** Portions in a row that need not be waited for before the thread is no longer sent ahead. */
const WARM_PORTIONS = 32;

/**
 * Keeps one sequential reader of a file away from the disk.
 *
 * After the first page that is missing a thread goes ahead, and this one no longer asks: whoever first
 * touches what the kernel has read ahead sets off the next reading ahead, and pays for it.
 */
export class ReadAhead {
  /** Settles once no thread reads the file on our behalf: only then may it be closed. */
  idle: Promise<void> = Promise.resolve();
  readonly #file: number;
  /** Bytes before this one were in the page cache when last asked. */
  #warm: number;
  #warmWindows = 0;
  /** Whether a thread goes ahead, and how far. */
  #led = false;
  #end = 0;
  /** The portion that is being read, or that could not be read and is still to be met. */
  #reading: Promise<void> | undefined;
  #warmPortions = 0;

  constructor(file: number, start: number) {
    this.#file = file;
    this.#warm = start;
  }

  /** How many of the `wanted` bytes at `position` are in the page cache. */
  open(position: number, wanted: number): number {
    this.#warm = Math.max(this.#warm, position);
    if (this.#led) this.#goAhead(position);
    else if (position + wanted > this.#warm) this.#ask(position + wanted - this.#warm);
    return Math.min(wanted, this.#warm - position);
  }

  #ask(needed: number): void {
    const stride = this.#warmWindows < TRUSTED ? STRIDE : TRUSTED_STRIDE;
    const found = resident(this.#file, this.#warm, needed, stride);
    this.#warmWindows = found < needed ? 0 : this.#warmWindows + 1;
    this.#warm += found;
  }

  #goAhead(position: number): void {
    const near = this.#warm - position < PORTION && this.#warm < this.#end;
    if (near && this.#reading === undefined) this.#read(this.#warm);
  }

  /**
   * Has a thread read some of the `length` bytes at `position` into the page cache. Up to
   * {@linkcode PORTION} bytes more of them are read in when `open` comes near.
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
      // Counts as warm even if it is gone again: better to wait for the disk once than to ask for ever.
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
