/** The operations that a queue has accepted, by slot. @module */

import type { IoRequest } from "./types.ts";

/** Maximum operations in flight on one queue: enough to keep a disk busy. */
export const IN_FLIGHT = 256;

const SLOT_BITS = 8;
const SLOT_MASK = (1 << SLOT_BITS) - 1;
/**
 * A generation and a slot fit into a positive integer, and a generation into the upper half of a
 * double.
 */
const GENERATIONS = 1 << 20;

/** An operation that waits for a slot. */
interface Waiting {
  readonly request: IoRequest;
  readonly done: (result: number) => void;
  readonly ticket: number;
}

/**
 * Reusable slots, so that an operation allocates nothing, and a queue of operations that wait for
 * one.
 *
 * A ticket combines a slot and a generation; a waiting operation has a negative ticket.
 */
export class Slots {
  readonly #free: number[] = Array.from({ length: IN_FLIGHT }, (_, i) => IN_FLIGHT - 1 - i);
  readonly #generations = new Int32Array(IN_FLIGHT);
  readonly #done: (((result: number) => void) | undefined)[] = new Array(IN_FLIGHT).fill(undefined);
  readonly #waiting: Waiting[] = [];
  /** Slots of operations that had to wait, by their first ticket. */
  readonly #moved = new Map<number, number>();
  readonly #movedFrom = new Int32Array(IN_FLIGHT);
  #lastWaiting = 0;

  /** Number of operations that have a slot or wait for one. */
  get size(): number {
    return IN_FLIGHT - this.#free.length + this.#waiting.length;
  }

  /** Number of operations that have a slot. */
  get running(): number {
    return IN_FLIGHT - this.#free.length;
  }

  /** Takes a slot; -1 if the operation must wait. */
  take(done: (result: number) => void): number {
    const slot = this.#free.pop();
    if (slot === undefined) return -1;
    this.#done[slot] = done;
    return slot;
  }

  /** Returns the ticket of a slot that was just taken. */
  ticketOf(slot: number): number {
    return (this.#generations[slot]! << SLOT_BITS) | slot;
  }

  /** Queues an operation. Returns its ticket. */
  wait(request: IoRequest, done: (result: number) => void): number {
    const ticket = this.#lastWaiting = this.#lastWaiting - 1;
    this.#waiting.push({ request, done, ticket });
    return ticket;
  }

  /** Returns the slot of a ticket that is still in use, or -1. */
  slotOf(ticket: number): number {
    const found = ticket < 0 ? this.#moved.get(ticket) ?? -1 : ticket;
    if (found < 0) return -1;
    const slot = found & SLOT_MASK;
    return this.#done[slot] !== undefined && this.ticketOf(slot) === found ? slot : -1;
  }

  /** The generation of a slot. */
  generation(slot: number): number {
    return this.#generations[slot]!;
  }

  /** Removes an operation from the queue; undefined if it is not queued. */
  withdraw(ticket: number): ((result: number) => void) | undefined {
    const index = this.#waiting.findIndex((each) => each.ticket === ticket);
    return index < 0 ? undefined : this.#waiting.splice(index, 1)[0]!.done;
  }

  /** Frees a slot and reports its operation's result. */
  finish(slot: number, result: number): void {
    const done = this.#done[slot];
    if (done === undefined) return;
    this.#done[slot] = undefined;
    this.#generations[slot] = (this.#generations[slot]! + 1) % GENERATIONS;
    this.#free.push(slot);
    if (this.#movedFrom[slot] !== 0) {
      this.#moved.delete(this.#movedFrom[slot]!);
      this.#movedFrom[slot] = 0;
    }
    done(result);
  }

  /** Gives free slots to waiting operations, in order. */
  promote(start: (slot: number, request: IoRequest) => void): void {
    while (this.#waiting.length > 0 && this.#free.length > 0) {
      const { request, done, ticket } = this.#waiting.shift()!;
      const slot = this.take(done);
      this.#moved.set(ticket, this.ticketOf(slot));
      this.#movedFrom[slot] = ticket;
      start(slot, request);
    }
  }

  /** Calls `each` for every slot that is in use. */
  forEach(each: (slot: number) => void): void {
    this.#done.forEach((done, slot) => done !== undefined && each(slot));
  }

  /** Removes all operations: the queue has failed. */
  clear(): ((result: number) => void)[] {
    const all = this.#waiting.splice(0).map(({ done }) => done);
    for (let slot = 0; slot < IN_FLIGHT; slot++) {
      const done = this.#done[slot];
      if (done === undefined) continue;
      this.#done[slot] = undefined;
      this.#generations[slot] = (this.#generations[slot]! + 1) % GENERATIONS;
      this.#free.push(slot);
      all.push(done);
    }
    this.#moved.clear();
    this.#movedFrom.fill(0);
    return all;
  }
}
