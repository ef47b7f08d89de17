/** Decides where the answer to a request comes from. @module */

import type { Origin } from "./exchange.ts";
import { Fill, type FillOutcome, type Waiter } from "./fill.ts";
import type { Loop } from "./loop.ts";
import type { Entry, Store } from "./store.ts";

/** Time for which requests for a response that is not stored do not wait for each other. */
const UNCACHEABLE_MS = 10_000;
/** Most keys to remember for that. */
const MOST_UNCACHEABLE = 10_000;

/** Counters, as shown by `/-/stats`: of requests by their answer, then of fills by their end. */
const REQUESTS = ["requests", "hits", "misses", "stale", "passes", "purges"] as const;
const FILLS = ["stored", "revalidated", "passed", "failed"] as const;
type Stats = Record<typeof REQUESTS[number] | typeof FILLS[number], number>;

/** The store, and what is on its way into it. */
export class Cache {
  readonly loop: Loop;
  readonly origin: Origin;
  readonly store: Store;
  readonly stats = Object.fromEntries([...REQUESTS, ...FILLS].map((name) => [name, 0])) as Stats;
  readonly #fills = new Map<string, Fill>();
  readonly #uncacheable = new Map<string, number>();

  constructor(loop: Loop, origin: Origin, store: Store) {
    this.loop = loop;
    this.origin = origin;
    this.store = store;
  }

  /** All counters, and what is stored and on its way now. */
  report(): Record<string, number> {
    const { bytes, size: entries, evictions } = this.store;
    return { ...this.stats, bytes, entries, evictions, fills: this.#fills.size };
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
