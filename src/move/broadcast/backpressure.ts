/** Decides which slow targets the others wait for, and for how long. @module */

import type { TargetQueue } from "./target_queue.ts";
import { APART_BYTES } from "./write_queue.ts";

/**
 * Milliseconds for which the others wait for a target that can continue apart from them: sending a
 * file costs less while its readers stay together.
 */
const TOGETHER_MS = 20;

/** Half-life of past measurements, in milliseconds. */
const MEMORY_MS = 2000;

/**
 * The targets without room for the next chunk. All times are those of `performance.now()`.
 *
 * While a single target holds up the others, its stall budget pays for the time by which it falls
 * short of the stream's previous pace. Time alone would be unfair: if the processor is the limit,
 * some target is always last, and catches up as soon as the others wait.
 */
export class BackpressureTracker {
  /** Each target, with the bytes it had taken when the others started to wait. */
  readonly #targetQueues = new Map<TargetQueue, number>();
  /** Start of the current wait, or -1. */
  #since = -1;
  /** Bytes by which the stream has advanced, and the time this took without waits. */
  #bytes = 0;
  #ms = 0;
  #heldMs = 0;
  #advancedMs: number = performance.now();

  /** Number of targets without room. */
  get size(): number {
    return this.#targetQueues.size;
  }

  /** Whether they hold up the others. */
  get held(): boolean {
    return this.#since >= 0;
  }

  /** Adds a target without room. */
  add(targetQueue: TargetQueue): void {
    this.#targetQueues.set(targetQueue, targetQueue.bytes);
  }

  /** Removes a target that has room again or has left. */
  delete(targetQueue: TargetQueue): void {
    const bytes = this.#targetQueues.get(targetQueue);
    if (bytes === undefined) return;
    this.#targetQueues.delete(targetQueue);
    const now = performance.now();
    if (this.held) targetQueue.stallBudget.spend(this.#cost(targetQueue, bytes, now), now);
  }

  /** Records that the others start to wait. */
  hold(): void {
    if (this.held) return;
    this.#since = performance.now();
    for (const targetQueue of this.#targetQueues.keys()) {
      this.#targetQueues.set(targetQueue, targetQueue.bytes);
    }
  }

  /** Records that the others stop waiting. */
  release(): void {
    if (this.held) this.#heldMs += performance.now() - this.#since;
    this.#since = -1;
  }

  /** Records that the stream has advanced by a chunk. */
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

  /** Milliseconds until the first stall budget is used up; `Infinity` without a wait. */
  least(): number {
    if (!this.held) return Infinity;
    const now = performance.now();
    let least = Infinity;
    for (const [targetQueue, bytes] of this.#targetQueues) {
      least = Math.min(least, this.#left(targetQueue) - this.#cost(targetQueue, bytes, now));
    }
    return Math.max(1, least);
  }

  /**
   * Removes targets whose budget is used up; returns those that cannot continue apart from the
   * others.
   */
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
   * Cost of the wait so far, minus what the target took meanwhile at the stream's pace. For a
   * target that went on apart: how far it has fallen behind, which would have been waited for.
   */
  #cost(targetQueue: TargetQueue, bytes: number, now: number): number {
    const pace = this.#bytes === 0 ? 0 : this.#ms / this.#bytes;
    const behind = targetQueue.queue.apart ? APART_BYTES * pace : 0;
    return behind + Math.max(0, now - this.#since - (targetQueue.bytes - bytes) * pace);
  }
}
