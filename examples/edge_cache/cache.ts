/** Decides where the answer to a request comes from. @module */

import type { Origin } from "./exchange.ts";
import { Fill, type FillOutcome, type Waiter } from "./fill.ts";
import type { Loop } from "./loop.ts";
import type { Entry, Store } from "./store.ts";

/** Time for which requests for a response that is not stored do not wait for each other. */
const UNCACHEABLE_MS = 10_000;
/** Most keys to remember for that. */
const MOST_UNCACHEABLE = 10_000;

/** Counters, as shown by `/-/stats`. */
export interface Stats {
  requests: number;
  hits: number;
  misses: number;
  stale: number;
  passes: number;
  purges: number;
  stored: number;
  revalidated: number;
  passed: number;
  failed: number;
}

/** The store, and what is on its way into it. */
export class Cache {
  readonly loop: Loop;
  readonly origin: Origin;
  readonly store: Store;
  readonly stats: Stats = {
    requests: 0,
    hits: 0,
    misses: 0,
    stale: 0,
    passes: 0,
    purges: 0,
    stored: 0,
    revalidated: 0,
    passed: 0,
    failed: 0,
  };
  readonly #fills = new Map<string, Fill>();
  readonly #uncacheable = new Map<string, number>();

  constructor(loop: Loop, origin: Origin, store: Store) {
    this.loop = loop;
    this.origin = origin;
    this.store = store;
  }

  /** Requests to the origin on their way to the store. */
  get fills(): number {
    return this.#fills.size;
  }

  /** Answers a client: at once, or when the origin does. Returns the fill that it waits for. */
  answer(key: string, client: Waiter): Fill | undefined {
    const { now } = this.loop;
    const running = this.#fills.get(key);
    if (running?.entry !== undefined) {
      this.stats.misses++;
      client.serve(running.entry, "MISS", running);
      return undefined;
    }
    const entry = this.store.get(key);
    if (entry !== undefined && now < entry.freshUntilMs) {
      this.stats.hits++;
      client.serve(entry, "HIT");
      return undefined;
    }
    if (entry !== undefined && now < entry.usableUntilMs) {
      this.stats.stale++;
      client.serve(entry, "STALE");
      if (running === undefined) this.#start(key, entry);
      return undefined;
    }
    this.stats.misses++;
    if (entry === undefined && (this.#uncacheable.get(key) ?? 0) > now) {
      client.pass();
      return undefined;
    }
    const fill = running ?? this.#start(key, entry);
    if (fill === undefined) client.refuse(503);
    else fill.wait(client);
    return fill;
  }

  /** Deletes a response, also one on its way. Returns whether there was one. */
  purge(key: string): boolean {
    this.stats.purges++;
    this.#uncacheable.delete(key);
    const fill = this.#fills.get(key);
    if (fill !== undefined) fill.purged = true;
    this.#fills.delete(key);
    return this.store.remove(key) || fill !== undefined;
  }

  #start(key: string, stale: Entry | undefined): Fill | undefined {
    const { loop, origin, store } = this;
    try {
      const fill: Fill = new Fill(loop, origin, store, key, stale, (outcome) => {
        if (this.#fills.get(key) === fill) this.#fills.delete(key);
        this.#count(key, outcome);
      });
      this.#fills.set(key, fill);
      return fill;
    } catch {
      return undefined; // no descriptor, or no route
    }
  }

  #count(key: string, outcome: FillOutcome): void {
    this.stats[outcome]++;
    if (outcome !== "passed") return;
    if (this.#uncacheable.size >= MOST_UNCACHEABLE) this.#uncacheable.clear();
    this.#uncacheable.set(key, this.loop.now + UNCACHEABLE_MS);
  }
}
