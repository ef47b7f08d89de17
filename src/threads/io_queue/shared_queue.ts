/**
 * The queue on which one thread puts operations, and from which several others take them.
 *
 * It lies in shared memory: a message to a thread costs far more than an entry here.
 *
 * @module
 */

import { IN_FLIGHT } from "./slots.ts";

/** Maximum number of threads on one queue. */
export const MOST_THREADS = 16;

/** Words before the states and the queues. */
const Word = { HEAD: 0, TAIL: 1, DONE_TAIL: 2, TOLD: 3, UNTOLD: 4, SLEEPING: 5 } as const;
const STATES = Word.SLEEPING + MOST_THREADS;
const QUEUE = STATES + IN_FLIGHT;
const DONE = QUEUE + IN_FLIGHT;
const MASK = IN_FLIGHT - 1;

/** State of an operation. */
const State = { QUEUED: 1, RUNNING: 2, CANCELLED: 3 } as const;

const FIELDS = 6;

/** An operation, as numbers. */
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

/** One thread's access to a queue. */
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

  /**
   * Adds an operation. For one thread only. The queue never overflows: there are as many entries as
   * slots.
   */
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

  /** Number of operations that no thread has taken. */
  get waiting(): number {
    return (Atomics.load(this.#words, Word.TAIL) - Atomics.load(this.#words, Word.HEAD)) | 0;
  }

  /** Takes the oldest operation into `note`; false if there is none. Any thread. */
  take(note: Operation): boolean {
    const words = this.#words;
    for (;;) {
      const head = Atomics.load(words, Word.HEAD);
      if (head === Atomics.load(words, Word.TAIL)) return false;
      const slot = words[QUEUE + (head & MASK)]!;
      // The thread that advances the head owns the entry; the others discard what they read.
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

  /** Whether to run an operation that was taken; from now on it cannot be cancelled. */
  begin(slot: number): boolean {
    const at = STATES + slot;
    return Atomics.compareExchange(this.#words, at, State.QUEUED, State.RUNNING) === State.QUEUED;
  }

  /**
   * Cancels an operation that no thread has started. The thread that takes it reports `-ECANCELED`.
   */
  cancel(slot: number): void {
    Atomics.compareExchange(this.#words, STATES + slot, State.QUEUED, State.CANCELLED);
  }

  /**
   * Adds a result. Any thread; it must make sure that `tell()` is called afterwards.
   *
   * @returns Number of results that the owner has not been told of.
   */
  finish(slot: number, result: number): number {
    this.#results[slot] = result;
    const place = Atomics.add(this.#words, Word.DONE_TAIL, 1) & MASK;
    // 0 marks a place that is reserved but not yet filled.
    Atomics.store(this.#words, DONE + place, slot + 1);
    return Atomics.add(this.#words, Word.UNTOLD, 1) + 1;
  }

  /** Whether the owner must be woken; false if another thread has already done so. Any thread. */
  tell(): boolean {
    Atomics.store(this.#words, Word.UNTOLD, 0);
    return Atomics.exchange(this.#words, Word.TOLD, 1) === 0;
  }

  /** Takes the available results. Only for the owner. */
  collect(completed: (slot: number, result: number) => void): void {
    // Clear first, then check: a result that arrives in between wakes the owner again.
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

  /** Records that a thread is about to sleep, or has woken up. */
  sleep(thread: number, asleep: boolean): void {
    Atomics.store(this.#words, Word.SLEEPING + thread, asleep ? 1 : 0);
  }

  /** Finds a sleeping thread and marks it awake; -1 if there is none. */
  rouse(threads: number): number {
    for (let thread = 0; thread < threads; thread++) {
      const at = Word.SLEEPING + thread;
      if (Atomics.compareExchange(this.#words, at, 1, 0) === 1) return thread;
    }
    return -1;
  }
}
