/** The files that a thread keeps open, and those that it closes after the current response. @module */

import type { CacheConfig } from "../control/limits.ts";
import { Cache, type Entry } from "./cache.ts";

/** The cache of a thread, for all its folders, and what has left it. */
export class KeptFiles {
  readonly config: CacheConfig;
  readonly cache: Cache;
  /** Evicted files; closed once the current response is on its way. */
  readonly #doomed: Pick<Entry, "file" | "original">[] = [];
  readonly #keeps: (bytes: number) => void;
  /** The number of bytes reported last. */
  #told = 0;

  /** `keeps` is called when the bytes in the cache have changed. */
  constructor(config: CacheConfig, keeps: (bytes: number) => void) {
    this.config = config;
    this.#keeps = keeps;
    this.cache = new Cache(config, (entry) => this.#doomed.push(entry));
  }

  /** Closes a file that is not kept, after the current response. */
  doom(entry: Pick<Entry, "file" | "original">): void {
    this.#doomed.push(entry);
  }

  /** Closes evicted files; call when the sender has the last response. */
  settle(): void {
    this.tell();
    for (let entry = this.#doomed.pop(); entry !== undefined; entry = this.#doomed.pop()) {
      entry.file.retire();
      entry.original?.file.close();
    }
  }

  /** Reports the bytes in the cache. */
  tell(): void {
    const { bytes } = this.cache;
    if (bytes !== this.#told) this.#keeps(this.#told = bytes);
  }

  /** Empties the cache. */
  clear(): void {
    this.cache.clear();
    this.settle();
  }

  /** Evicts unused entries. */
  sweep(): void {
    this.cache.sweep();
    this.settle();
  }
}
