/** Decides whether to poll for completions or to sleep until one is reported. @module */

/**
 * Small operations in flight above which polling is tried: the caller then runs many of them, not
 * one at a time.
 */
const DEPTH = 8;

/**
 * Longest wait, last or current, for which polling is worthwhile, in milliseconds: a fast disk and
 * small operations.
 */
const LOOK_MS = 0.6;

/**
 * Predicts the next wait from the last one.
 *
 * Falling asleep and waking up is slow on a virtual machine, and the disk is idle meanwhile if all
 * completions arrive together. While polling, the event loop keeps turning, so all other work runs
 * as usual. See `npm run bench -- direct`.
 */
export class BusyPollPolicy {
  /** Time of the first poll without a completion; 0 once there is one. */
  #sinceMs = 0;
  #short = false;
  readonly #now: () => number;

  /** Starts without knowledge; `now` returns the time in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Whether to poll again in the next turn of the event loop.
   *
   * @param running Small operations in flight.
   */
  lasts(running: number): boolean {
    if (this.#sinceMs === 0) this.#sinceMs = this.#now();
    else if (this.#short && this.#now() - this.#sinceMs >= LOOK_MS) this.#short = false;
    return this.#short && running >= DEPTH;
  }

  /** An operation has completed. */
  reward(): void {
    if (this.#sinceMs === 0) return;
    this.#short = this.#now() - this.#sinceMs < LOOK_MS;
    this.#sinceMs = 0;
  }
}
