/** From kept results to what readers see: charts in `docs/`, tables in `README.md`. @module */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chart, parseCell } from "./chart.ts";
import { table } from "./report.ts";
import { newest, type Result } from "./results.ts";

const ROOT = new URL("../", import.meta.url);
const README = new URL("README.md", ROOT);
const CHARTS = new URL("docs/charts/", ROOT);

/** Writes everything anew; returns the paths of what was written. */
export function publish(): string[] {
  const results = newest();
  if (results.size === 0) return ["Nothing is kept in bench/results: measure with --save first."];
  mkdirSync(CHARTS, { recursive: true });
  const written = [...results.values()].flatMap(draw);
  const text = readFileSync(README, "utf8");
  const filled = fill(text, results);
  if (filled !== text) {
    writeFileSync(README, filled);
    written.push(fileURLToPath(README));
  }
  return written;
}

/** One chart for each column that holds figures, but for what is said of the clients. */
function draw(result: Result): string[] {
  const { what, title, columns, rows } = result;
  return columns.flatMap((column, index) => {
    if (index === 0 || column.startsWith("client")) return [];
    const entries = rows.flatMap((row) => {
      const figures = parseCell(row[index]!);
      return figures === undefined ? [] : [{ label: row[0]!, ...figures }];
    });
    if (entries.length < 2) return [];
    const name = `${what}-${column.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}.svg`;
    const file = new URL(name, CHARTS);
    writeFileSync(file, chart(`${title.split(":", 1)[0]}: ${column}`, entries));
    return [fileURLToPath(file)];
  });
}

/** Fills `<!-- bench:WHAT -->` to `<!-- /bench -->` with the table of that benchmark. */
export function fill(text: string, results: ReadonlyMap<string, Result>): string {
  return text.replaceAll(
    /(<!-- bench:(\w+) -->\n)[\s\S]*?(<!-- \/bench -->)/g,
    (whole, start: string, what: string, end: string) => {
      const result = results.get(what);
      return result === undefined ? whole : `${start}${section(result)}\n${end}`;
    },
  );
}

function section({ columns, rows, environment, date }: Result): string {
  // What is said of the clients is for whoever measures.
  const kept = columns.flatMap((name, index) => name.startsWith("client") ? [] : [index]);
  const cells = (row: readonly string[]) => kept.map((index) => row[index]!);
  const { machine, versions } = environment;
  const names = Object.values(versions).map((version) => version.replace(/^\w+ version: /, ""));
  return `\n${table(cells(columns), rows.map(cells))}\n\n` +
    `Measured on ${date}: ${machine}; ${names.join(", ")}.\n`;
}
