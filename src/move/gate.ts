/** What of a file may be sent now without waiting for the disk. @module */

import { bringIn, resident, STRIDE, WINDOW } from "../wait/residency.ts";

/**
 * Windows in a row that were in the page cache before it is asked about less often, and how often
 * then: three questions for each window instead of nine, each a system call. A gap that is
 * overlooked holds up the loop for one short read.
 */
const TRUSTED = 8;
const TRUSTED_STRIDE = 256 * 1024;

/** Keeps one sequential reader of a file away from the disk. */
export class Gate {
  /** Settles once no thread reads the file on our behalf: only then may it be closed. */
  idle: Promise<void> = Promise.resolve();
  readonly #file: number;
  /** Bytes before this one were in the page cache when last asked. */
  #warm: number;
  #warmWindows = 0;

  constructor(file: number, start: number) {
    this.#file = file;
    this.#warm = start;
  }

  /** How many of the `wanted` bytes at `position` are in the page cache. */
  open(position: number, wanted: number): number {
    this.#warm = Math.max(this.#warm, position);
    const needed = position + wanted - this.#warm;
    if (needed > 0) this.#ask(needed);
    return Math.min(wanted, this.#warm - position);
  }

  #ask(needed: number): void {
    const stride = this.#warmWindows < TRUSTED ? STRIDE : TRUSTED_STRIDE;
    const found = resident(this.#file, this.#warm, needed, stride);
    this.#warmWindows = found < needed ? 0 : this.#warmWindows + 1;
    this.#warm += found;
  }

  /** Has a thread read `length` bytes at `position`, at most one window, into the page cache. */
  async fill(position: number, length: number): Promise<void> {
    const count = Math.min(length, WINDOW);
    const reading = bringIn(this.#file, position, count);
    this.idle = reading.catch(() => {});
    await reading;
    // Counts as warm even if it is gone again: better to wait for the disk once than to ask for ever.
    this.#warm = Math.max(this.#warm, position + count);
  }
}
