/** What a benchmark reports, and how it is printed: as Markdown, which a terminal shows as well. @module */

import type { Summary } from "./measure/stats.ts";

/** A figure that is to be reached. */
export interface Bar {
  readonly subject: string;
  readonly what: string;
  readonly value: Summary;
  readonly limit: number;
  /** Whether the limit is to be reached from above or from below. */
  readonly wanted: "at most" | "at least";
}

/** How something grows: lines over an axis with a logarithmic scale. */
export interface Series {
  /** Unique within a benchmark, as a part of a file name. */
  readonly name: string;
  readonly title: string;
  readonly lines: readonly {
    readonly name: string;
    readonly points: readonly (Summary & { readonly x: number })[];
  }[];
}

/** The outcome of one benchmark. */
export interface Report {
  readonly title: string;
  /** What was done, a sentence a line. */
  readonly method: readonly string[];
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly bars: readonly Bar[];
  /** What is drawn as lines, instead of one bar for each row. */
  readonly series?: readonly Series[];
  /** Every single figure, for `--json`. */
  readonly samples: unknown;
}

/** Renders a report. */
export function render({ title, method, columns, rows, bars }: Report): string {
  return [
    `## ${title}`,
    method.map((line) => `- ${line}`).join("\n"),
    table(columns, rows),
    verdicts(bars),
  ].filter((part) => part !== "").join("\n\n");
}

/** What was to be reached, and whether it was: missed figures are shown like the others. */
export function verdicts(bars: readonly Bar[]): string {
  if (bars.length === 0) return "";
  const rows = bars.map((bar) => [
    bar.subject,
    bar.what,
    `${bar.wanted} ${number(bar.limit)}`,
    spread(bar.value),
    reached(bar) ? "reached" : "**missed**",
  ]);
  return table(["", "bar", "limit", "measured", ""], rows);
}

/** Whether the median is within the limit. */
export function reached({ value, limit, wanted }: Bar): boolean {
  return wanted === "at most" ? value.median <= limit : value.median >= limit;
}

/** A median with its spread: `0.20 (0.19-0.23)`. */
export function spread({ median, min, max }: Summary): string {
  return `${number(median)} (${number(min)}-${number(max)})`;
}

/** Three digits that count. */
export function number(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return Math.abs(value) < 0.1 && value !== 0 ? value.toPrecision(2) : value.toFixed(digits);
}

/** A table in Markdown, with its columns aligned for readers of the source. */
export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((name, i) =>
    Math.max(3, name.length, ...rows.map((r) => r[i]!.length))
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  return [line(columns), line(widths.map((w) => "-".repeat(w))), ...rows.map(line)].join("\n");
}
