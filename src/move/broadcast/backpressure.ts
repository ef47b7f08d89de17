/** Who is waited for, and for how long. @module */

import type { TargetQueue } from "./target_queue.ts";
import { APART_BYTES } from "./write_queue.ts";

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
 * While one of them alone holds up the others, its stall budget pays for the time in which it falls short
 * of the pace that the stream had before. Time alone would be no measure: where the processor is the
 * limit, somebody is always last, and catches up as soon as the others wait.
 */
export class BackpressureTracker {
  /** With what each had taken when the others began to wait. */
  readonly #targetQueues = new Map<TargetQueue, number>();
  /** Since when they hold the others up, or -1. */
  #since = -1;
  /** Bytes by which the stream has advanced, and the time that it took without such waits. */
  #bytes = 0;
  #ms = 0;
  #heldMs = 0;
  #advancedMs: number = performance.now();

  /** How many there are. */
  get size(): number {
    return this.#targetQueues.size;
  }

  /** Whether they hold the others up. */
  get held(): boolean {
    return this.#since >= 0;
  }

  /** One more has no room. */
  add(targetQueue: TargetQueue): void {
    this.#targetQueues.set(targetQueue, targetQueue.bytes);
  }

  /** One has room again, or is gone. */
  delete(targetQueue: TargetQueue): void {
    const bytes = this.#targetQueues.get(targetQueue);
    if (bytes === undefined) return;
    this.#targetQueues.delete(targetQueue);
    const now = performance.now();
    if (this.held) targetQueue.stallBudget.spend(this.#cost(targetQueue, bytes, now), now);
  }

  /** From now on they hold the others up. */
  hold(): void {
    if (this.held) return;
    this.#since = performance.now();
    for (const targetQueue of this.#targetQueues.keys()) {
      this.#targetQueues.set(targetQueue, targetQueue.bytes);
    }
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

  /** Milliseconds until the stall budget with one of them is over; `Infinity` while nobody waits. */
  least(): number {
    if (!this.held) return Infinity;
    const now = performance.now();
    let least = Infinity;
    for (const [targetQueue, bytes] of this.#targetQueues) {
      least = Math.min(least, this.#left(targetQueue) - this.#cost(targetQueue, bytes, now));
    }
    return Math.max(1, least);
  }

  /** Removes those with whom it is over; returns those that cannot go on apart from the others. */
  expired(): TargetQueue[] {
    if (!this.held) return [];
    const now = performance.now();
    const over = [...this.#targetQueues].filter(([targetQueue, bytes]) =>
      this.#left(targetQueue) <= this.#cost(targetQueue, bytes, now)
    ).map(([targetQueue]) => targetQueue);
    for (const targetQueue of over) this.delete(targetQueue);
    return over.filter((targetQueue) => !targetQueue.queue.stretch(targetQueue.bytes));
  }

  #left(targetQueue: TargetQueue): number {
    const left = targetQueue.stallBudget.left(this.#since);
    return left < Infinity && targetQueue.queue.stretches ? Math.min(left, TOGETHER_MS) : left;
  }

  /**
   * What the wait has cost so far, less what the target took in it, at the pace of the stream; and
   * what one that went on apart has fallen behind, which would have been waited for.
   */
  #cost(targetQueue: TargetQueue, bytes: number, now: number): number {
    const pace = this.#bytes === 0 ? 0 : this.#ms / this.#bytes;
    const behind = targetQueue.queue.apart ? APART_BYTES * pace : 0;
    return behind + Math.max(0, now - this.#since - (targetQueue.bytes - bytes) * pace);
  }
}
