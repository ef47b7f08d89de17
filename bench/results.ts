/** Kept measurements, in `bench/results/<date>-<what>.json`. @module */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Report } from "./report.ts";

const FOLDER = new URL("results/", import.meta.url);

/** A kept measurement. */
export interface Result {
  /** Name of the benchmark. */
  readonly what: string;
  /** Day of the measurement, such as `2026-11-21`. */
  readonly date: string;
  readonly title: string;
  readonly method: readonly string[];
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly bars: Report["bars"];
  readonly series?: Report["series"];
  readonly pictures?: Report["pictures"];
  readonly environment: {
    readonly machine: string;
    readonly load: string;
    readonly versions: Record<string, string>;
  };
}

/** Keeps a report, and replaces an older one of the same day; returns the path. */
export function save(what: string, report: Report, environment: Result["environment"]): string {
  const date = new Date().toISOString().slice(0, 10);
  const { samples: _, ...kept } = report;
  const result: Result = { what, date, environment, ...kept };
  mkdirSync(FOLDER, { recursive: true });
  const file = new URL(`${date}-${what}.json`, FOLDER);
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  return fileURLToPath(file);
}

/** Returns the newest result of each benchmark, by name. */
export function newest(): Map<string, Result> {
  const found = new Map<string, Result>();
  let names: string[];
  try {
    names = readdirSync(FOLDER).filter((name) => name.endsWith(".json")).sort();
  } catch {
    // There are no results yet.
    return found;
  }
  for (const name of names) {
    const result = JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")) as Result;
    found.set(result.what, result);
  }
  return found;
}
