/** Formats the lines of `sluice relay`. @module */

import type { RelayStats } from "../../mod.ts";
import { counted } from "../quantity.ts";

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Formats bytes in decimal units with three significant digits, such as `"1.23 GB"`. */
export function bytes(count: number): string {
  let unit = 0;
  while (count >= 999.5 && unit < UNITS.length - 1) {
    count /= 1000;
    unit++;
  }
  const digits = unit === 0 || count >= 99.95 ? 0 : count >= 9.995 ? 1 : 2;
  return `${count.toFixed(digits)} ${UNITS[unit]}`;
}

/** Computes rates between two calls of {@linkcode Rates.take}. */
export class Rates {
  #bytesUp = 0;
  #bytesDown = 0;
  #atMs: number;

  /** Starts at `nowMs`. */
  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  /** Returns the rates since the previous call, in bytes per second. */
  take({ bytesDown, bytesUp }: RelayStats, nowMs: number): { up: number; down: number } {
    const seconds = Math.max(1, nowMs - this.#atMs) / 1000;
    const up = (bytesUp - this.#bytesUp) / seconds;
    const down = (bytesDown - this.#bytesDown) / seconds;
    this.#bytesUp = bytesUp;
    this.#bytesDown = bytesDown;
    this.#atMs = nowMs;
    return { up, down };
  }
}

/** Formats the current state. */
export function statusLine(stats: RelayStats, { down, up }: { up: number; down: number }): string {
  const parts = [
    `${stats.active} of ${counted(stats.accepted, "connection")}`,
    `up ${bytes(up)}/s`,
    `down ${bytes(down)}/s`,
    `total ${bytes(stats.bytesUp + stats.bytesDown)}`,
  ];
  return [...parts, ...troubles(stats)].join("  ");
}

/** Formats the totals. */
export function summaryLine(stats: RelayStats): string {
  const { accepted, bytesDown, bytesUp } = stats;
  const parts = [
    counted(accepted, "connection"),
    `up ${bytes(bytesUp)}`,
    `down ${bytes(bytesDown)}`,
  ];
  return [...parts, ...troubles(stats)].join("  ");
}

function troubles({ broken, idle, lastConnectError, refused, unreached }: RelayStats): string[] {
  const parts: string[] = [];
  if (unreached > 0) parts.push(`${unreached} unreached (${lastConnectError})`);
  if (refused > 0) parts.push(`${refused} refused`);
  if (broken > 0) parts.push(`${broken} broken`);
  if (idle > 0) parts.push(`${idle} idle`);
  return parts;
}
