/** Shows how busy the server is, by its counters. @module */

import type { FileServerStats } from "../../http/mod.ts";
import { formatBytes } from "../../http/listing/text.ts";
import { counted } from "../quantity.ts";
import type { Paint } from "../style.ts";

/** Time over which rates are averaged, in milliseconds. */
const OVER_MS = 1000;

interface Sample {
  readonly at: number;
  readonly requests: number;
  readonly bytes: number;
}

/** Follows the counters of a server. */
export class Traffic {
  readonly #stats: () => Pick<FileServerStats, "bytes" | "open" | "requests">;
  #samples: Sample[] = [];
  /** Requests that have got a line of their own. */
  shown = 0;

  constructor(stats: () => Pick<FileServerStats, "bytes" | "open" | "requests">) {
    this.#stats = stats;
  }

  /** Renders one line of at most `columns` characters; none before the first request. */
  lines(columns: number, now: number, paint: Paint): string[] {
    const { bytes, open, requests } = this.#stats();
    if (requests === 0) return [];
    this.#samples.push({ at: now, requests, bytes });
    const first = this.#samples.findLastIndex(({ at }) => now - at >= OVER_MS);
    if (first > 0) this.#samples = this.#samples.slice(first);
    const since = this.#samples[0]!;
    const seconds = Math.max(now - since.at, 1) / 1000;
    const rate = Math.round((requests - since.requests) / seconds);
    const hidden = Math.max(0, requests - this.shown);
    const text = [
      counted(requests, "request"),
      `${rate}/s`,
      `${formatBytes((bytes - since.bytes) / seconds)}/s`,
      counted(open, "connection"),
      ...hidden > 0 ? [`${hidden} without a line`] : [],
    ].join(", ");
    return [paint("dim", text.slice(0, columns - 1))];
  }
}
