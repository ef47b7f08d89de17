/** Which thread makes which call on a mount that may answer late: the threads of a server share them. @module */

/** Threads for all mounts. Each holds 11 to 28 MB, and is started when it is first needed. */
export const SLOTS = 8;

/** The numbers of all slots. */
export const ALL_SLOTS: readonly number[] = Array.from({ length: SLOTS }, (_, slot) => slot);

/** Threads for one mount: more than one, so that one slow answer does not hold up the next call. */
const PER_MOUNT = 2;

/** Words of each slot: a hash of its mount (0 for none so far), and its calls under way. */
const WORDS = 2;

/** The memory that the threads of a server share. */
export function newSlots(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(SLOTS * WORDS * Int32Array.BYTES_PER_ELEMENT));
}

/**
 * The slots, as one thread of the server sees them. A mount that does not answer holds up no calls on
 * other mounts, unless all slots wait for mounts that do not.
 */
export class Slots {
  readonly #words: Int32Array;

  constructor(words: Int32Array) {
    this.#words = words;
  }

  /**
   * Takes a slot for one call on a mount: an idle one if there is any, else the least busy.
   *
   * @param usable Whether the thread of a slot can be asked.
   */
  take(key: string, usable: (slot: number) => boolean): number {
    const hash = hashOf(key);
    const all = ALL_SLOTS.filter(usable);
    const own = all.filter((slot) => this.#hash(slot) === hash);
    const idle = all.filter((slot) => this.#calls(slot) === 0);
    const ready = own.find((slot) => this.#calls(slot) === 0);
    if (ready !== undefined) return this.#enter(ready);
    if (own.length < PER_MOUNT && idle.length > 0) {
      // One that has been started rather than a new one.
      const slot = idle.find((slot) => this.#hash(slot) !== 0) ?? idle[0]!;
      Atomics.store(this.#words, slot * WORDS, hash);
      return this.#enter(slot);
    }
    const choice = own.length > 0 ? own : all;
    if (choice.length === 0) return -1;
    return this.#enter(choice.reduce((a, b) => this.#calls(b) < this.#calls(a) ? b : a));
  }

  /** Takes the least busy of the given slots of a mount; -1 for none. */
  takeFrom(key: string, slots: readonly number[]): number {
    const hash = hashOf(key);
    const own = slots.filter((slot) => this.#hash(slot) === hash);
    const choice = own.length > 0 ? own : slots;
    if (choice.length === 0) return -1;
    return this.#enter(choice.reduce((a, b) => this.#calls(b) < this.#calls(a) ? b : a));
  }

  /** A call has ended. */
  leave(slot: number): void {
    Atomics.sub(this.#words, slot * WORDS + 1, 1);
  }

  #enter(slot: number): number {
    Atomics.add(this.#words, slot * WORDS + 1, 1);
    return slot;
  }

  #hash(slot: number): number {
    return Atomics.load(this.#words, slot * WORDS);
  }

  #calls(slot: number): number {
    return Atomics.load(this.#words, slot * WORDS + 1);
  }
}

/** Two mounts with the same hash share their threads. */
function hashOf(key: string): number {
  let hash = 0;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash, 31) + key.charCodeAt(at) | 0;
  return hash || 1;
}
