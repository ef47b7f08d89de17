/**
 * From kept results to what readers see: charts in `docs/charts/`, everything in
 * `docs/benchmarks.md`, and the tables in `README.md` that have a place there.
 *
 * @module
 */

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chart, parseCell } from "./chart.ts";
import { lineChart } from "./line_chart.ts";
import { table, verdicts } from "./report.ts";
import { newest, type Result } from "./results.ts";

const ROOT = new URL("../", import.meta.url);
const README = new URL("README.md", ROOT);
const PAGE = new URL("docs/benchmarks.md", ROOT);
const CHARTS = new URL("docs/charts/", ROOT);
/** Bars that one chart can show. */
const MOST_BARS = 32;
/** Columns of figures that become charts; the rest is in the table. */
const MOST_CHARTS = 3;

/** A chart, and where it belongs. */
interface Chart {
  readonly name: string;
  readonly title: string;
  readonly svg: string;
}

/** Writes everything anew; returns the paths of what was written. */
export function publish(): string[] {
  const results = newest();
  if (results.size === 0) return ["Nothing is kept in bench/results: measure with --save first."];
  mkdirSync(CHARTS, { recursive: true });
  const charts = new Map([...results.values()].map((result) => [result.what, draw(result)]));
  const written = [...charts.values()].flat().map(({ name, svg }) => {
    const file = new URL(name, CHARTS);
    writeFileSync(file, svg);
    return fileURLToPath(file);
  });
  // Charts of columns that are no more.
  for (const name of readdirSync(CHARTS)) {
    const file = new URL(name, CHARTS);
    if (!written.includes(fileURLToPath(file))) rmSync(file);
  }
  writeFileSync(PAGE, page(results, charts));
  written.push(fileURLToPath(PAGE));
  const text = readFileSync(README, "utf8");
  const filled = fill(text, results);
  if (filled !== text) {
    writeFileSync(README, filled);
    written.push(fileURLToPath(README));
  }
  return written;
}

/** The lines of a result, or one chart for each column that holds figures, but of the clients. */
export function draw({ what, title, columns, rows, series }: Result): Chart[] {
  if (series !== undefined) {
    return series.map((each) => ({
      name: `${what}-${each.name}.svg`,
      title: each.title,
      svg: lineChart(each),
    }));
  }
  return columns.flatMap((column, index) => {
    if (index === 0 || column.startsWith("client")) return [];
    const entries = rows.flatMap((row) => {
      const figures = parseCell(row[index]!);
      return figures === undefined ? [] : [{ label: row[0]!, ...figures }];
    });
    if (entries.length < 2 || entries.length > MOST_BARS) return [];
    const name = `${what}-${column.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}.svg`;
    const heading = `${title.split(":", 1)[0]}: ${column}`;
    return [{ name, title: heading, svg: chart(heading, entries) }];
  }).slice(0, MOST_CHARTS);
}

/** Everything that was measured: tables, what was to be reached, and how. */
export function page(
  results: ReadonlyMap<string, Result>,
  charts: ReadonlyMap<string, readonly Chart[]>,
): string {
  const sections = [...results.values()].map((result) => {
    const { what, title, method, bars } = result;
    const pictures = charts.get(what)!.map(({ name, title }) => `![${title}](charts/${name})`);
    return [
      `## ${title}`,
      method.map((line) => `- ${line}`).join("\n"),
      ...pictures,
      section(result).trim(),
      verdicts(bars),
      `Again: \`npm run bench -- ${what}\``,
    ].filter((part) => part !== "").join("\n\n");
  });
  return `# What was measured

This page is written by \`npm run bench -- report\` from the newest figures in \`bench/results\`. Cases
that are lost and figures that are missed are shown like the others. A range in brackets is from the
smallest to the largest of all rounds.

${sections.join("\n\n")}
`;
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
