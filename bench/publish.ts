/**
 * Turns kept results into documents: charts in `docs/charts/`, `docs/benchmarks.md`, and the tables
 * in `README.md` that are marked for it.
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
/** Most bars in a chart. */
const MOST_BARS = 32;
/** Most columns of figures that become charts. The table has the rest. */
const MOST_CHARTS = 3;

/** A chart and its place. */
interface Chart {
  readonly name: string;
  readonly title: string;
  readonly svg: string;
}

/** Writes all documents; returns their paths. */
export function publish(): string[] {
  const results = newest();
  if (results.size === 0) return ["bench/results is empty: run a benchmark with --save first."];
  mkdirSync(CHARTS, { recursive: true });
  const charts = new Map([...results.values()].map((result) => [result.what, draw(result)]));
  const written = [...charts.values()].flat().map(({ name, svg }) => {
    const file = new URL(name, CHARTS);
    writeFileSync(file, svg);
    return fileURLToPath(file);
  });
  // Charts of columns that no longer exist.
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

/** Draws the lines or the pictures of a result, or one chart per column of figures, except the clients' columns. */
export function draw({ what, title, columns, rows, series, pictures }: Result): Chart[] {
  if (pictures !== undefined) {
    return pictures.map((each) => ({
      name: `${what}-${each.name}.svg`,
      title: each.title,
      svg: chart(each.title, each.entries),
    }));
  }
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

/** Renders the page: methods, tables, limits and whether they were reached. */
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
      `Repeat it: \`npm run bench -- ${what}\``,
    ].filter((part) => part !== "").join("\n\n");
  });
  return `# Measurements

\`npm run bench -- report\` writes this page from the newest figures in \`bench/results\`. It also
shows the cases that sluice loses and the limits that it misses. A range in brackets goes from the
smallest to the largest of all rounds.

${sections.join("\n\n")}
`;
}

/** Replaces the text from `<!-- bench:WHAT -->` to `<!-- /bench -->` by that benchmark's table. */
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
  // Columns about the clients serve the person who measures, not the reader.
  const kept = columns.flatMap((name, index) => name.startsWith("client") ? [] : [index]);
  const cells = (row: readonly string[]) => kept.map((index) => row[index]!);
  const { machine, versions } = environment;
  const names = Object.values(versions).map((version) => version.replace(/^\w+ version: /, ""));
  return `\n${table(cells(columns), rows.map(cells))}\n\n` +
    `Measured on ${date}: ${machine}; ${names.join(", ")}.\n`;
}
