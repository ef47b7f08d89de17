/** Wakes the code that waits for a change. @module */

/**
 * Rung after each change. Only one caller waits at a time, and checks for itself what has changed.
 */
export class Notify {
  #wake: () => void = () => {};

  /** Wakes the waiting caller, if any. */
  ring(): void {
    this.#wake();
  }

  /** Waits for a ring, at most `ms` milliseconds. */
  async wait(ms: number = Infinity): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = ms === Infinity ? undefined : setTimeout(resolve, Math.ceil(ms));
    await promise;
    clearTimeout(timer);
  }
}
