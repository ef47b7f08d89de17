/** Waking the one who waits for something to change. @module */

/** Rung by whoever changes something; only one waits at a time, and looks for itself what it was. */
export class Notify {
  #wake: () => void = () => {};

  /** Wakes the one who waits; does nothing when nobody does. */
  ring(): void {
    this.#wake();
  }

  /** Waits for a ring, at most `ms`. */
  async wait(ms: number = Infinity): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = ms === Infinity ? undefined : setTimeout(resolve, Math.ceil(ms));
    await promise;
    clearTimeout(timer);
  }
}
