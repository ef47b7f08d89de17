/**
 * The queue on which one thread pins operations, and from which several others take them.
 *
 * Memory that all of them share: a message to a thread costs 10 to 20 microseconds, a note on the
 * queue a fraction of one.
 *
 * @module
 */

import { IN_FLIGHT } from "./slots.ts";

/** Most threads at one queue. */
export const MOST_THREADS = 16;

/** Numbers before the states and the queues. */
const Word = { HEAD: 0, TAIL: 1, DONE_TAIL: 2, TOLD: 3, UNTOLD: 4, SLEEPING: 5 } as const;
const STATES = Word.SLEEPING + MOST_THREADS;
const QUEUE = STATES + IN_FLIGHT;
const DONE = QUEUE + IN_FLIGHT;
const MASK = IN_FLIGHT - 1;

/** How far an operation has come. */
const State = { QUEUED: 1, RUNNING: 2, CANCELLED: 3 } as const;

const FIELDS = 6;

/** A note: an operation by numbers. */
export interface Operation {
  slot: number;
  op: number;
  fd: number;
  address: number;
  length: number;
  offset: number;
  flags: number;
}

/** The memory of a queue. */
export interface SharedQueueMemory {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly fields: Float64Array<SharedArrayBuffer>;
  readonly results: Float64Array<SharedArrayBuffer>;
}

/** Allocates a queue. */
export function sharedQueueMemory(): SharedQueueMemory {
  return {
    words: new Int32Array(new SharedArrayBuffer((DONE + IN_FLIGHT) * 4)),
    fields: new Float64Array(new SharedArrayBuffer(IN_FLIGHT * FIELDS * 8)),
    results: new Float64Array(new SharedArrayBuffer(IN_FLIGHT * 8)),
  };
}

/** One thread's hands on a queue. */
export class SharedQueue {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #fields: Float64Array<SharedArrayBuffer>;
  readonly #results: Float64Array<SharedArrayBuffer>;
  #doneHead = 0;

  constructor({ words, fields, results }: SharedQueueMemory) {
    this.#words = words;
    this.#fields = fields;
    this.#results = results;
  }

  /** Pins a note. One thread only; there are never more notes than slots, so there is room. */
  pin({ slot, op, fd, address, length, offset, flags }: Operation): void {
    const at = slot * FIELDS;
    this.#fields[at] = op;
    this.#fields[at + 1] = fd;
    this.#fields[at + 2] = address;
    this.#fields[at + 3] = length;
    this.#fields[at + 4] = offset;
    this.#fields[at + 5] = flags;
    const tail = this.#words[Word.TAIL]!;
    this.#words[QUEUE + (tail & MASK)] = slot;
    this.#words[STATES + slot] = State.QUEUED;
    Atomics.store(this.#words, Word.TAIL, (tail + 1) | 0);
  }

  /** Notes that nobody has taken. */
  get waiting(): number {
    return (Atomics.load(this.#words, Word.TAIL) - Atomics.load(this.#words, Word.HEAD)) | 0;
  }

  /** Takes the oldest note into `note`; false when there is none. Any thread. */
  take(note: Operation): boolean {
    const words = this.#words;
    for (;;) {
      const head = Atomics.load(words, Word.HEAD);
      if (head === Atomics.load(words, Word.TAIL)) return false;
      const slot = words[QUEUE + (head & MASK)]!;
      // Whoever moves the head owns the note; what the others have read is of no use.
      if (Atomics.compareExchange(words, Word.HEAD, head, (head + 1) | 0) !== head) continue;
      const at = slot * FIELDS;
      note.slot = slot;
      note.op = this.#fields[at]!;
      note.fd = this.#fields[at + 1]!;
      note.address = this.#fields[at + 2]!;
      note.length = this.#fields[at + 3]!;
      note.offset = this.#fields[at + 4]!;
      note.flags = this.#fields[at + 5]!;
      return true;
    }
  }

  /** Whether a note that was taken is to be carried out; from now on it cannot be cancelled. */
  begin(slot: number): boolean {
    const at = STATES + slot;
    return Atomics.compareExchange(this.#words, at, State.QUEUED, State.RUNNING) === State.QUEUED;
  }

  /** Cancels a note that nobody has begun. Whoever takes it reports `-ECANCELED`. */
  cancel(slot: number): void {
    Atomics.compareExchange(this.#words, STATES + slot, State.QUEUED, State.CANCELLED);
  }

  /**
   * Puts a result on the queue. Any thread, which has to see to `tell()` afterwards.
   *
   * @returns Results that the one who pins has not been told of.
   */
  finish(slot: number, result: number): number {
    this.#results[slot] = result;
    const place = Atomics.add(this.#words, Word.DONE_TAIL, 1) & MASK;
    // 0 is a place that is reserved and not yet filled.
    Atomics.store(this.#words, DONE + place, slot + 1);
    return Atomics.add(this.#words, Word.UNTOLD, 1) + 1;
  }

  /** Whether the one who pins must be woken: otherwise somebody has done so already. Any thread. */
  tell(): boolean {
    Atomics.store(this.#words, Word.UNTOLD, 0);
    return Atomics.exchange(this.#words, Word.TOLD, 1) === 0;
  }

  /** Takes the results that are there. Only for the one who pins. */
  collect(completed: (slot: number, result: number) => void): void {
    // First cleared, then looked at: whoever comes in between wakes again.
    Atomics.store(this.#words, Word.TOLD, 0);
    for (;;) {
      const at = DONE + (this.#doneHead & MASK);
      const slot = Atomics.load(this.#words, at) - 1;
      if (slot < 0) return;
      Atomics.store(this.#words, at, 0);
      this.#doneHead++;
      completed(slot, this.#results[slot]!);
    }
  }

  /** Says that a thread is about to sleep, or does not sleep any more. */
  sleep(thread: number, asleep: boolean): void {
    Atomics.store(this.#words, Word.SLEEPING + thread, asleep ? 1 : 0);
  }

  /** Finds a thread that sleeps and marks it awake; -1 when there is none. */
  rouse(threads: number): number {
    for (let thread = 0; thread < threads; thread++) {
      const at = Word.SLEEPING + thread;
      if (Atomics.compareExchange(this.#words, at, 1, 0) === 1) return thread;
    }
    return -1;
  }
}
