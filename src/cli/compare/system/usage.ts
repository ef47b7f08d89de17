/** Reads the kernel's counters for this process. @module */

import { readFileSync, writeFileSync } from "node:fs";
import * as raw from "../../../sys/raw/mod.ts";
import { must } from "../calls.ts";

/** A snapshot of the counters, for all threads. */
export interface Usage {
  readonly ms: number;
  readonly userMs: number;
  readonly systemMs: number;
  readonly minorFaults: number;
  readonly majorFaults: number;
  readonly voluntary: number;
  readonly involuntary: number;
}

/** Reads the counters. */
export function usage(): Usage {
  const fields = new BigInt64Array(18);
  must(raw.getrusage(fields), "getrusage");
  const at = (index: number) => Number(fields[index]);
  return {
    ms: performance.now(),
    userMs: at(0) * 1000 + at(1) / 1000,
    systemMs: at(2) * 1000 + at(3) / 1000,
    minorFaults: at(8),
    majorFaults: at(9),
    voluntary: at(16),
    involuntary: at(17),
  };
}

/** Returns the usage between two snapshots. */
export function difference(before: Usage, after: Usage): Usage {
  const names = Object.keys(before) as (keyof Usage)[];
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as
    & Record<string, number>
    & Usage;
}

/** Resets the peak of resident memory. */
export function resetPeak(): void {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    // Not permitted. The peak then covers the whole life, including the start of the runtime.
  }
}

/** Returns the resident memory in bytes, now and at its peak. */
export function memory(): { resident: number; peak: number } {
  const status = readFileSync("/proc/self/status", "utf8");
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) * 1024;
  return { resident: field("VmRSS"), peak: field("VmHWM") };
}
