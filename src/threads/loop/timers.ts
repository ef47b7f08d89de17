/** Coarse timers for a loop with thousands of idle and connect timeouts. @module */

/** Width of one slot in milliseconds: how late a timer may fire, beside delays of the loop. */
export const TICK_MS = 32;

/** Slots of the wheel, a power of two. One round takes 8 s; longer timers wait several rounds. */
const SLOTS = 256;

/** A node of a doubly linked ring. A slot is a node without an owner. */
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

/** One timer, created once with its owner; starting it allocates nothing. */
export class Timer extends Node {
  readonly #owner: { onTimeout(): void };

  /** Creates a stopped timer that calls `owner.onTimeout()`. */
  constructor(owner: { onTimeout(): void }) {
    super();
    this.#owner = owner;
  }

  /** Whether the timer runs. */
  get running(): boolean {
    return this.next !== this;
  }

  /** Calls the owner. */
  fire(): void {
    this.#owner.onTimeout();
  }
}

/**
 * A hashed wheel: starting and stopping cost the same for any number of timers.
 *
 * Don't restart an idle timer with every byte: record the time instead, and when the timer fires,
 * restart it for the remaining time.
 */
export class Timers {
  readonly #slots: Node[] = Array.from({ length: SLOTS }, () => new Node());
  readonly #due = new Node();
  #now: number;
  /** The last tick whose slot was visited. */
  #tick: number;

  /** `now` is in milliseconds, on the clock that `advance` uses. */
  constructor(now: number) {
    this.#now = now;
    this.#tick = Math.floor(now / TICK_MS);
  }

  /** Starts or restarts a timer: it fires `delayMs` to `delayMs` + {@linkcode TICK_MS} later. */
  start(timer: Timer, delayMs: number): void {
    timer.unlink();
    timer.tick = Math.max(this.#tick + 1, Math.ceil((this.#now + delayMs) / TICK_MS));
    this.#slots[timer.tick & (SLOTS - 1)]!.append(timer);
  }

  /** Stops a timer. Does nothing if it is stopped. */
  stop(timer: Timer): void {
    timer.unlink();
  }

  /** Sets the time, and fires due timers. Owners may start and stop any timer. */
  advance(now: number): void {
    this.#now = now;
    const tick = Math.floor(now / TICK_MS);
    // After a long pause, one round visits every slot.
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
    // Take them one by one: an owner may stop another due timer.
    while (this.#due.next !== this.#due) {
      const timer = this.#due.next as Timer;
      timer.unlink();
      timer.fire();
    }
  }

  /** Milliseconds until `advance` may have work, at most `limit`. */
  wait(limit: number): number {
    for (let at = this.#tick + 1;; at++) {
      const left = at * TICK_MS - this.#now;
      if (left >= limit) return limit;
      const slot = this.#slots[at & (SLOTS - 1)]!;
      if (slot.next !== slot) return Math.max(0, Math.ceil(left));
    }
  }
}
