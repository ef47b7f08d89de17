/** What idempotent producers have stored in a partition, to recognize repeated batches. @module */

import { readFileSync, writeFileSync } from "node:fs";
import { Code, Refusal } from "../errors.ts";
import type { Batch } from "./batch.ts";

/** A producer has at most five batches on their way. */
const REMEMBERED = 5;
/** The least recently used producers beyond these are forgotten. */
const MOST_PRODUCERS = 10_000;
const SEQUENCES = 2 ** 31;

/** Sequences of a batch, and the offset of its first record. */
type Stored = { readonly first: number; readonly last: number; readonly base: number };
type State = { readonly epoch: number; readonly stored: readonly Stored[] };

/** The producers of one partition. */
export class Producers {
  readonly #states: Map<number, State> = new Map();

  /** Reads a snapshot. A missing one, or one that a kill cut short, is empty: sequences start anew. */
  constructor(path: string) {
    try {
      this.#states = new Map(JSON.parse(readFileSync(path, "utf8")) as [number, State][]);
    } catch { /* empty */ }
  }

  /** Where `batch` is stored already; undefined if it is the next one. */
  check({ producer, epoch, sequence }: Batch, count: number): number | undefined {
    const state = producer < 0 ? undefined : this.#states.get(producer);
    if (state === undefined) return undefined;
    if (epoch < state.epoch) throw new Refusal(Code.INVALID_PRODUCER_EPOCH, `epoch ${epoch}`);
    const last = (sequence + count - 1) % SEQUENCES;
    if (epoch === state.epoch) {
      const same = state.stored.find((old) => old.first === sequence && old.last === last);
      if (same !== undefined) return same.base;
    }
    const expected = epoch > state.epoch ? 0 : (state.stored.at(-1)!.last + 1) % SEQUENCES;
    if (sequence !== expected) {
      throw new Refusal(Code.OUT_OF_ORDER_SEQUENCE, `sequence ${sequence}, not ${expected}`);
    }
    return undefined;
  }

  /** Remembers a batch that has been stored. */
  add({ producer, epoch, sequence, base, next }: Batch): void {
    if (producer < 0) return;
    const state = this.#states.get(producer);
    const before = state?.epoch === epoch ? state.stored.slice(1 - REMEMBERED) : [];
    const last = (sequence + next - base - 1) % SEQUENCES;
    const stored = [...before, { first: sequence, last, base }];
    // Moves it to the end of the map, whose first key is the least recently used one.
    this.#states.delete(producer);
    this.#states.set(producer, { epoch, stored });
    if (this.#states.size > MOST_PRODUCERS) this.#states.delete(this.#states.keys().next().value!);
  }

  /** Writes a snapshot. */
  save(path: string): void {
    writeFileSync(path, JSON.stringify([...this.#states]));
  }
}
