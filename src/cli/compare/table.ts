/** Formats the comparison for a terminal. @module */

import { wrap } from "../output.ts";
import type { Paint } from "../style.ts";
import { METHODS } from "./methods.ts";
import { figure, size, totalCalls } from "./summary.ts";
import type { CacheState, Comparison, Row, Summary, TargetName } from "./types.ts";

/** Targets in words. */
export const TARGETS: Record<TargetName, string> = {
  socket: "into a TCP socket",
  file: "into a file",
  pipe: "into a pipe",
  two: "into two TCP sockets at once",
};

/** Cache states in words. */
export const CACHES: Record<CacheState, string> = {
  warm: "file in the page cache",
  cold: "file on the disk",
};

/** Returns the label of a method. */
export function labelOf(name: string): string {
  return METHODS.find((method) => method.name === name)?.label ?? name;
}

type Column = readonly [string, (row: Row) => string];

const COLUMNS: readonly Column[] = [
  ["method", ({ method }) => labelOf(method)],
  ["ms", ({ ms }) => spread(ms)],
  ["GB/s", ({ gbPerSecond }) => figure(gbPerSecond.median)],
  ["CPU-s/GB", ({ cpuPerGb }) => spread(cpuPerGb)],
  ["user", ({ userPerGb }) => figure(userPerGb.median)],
  ["system", ({ systemPerGb }) => figure(systemPerGb.median)],
  ["calls", ({ traffic }) => count(totalCalls(traffic))],
  ["switches", ({ voluntary, involuntary }) => `${count(voluntary)}+${count(involuntary)}`],
  ["user memory", ({ traffic }) => crossing(traffic)],
  ["faults", ({ minorFaults, majorFaults }) => `${count(minorFaults)}+${count(majorFaults)}`],
  ["cache", ({ cacheGrowth }) => size(cacheGrowth)],
  ["peak", ({ peak }) => size(peak)],
];

/** Columns to drop first if the terminal is narrow. */
const LEAST_WANTED: readonly string[] = [
  "peak",
  "faults",
  "cache",
  "switches",
  "user",
  "system",
  "ms",
  "user memory",
  "calls",
  "GB/s",
];

/** Explains the columns. */
export const LEGEND: readonly string[] = [
  "ms, CPU-s/GB: median (smallest-largest). calls: system calls while moving. switches: context " +
  "switches, voluntary + involuntary. user memory: bytes in + out of the memory of the process.",
  "faults: page faults without + with the disk. cache: growth of the page cache. peak: resident " +
  "memory, most of it the runtime's own.",
];

/** Column headings. */
export const COLUMN_NAMES: readonly string[] = COLUMNS.map(([name]) => name);

/** Returns the cells of a table row. */
export function cells(row: Row): string[] {
  return COLUMNS.map(([, text]) => text(row));
}

/** Says that the file is too small, in one line. */
export function smallness({ file, leastBytes }: Comparison): string {
  return `${file.path ?? "random bytes"} is too small to measure: it has ${
    size(file.bytes)
  }, and ` +
    `sluice compare measures files from ${leastBytes / 1e6} MB`;
}

/** Renders the comparison for a terminal of `width` columns. */
export function render(comparison: Comparison, paint: Paint, width: number = Infinity): string {
  if (comparison.tooSmall) return smallness(comparison);
  const { file, machine, rounds, rows, refusals, choices, notes } = comparison;
  const name = file.path === null ? "random bytes" : file.path;
  const left = new Set<string>();
  const lines = [
    `${name}, ${size(file.bytes)}; ${rounds} interleaved ${rounds === 1 ? "round" : "rounds"}`,
    paint(
      "dim",
      `${machine.processors}, kernel ${machine.kernel}, ${machine.runtime} (${machine.backend})`,
    ),
  ];
  for (const { target, cache, method, why } of choices) {
    const group = rows.filter((row) => row.target === target && row.cache === cache);
    lines.push("", paint("bold", `${capital(TARGETS[target])}, ${CACHES[cache]}`));
    lines.push(...table(group, method, paint, width, left));
    const verdict = method === null
      ? paint("yellow", "no advice")
      : paint("green", `choose ${labelOf(method)}`);
    const choice = `  ${verdict}: ${why}`;
    lines.push(...wrap(choice, width, "  "));
  }
  if (refusals.length > 0) {
    lines.push("", paint("bold", "Not possible here"));
    for (const { target, method, reason } of refusals) {
      lines.push(...wrap(`  ${labelOf(method)}, ${TARGETS[target]}: ${reason}`, width, "    "));
    }
  }
  const more = left.size === 0
    ? []
    : [`A wider terminal, --json or --html shows more: ${[...left].join(", ")}.`];
  const below = [...notes, ...LEGEND, ...more].flatMap((text) => wrap(text, width));
  lines.push("", ...below.map((text) => paint("dim", text)));
  return lines.join("\n");
}

/** Renders a table of at most `most` columns; adds the dropped columns to `left`. */
function table(
  rows: readonly Row[],
  chosen: string | null,
  paint: Paint,
  most: number,
  left: Set<string>,
): string[] {
  const lines = [COLUMN_NAMES, ...rows.map(cells)];
  const widths = COLUMN_NAMES.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const shown = new Set(widths.keys());
  const total = () => [...shown].reduce((sum, i) => sum + 2 + widths[i]!, 0);
  for (const name of LEAST_WANTED) {
    if (total() <= most) break;
    shown.delete(COLUMN_NAMES.indexOf(name));
    left.add(name);
  }
  return lines.map((line, index) => {
    const text = [...shown].map((i) =>
      i === 0 ? line[i]!.padEnd(widths[i]!) : line[i]!.padStart(widths[i]!)
    );
    const joined = `  ${text.join("  ")}`;
    if (index === 0) return paint("dim", joined);
    return rows[index - 1]!.method === chosen ? paint("green", joined) : joined;
  });
}

function spread({ median, min, max }: Summary): string {
  return min === max ? figure(median) : `${figure(median)} (${figure(min)}-${figure(max)})`;
}

/** Formats bytes in and out as `2 GB + 2 GB`, or `none`. */
export function crossing({ calls, intoUser, outOfUser }: Row["traffic"]): string {
  if (calls === null) return "?";
  return intoUser + outOfUser === 0 ? "none" : `${size(intoUser)} + ${size(outOfUser)}`;
}

/** Formats a count briefly. */
export function count(value: number | null): string {
  if (value === null) return "?";
  return value >= 10_000 ? `${figure(value / 1000)} k` : String(Math.round(value));
}

/** Capitalizes a text. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
