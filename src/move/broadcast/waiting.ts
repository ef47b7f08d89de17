/** Who is waited for, and for how long. @module */

import type { Branch } from "./branch.ts";
import { APART_BYTES } from "./lane_queue.ts";

/**
 * How long the others wait for one that can go on apart from them, in milliseconds: the kernel sends
 * a file for less while its readers stay together.
 */
const TOGETHER_MS = 20;

/** After so much time what went before counts half as much, in milliseconds. */
const MEMORY_MS = 2000;

/**
 * The targets that have no room for the next chunk. All times are those of `performance.now()`.
 *
 * While one of them alone holds up the others, its patience pays for the time in which it falls short
 * of the pace that the stream had before. Time alone would be no measure: where the processor is the
 * limit, somebody is always last, and catches up as soon as the others wait.
 */
export class Waiting {
  /** With what each had taken when the others began to wait. */
  readonly #branches = new Map<Branch, number>();
  /** Since when they hold the others up, or -1. */
  #since = -1;
  /** Bytes by which the stream has advanced, and the time that it took without such waits. */
  #bytes = 0;
  #ms = 0;
  #heldMs = 0;
  #advancedMs: number = performance.now();

  /** How many there are. */
  get size(): number {
    return this.#branches.size;
  }

  /** Whether they hold the others up. */
  get held(): boolean {
    return this.#since >= 0;
  }

  /** One more has no room. */
  add(branch: Branch): void {
    this.#branches.set(branch, branch.bytes);
  }

  /** One has room again, or is gone. */
  delete(branch: Branch): void {
    const bytes = this.#branches.get(branch);
    if (bytes === undefined) return;
    this.#branches.delete(branch);
    const now = performance.now();
    if (this.held) branch.patience.spend(this.#cost(branch, bytes, now), now);
  }

  /** From now on they hold the others up. */
  hold(): void {
    if (this.held) return;
    this.#since = performance.now();
    for (const branch of this.#branches.keys()) this.#branches.set(branch, branch.bytes);
  }

  /** Nobody waits any more. */
  release(): void {
    if (this.held) this.#heldMs += performance.now() - this.#since;
    this.#since = -1;
  }

  /** The stream has gone on by a chunk. */
  advanced(bytes: number): void {
    const now = performance.now();
    this.#ms += Math.max(0, now - this.#advancedMs - this.#heldMs);
    this.#bytes += bytes;
    this.#heldMs = 0;
    this.#advancedMs = now;
    if (this.#ms < MEMORY_MS) return;
    this.#ms /= 2;
    this.#bytes /= 2;
  }

  /** Milliseconds until the patience with one of them is over; `Infinity` while nobody waits. */
  least(): number {
    if (!this.held) return Infinity;
    const now = performance.now();
    let least = Infinity;
    for (const [branch, bytes] of this.#branches) {
      least = Math.min(least, this.#left(branch) - this.#cost(branch, bytes, now));
    }
    return Math.max(1, least);
  }

  /** Removes those with whom it is over; returns those that cannot go on apart from the others. */
  expired(): Branch[] {
    if (!this.held) return [];
    const now = performance.now();
    const over = [...this.#branches].filter(([branch, bytes]) =>
      this.#left(branch) <= this.#cost(branch, bytes, now)
    ).map(([branch]) => branch);
    for (const branch of over) this.delete(branch);
    return over.filter((branch) => !branch.queue.stretch(branch.bytes));
  }

  #left(branch: Branch): number {
    const left = branch.patience.left(this.#since);
    return left < Infinity && branch.queue.stretches ? Math.min(left, TOGETHER_MS) : left;
  }

  /**
   * What the wait has cost so far, less what the target took in it, at the pace of the stream; and
   * what one that went on apart has fallen behind, which would have been waited for.
   */
  #cost(branch: Branch, bytes: number, now: number): number {
    const pace = this.#bytes === 0 ? 0 : this.#ms / this.#bytes;
    const behind = branch.queue.apart ? APART_BYTES * pace : 0;
    return behind + Math.max(0, now - this.#since - (branch.bytes - bytes) * pace);
  }
}
