/** Coarse timers for a loop that has thousands of them: idle and connect timeouts. @module */

/** Width of one slot, in milliseconds: how late a timer may be, besides what delays the loop. */
export const TICK_MS = 32;

/** Slots of the wheel, a power of two: one round takes 8 s; longer timers wait several rounds. */
const SLOTS = 256;

/** A node of a doubly linked ring. A slot is one without an owner. */
class Node {
  next: Node = this;
  previous: Node = this;
  tick = 0;

  unlink(): void {
    this.previous.next = this.next;
    this.next.previous = this.previous;
    this.next = this;
    this.previous = this;
  }

  append(node: Node): void {
    node.previous = this.previous;
    node.next = this;
    this.previous.next = node;
    this.previous = node;
  }
}

/** One timer; made once with its owner, and started as often as is needed without allocating. */
export class Timer extends Node {
  readonly #owner: { onTimeout(): void };

  /** Makes a timer that calls `owner.onTimeout()`. It does not run yet. */
  constructor(owner: { onTimeout(): void }) {
    super();
    this.#owner = owner;
  }

  /** Whether it runs. */
  get running(): boolean {
    return this.next !== this;
  }

  /** Calls the owner. */
  fire(): void {
    this.#owner.onTimeout();
  }
}

/**
 * A hashed wheel: starting and stopping cost the same however many timers there are.
 *
 * For an idle timeout do not restart a timer with every byte: note the time, and when the timer
 * fires start it anew for what is left.
 */
export class Timers {
  readonly #slots: Node[] = Array.from({ length: SLOTS }, () => new Node());
  readonly #due = new Node();
  #now: number;
  /** The last tick whose slot has been visited. */
  #tick: number;

  /** `now` is in milliseconds, on the clock that `advance` uses. */
  constructor(now: number) {
    this.#now = now;
    this.#tick = Math.floor(now / TICK_MS);
  }

  /** Starts a timer, or starts it anew: it fires `delayMs` to `delayMs` + {@linkcode TICK_MS} later. */
  start(timer: Timer, delayMs: number): void {
    timer.unlink();
    timer.tick = Math.max(this.#tick + 1, Math.ceil((this.#now + delayMs) / TICK_MS));
    this.#slots[timer.tick & (SLOTS - 1)]!.append(timer);
  }

  /** Stops a timer. Does nothing when it does not run. */
  stop(timer: Timer): void {
    timer.unlink();
  }

  /** Sets the time, and fires what is due. Owners may start and stop any timer. */
  advance(now: number): void {
    this.#now = now;
    const tick = Math.floor(now / TICK_MS);
    // After a long pause one round visits every slot.
    for (let at = Math.max(this.#tick + 1, tick - SLOTS + 1); at <= tick; at++) {
      const slot = this.#slots[at & (SLOTS - 1)]!;
      for (let node = slot.next; node !== slot;) {
        const { next } = node;
        if (node.tick <= tick) {
          node.unlink();
          this.#due.append(node);
        }
        node = next;
      }
    }
    this.#tick = tick;
    // One by one from the ring: an owner may stop another timer that is due.
    while (this.#due.next !== this.#due) {
      const timer = this.#due.next as Timer;
      timer.unlink();
      timer.fire();
    }
  }

  /** Milliseconds until `advance` may have something to do, at most `limit`. */
  wait(limit: number): number {
    for (let at = this.#tick + 1;; at++) {
      const left = at * TICK_MS - this.#now;
      if (left >= limit) return limit;
      const slot = this.#slots[at & (SLOTS - 1)]!;
      if (slot.next !== slot) return Math.max(0, Math.ceil(left));
    }
  }
}
