/** Limits the time that short file calls may take on the event loop. @module */

/** Milliseconds per turn of the loop, after which the next call waits for the next turn. */
const TURN_MS = 1;

/**
 * Two calls of {@linkcode WATCHED} that take longer, and waited, show that the file system is busy: with
 * its journal, or with writeback. This cannot be predicted, so it may happen twice per
 * {@linkcode UNREST_MS}. A call during which another process ran is no such sign.
 */
const SLOW_MS = 5;
const WATCHED = 8;
const UNREST_MS = 10_000;

/** Runs calls that are usually quicker than a thread switch, unless the file system is busy. */
export class LoopShare {
  #spentMs = 0;
  #calmAt = 0;
  /** Calls for which the last slow one still counts. */
  #suspicion = 0;
  readonly #waits: () => number;
  #nextTurn: Promise<void> | undefined;

  /** `waits` counts how often this thread has waited in the kernel. */
  constructor(waits: () => number) {
    this.#waits = waits;
  }

  /** Whether recent calls have been quick enough. */
  get calm(): boolean {
    return performance.now() >= this.#calmAt;
  }

  /** Whether {@linkcode turn} has to wait. */
  get spent(): boolean {
    return this.#spentMs >= TURN_MS;
  }

  /** Waits until the loop has time; call {@linkcode spend} in the same turn. */
  async turn(): Promise<void> {
    while (this.spent) await this.#nextTurn;
  }

  /** Makes a call and measures its time. */
  spend<T>(call: () => T): T {
    const waits = this.#waits();
    const before = performance.now();
    try {
      return call();
    } finally {
      const now = performance.now();
      this.#spentMs += now - before;
      if (now - before > SLOW_MS && this.#waits() !== waits) {
        if (this.#suspicion > 0) this.#calmAt = now + UNREST_MS;
        this.#suspicion = WATCHED;
      } else if (this.#suspicion > 0) this.#suspicion--;
      // Not after every call: that would cost as much as a part of it. So the time of several turns
      // may add up.
      if (this.spent) this.#waitForTurn();
    }
  }

  #waitForTurn(): void {
    this.#nextTurn ??= new Promise((resolve) => setImmediate(resolve)).then(() => {
      this.#nextTurn = undefined;
      this.#spentMs = 0;
    });
  }
}
