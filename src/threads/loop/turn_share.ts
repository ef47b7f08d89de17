/** Limits the part of each turn that expensive steps take. @module */

import type { Loop, Task } from "./loop.ts";

/** Time for the steps of a short turn, in milliseconds. One step may exceed it. */
const SHARE_MS = 5;

/** A step that costs much processor time, such as one of a TLS handshake. */
export interface Step {
  /** Called once for each call of {@linkcode TurnShare.run}. */
  proceed(): void;
}

/**
 * Runs steps in the order in which they ask, and limits their time in each turn, so that a flood of
 * them does not delay other connections by much. In a long turn, steps may take as long as everything
 * before them: a busy loop delays the steps, but does not starve them.
 */
export class TurnShare implements Task {
  readonly #loop: () => Loop;
  readonly #waiting = new Set<Step>();
  /** The turn that `until` belongs to, by its start time. */
  #turn = -1;
  #until = 0;
  #queued = false;

  /** Shares the turns of `loop`, which is called with the first step. */
  constructor(loop: () => Loop) {
    this.#loop = loop;
  }

  /** Runs the step now, or in a later turn if others wait already. A step that waits stays in its place. */
  run(step: Step): void {
    if (this.#waiting.size === 0 && !this.#spent()) return step.proceed();
    this.#waiting.add(step);
    this.#queue();
  }

  /** Whether the step waits for its turn. */
  delays(step: Step): boolean {
    return this.#waiting.has(step);
  }

  /** Forgets a step that waits. */
  forget(step: Step): void {
    this.#waiting.delete(step);
  }

  /** Called by the loop. */
  onTurn(): void {
    this.#queued = false;
    for (const step of this.#waiting) {
      if (this.#spent()) return this.#queue();
      this.#waiting.delete(step);
      step.proceed();
    }
  }

  #queue(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#loop().again(this);
  }

  /** Whether the time of this turn is over. It begins with the first step. */
  #spent(): boolean {
    const { now } = this.#loop();
    if (this.#turn !== now) {
      this.#turn = now;
      const began = performance.now();
      this.#until = began + Math.max(SHARE_MS, began - now);
      return false;
    }
    return performance.now() > this.#until;
  }
}
