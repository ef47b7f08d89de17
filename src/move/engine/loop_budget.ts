/** How much of the event loop short calls on files may have. @module */

/** Time in one turn of the loop, after which the next call waits for the next turn, in milliseconds. */
const TURN_MS = 1;

/**
 * A call that takes longer has waited: for the journal of the file system, or because too much is
 * waiting to be written. Nobody can tell beforehand, so that one call in {@linkcode UNREST_MS} may.
 */
const SLOW_MS = 5;
const UNREST_MS = 10_000;

/** Calls that are quicker than a change of thread, unless the file system has other things to do. */
export class LoopShare {
  #spentMs = 0;
  #calmAt = 0;
  #nextTurn: Promise<void> | undefined;

  /** Whether calls have been as quick as they should be. */
  get calm(): boolean {
    return performance.now() >= this.#calmAt;
  }

  /** Waits until the loop has time; call {@linkcode spend} in the same turn. */
  async turn(): Promise<void> {
    while (this.#spentMs >= TURN_MS) await this.#nextTurn;
  }

  /** Makes a call, and counts its time. */
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
