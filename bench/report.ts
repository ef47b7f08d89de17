/** A benchmark's report, printed as Markdown, which is readable in a terminal. @module */

import type { Entry } from "./chart.ts";
import type { Summary } from "./measure/stats.ts";

/** A figure with a limit. */
export interface Bar {
  readonly subject: string;
  readonly what: string;
  readonly value: Summary;
  readonly limit: number;
  /** Whether the limit is an upper or a lower bound. */
  readonly wanted: "at most" | "at least";
}

/** Lines over a logarithmic axis. */
export interface Series {
  /** Name that is unique within a benchmark; part of a file name. */
  readonly name: string;
  readonly title: string;
  readonly lines: readonly {
    readonly name: string;
    readonly points: readonly (Summary & { readonly x: number })[];
  }[];
}

/** Bars over one axis. */
export interface Picture {
  /** Name that is unique within a benchmark; part of a file name. */
  readonly name: string;
  readonly title: string;
  readonly entries: readonly Entry[];
}

/** The result of a benchmark. */
export interface Report {
  readonly title: string;
  /** How it was measured; each string becomes an item of a list. */
  readonly method: readonly string[];
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly bars: readonly Bar[];
  /** Lines to draw instead of one bar per row. */
  readonly series?: readonly Series[];
  /** Bar charts to draw instead of one per column. */
  readonly pictures?: readonly Picture[];
  /** All single figures, for `--json`. */
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

/** Renders the limits and whether they were reached, including missed ones. */
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

/** Formats a median with its spread: `0.20 (0.19-0.23)`; a single figure has none. */
export function spread({ median, min, max }: Summary): string {
  if (min === max) return number(median);
  return `${number(median)} (${number(min)}-${number(max)})`;
}

/** Formats a number with three significant digits. */
export function number(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return Math.abs(value) < 0.1 && value !== 0 ? value.toPrecision(2) : value.toFixed(digits);
}

/** Renders a Markdown table with aligned columns. */
export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((name, i) =>
    Math.max(3, name.length, ...rows.map((r) => r[i]!.length))
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  return [line(columns), line(widths.map((w) => "-".repeat(w))), ...rows.map(line)].join("\n");
}
