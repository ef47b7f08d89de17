/** Waiting for events of one descriptor. @module */

import type { Handler, Loop } from "../../../../threads/loop/loop.ts";

/** A descriptor that is in the loop while it waits for events. */
export class Watched implements Handler {
  readonly #loop: Loop;
  readonly #fd: number;
  readonly #called: (events: number) => void;
  #interest: number;

  /** `interest` is what `fd` is in the loop for already; then pass it to this. */
  constructor(loop: Loop, fd: number, called: (events: number) => void, interest = 0) {
    this.#interest = interest;
    this.#loop = loop;
    this.#fd = fd;
    this.#called = called;
  }

  /** Called by the loop. */
  onEvents(events: number): void {
    this.#called(events);
  }

  /** Sets the events to wait for. */
  watch(events: number): void {
    if (events === this.#interest || this.#fd < 0) return;
    // Removes it, because with no events the loop would still report its end again and again.
    if (events === 0) this.#loop.remove(this.#fd);
    else if (this.#interest === 0) this.#loop.add(this.#fd, events, this);
    else this.#loop.modify(this.#fd, events);
    this.#interest = events;
  }

  /** Closes the descriptor. */
  close(): void {
    if (this.#fd >= 0) this.#loop.close(this.#fd);
  }
}
