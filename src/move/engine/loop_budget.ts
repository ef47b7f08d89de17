/** Limits the time that short file calls may take on the event loop. @module */

/** Milliseconds per turn of the loop, after which the next call waits for the next turn. */
const TURN_MS = 1;

/**
 * A call that takes longer has waited: for the file system's journal, or because too much writeback
 * is pending. This cannot be predicted, so it may happen once per {@linkcode UNREST_MS}.
 */
const SLOW_MS = 5;
const UNREST_MS = 10_000;

/** Runs calls that are usually quicker than a thread switch, unless the file system is busy. */
export class LoopShare {
  #spentMs = 0;
  #calmAt = 0;
  #nextTurn: Promise<void> | undefined;

  /** Whether recent calls have been quick enough. */
  get calm(): boolean {
    return performance.now() >= this.#calmAt;
  }

  /** Waits until the loop has time; call {@linkcode spend} in the same turn. */
  async turn(): Promise<void> {
    while (this.#spentMs >= TURN_MS) await this.#nextTurn;
  }

  /** Makes a call and measures its time. */
  spend<T>(call: () => T): T {
    const before = performance.now();
    try {
      return call();
    } finally {
      const now = performance.now();
      this.#spentMs += now - before;
      if (now - before > SLOW_MS) this.#calmAt = now + UNREST_MS;
      this.#nextTurn ??= new Promise((resolve) => setImmediate(resolve)).then(() => {
        this.#nextTurn = undefined;
        this.#spentMs = 0;
      });
    }
  }
}
