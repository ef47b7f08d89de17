/** Limits how long one target may hold up the others. @module */

/**
 * Share of the time that one target may cost the others in the long run. With only a limit per
 * stall, a target that recovers briefly and stops again would cost them nearly all of it.
 */
const SHARE = 0.02;

/** A budget of milliseconds that refills slowly. All times are those of `performance.now()`. */
export class StallBudget {
  readonly #most: number;
  #ms: number;
  #asOf: number;

  /** Starts full; `most` may be `Infinity`. */
  constructor(most: number, now: number) {
    this.#most = most;
    this.#ms = most;
    this.#asOf = now;
  }

  /** Budget left at `now`. */
  left(now: number): number {
    if (now > this.#asOf) {
      this.#ms = Math.min(this.#most, this.#ms + (now - this.#asOf) * SHARE);
      this.#asOf = now;
    }
    return this.#ms;
  }

  /** Charges a stall that ends at `now`. */
  spend(ms: number, now: number): void {
    this.#ms = Math.max(0, this.left(now) - ms);
  }
}
