/** What is kept of a measurement, in `bench/results/<date>-<what>.json`. @module */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Report } from "./report.ts";

const FOLDER = new URL("results/", import.meta.url);

/** A kept measurement. */
export interface Result {
  /** Name of the benchmark. */
  readonly what: string;
  /** Day on which it was measured, as `2026-11-21`. */
  readonly date: string;
  readonly title: string;
  readonly method: readonly string[];
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly bars: Report["bars"];
  readonly series?: Report["series"];
  readonly environment: {
    readonly machine: string;
    readonly load: string;
    readonly versions: Record<string, string>;
  };
}

/** Keeps a report, in the place of an older one of the same day; returns the path. */
export function save(what: string, report: Report, environment: Result["environment"]): string {
  const date = new Date().toISOString().slice(0, 10);
  const { title, method, columns, rows, bars, series } = report;
  const result: Result = { what, date, title, environment, method, columns, rows, bars, series };
  mkdirSync(FOLDER, { recursive: true });
  const file = new URL(`${date}-${what}.json`, FOLDER);
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  return fileURLToPath(file);
}

/** The newest result of every benchmark, by its name. */
export function newest(): Map<string, Result> {
  const found = new Map<string, Result>();
  let names: string[];
  try {
    names = readdirSync(FOLDER).filter((name) => name.endsWith(".json")).sort();
  } catch {
    // Nothing has been kept yet.
    return found;
  }
  for (const name of names) {
    const result = JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")) as Result;
    found.set(result.what, result);
  }
  return found;
}
