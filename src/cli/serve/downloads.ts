/** Shows running large downloads with rate and progress. @module */

import type { RequestEvent } from "../../http/mod.ts";
import { formatBytes } from "../../http/listing/text.ts";
import type { Paint } from "../style.ts";
import { shown } from "../output.ts";

/** Width of a bar, in characters. */
const BAR = 16;

/** Time without an event after which a download counts as stalled, in milliseconds. */
const STALLED_MS = 2000;

interface Download {
  readonly target: string;
  readonly client: string;
  readonly total: number;
  bytes: number;
  /** Bytes per second, smoothed. */
  rate: number;
  /** Time of the last event, in milliseconds. */
  at: number;
  durationMs: number;
}

/** Tracks downloads by their events. */
export class Downloads {
  readonly #all = new Map<string, Download>();

  /** Records an event. */
  update({ bytes, client, durationMs, id, state, target, time, total }: RequestEvent): void {
    const key = `${id} ${time} ${client} ${target}`;
    if (state !== "running") return void this.#all.delete(key);
    const known = this.#all.get(key);
    const at = performance.now();
    if (known === undefined) {
      const rate = durationMs > 0 ? bytes / durationMs * 1000 : 0;
      this.#all.set(key, { target, client, total, bytes, rate, at, durationMs });
      return;
    }
    const seconds = (durationMs - known.durationMs) / 1000;
    if (seconds > 0) known.rate += ((bytes - known.bytes) / seconds - known.rate) * 0.3;
    known.bytes = bytes;
    known.durationMs = durationMs;
    known.at = at;
  }

  /** Forgets all downloads. */
  clear(): void {
    this.#all.clear();
  }

  /** Renders at most `most` lines of at most `columns` characters. */
  lines(columns: number, most: number, now: number, paint: Paint): string[] {
    if (this.#all.size === 0 || most < 2) return [];
    const lines: string[] = [];
    let sum = 0;
    for (const download of this.#all.values()) {
      const rate = now - download.at > STALLED_MS ? 0 : download.rate;
      sum += rate;
      if (lines.length < most - 1) lines.push(line(download, rate, columns, paint));
    }
    const count = `${this.#all.size} ${this.#all.size === 1 ? "download" : "downloads"}`;
    return [...lines, paint("dim", `${count}, ${formatBytes(sum)}/s`)];
  }
}

function line(
  { bytes, client, target, total }: Download,
  rate: number,
  columns: number,
  paint: Paint,
): string {
  const done = Math.min(1, bytes / total);
  const full = Math.round(done * BAR);
  const bar = paint("green", "█".repeat(full)) + paint("dim", "░".repeat(BAR - full));
  const left = rate > 0 ? eta((total - bytes) / rate) : "stalled";
  const figures = ` ${String(Math.floor(done * 100)).padStart(3)} %  ` +
    `${`${formatBytes(rate)}/s`.padStart(11)}  ${left.padStart(7)}  `;
  // A wrapped line could not be overwritten.
  const room = Math.max(0, columns - BAR - figures.length - 1);
  return bar + figures + `${shown(target) || "-"} → ${client}`.slice(0, room);
}

/** Formats seconds for readers. */
function eta(seconds: number): string {
  if (seconds < 100) return `${Math.ceil(seconds)} s`;
  if (seconds < 6000) return `${Math.ceil(seconds / 60)} min`;
  return seconds < 360_000 ? `${Math.ceil(seconds / 3600)} h` : "days";
}
