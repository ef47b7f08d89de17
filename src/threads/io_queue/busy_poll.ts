/** Whether to look for completions again and again, or to go to sleep until one is told. @module */

/**
 * Small operations in flight from which looking is tried: somebody wants many of them done, rather than one
 * of them at times.
 */
const DEPTH = 8;

/**
 * What the last wait may have taken, and this one may take, when somebody looks instead of sleeping, in
 * milliseconds: a fast disk and small operations. A virtual disk that answers 32 reads of 4 KiB at once
 * takes 0.4 for that.
 */
const LOOK_MS = 0.6;

/**
 * Learns from the last wait what the next one will be.
 *
 * To fall asleep and to be woken takes 50 to 100 microseconds on a virtual machine, in which the disk
 * has nothing to do when all completions come together. While nobody sleeps the event loop goes round
 * all the time: whatever else there is to do is done as ever.
 */
export class BusyPollPolicy {
  /** When there was nothing to take for the first time; 0 when there is. */
  #sinceMs = 0;
  #short = false;
  readonly #now: () => number;

  /** Knows nothing yet; `now` tells the time in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Whether to look again in the next turn of the event loop.
   *
   * @param running Small operations in flight.
   */
  lasts(running: number): boolean {
    if (this.#sinceMs === 0) this.#sinceMs = this.#now();
    else if (this.#short && this.#now() - this.#sinceMs >= LOOK_MS) this.#short = false;
    return this.#short && running >= DEPTH;
  }

  /** Something has completed. */
  reward(): void {
    if (this.#sinceMs === 0) return;
    this.#short = this.#now() - this.#sinceMs < LOOK_MS;
    this.#sinceMs = 0;
  }
}
