/** Who is waited for, and for how long. @module */

import type { Branch } from "./branch.ts";

/** The targets that have no room for the next chunk. All times are those of `performance.now()`. */
export class Waiting {
  readonly #branches = new Set<Branch>();
  /** Since when they hold somebody up, or -1. */
  #since = -1;

  /** How many there are. */
  get size(): number {
    return this.#branches.size;
  }

  /** Whether they hold somebody up. */
  get held(): boolean {
    return this.#since >= 0;
  }

  /** One more has no room. */
  add(branch: Branch): void {
    this.#branches.add(branch);
  }

  /** One has room again, or is gone; what the wait has cost the others is taken from its patience. */
  delete(branch: Branch): void {
    if (!this.#branches.delete(branch) || !this.held) return;
    const now = performance.now();
    branch.patience.spend(now - this.#since, now);
  }

  /** From now on they hold somebody up. */
  hold(): void {
    if (!this.held) this.#since = performance.now();
  }

  /** Nobody waits any more. */
  release(): void {
    this.#since = -1;
  }

  /** Milliseconds until the patience with one of them is over; `Infinity` while nobody waits. */
  least(): number {
    if (!this.held) return Infinity;
    const held = performance.now() - this.#since;
    let least = Infinity;
    for (const { patience } of this.#branches) {
      least = Math.min(least, patience.left(this.#since) - held);
    }
    return Math.max(0, least);
  }

  /** Removes those with whom it is over. */
  expired(): Branch[] {
    if (!this.held) return [];
    const held = performance.now() - this.#since;
    const over = [...this.#branches].filter(({ patience }) => patience.left(this.#since) <= held);
    for (const branch of over) this.delete(branch);
    return over;
  }
}
