/** Statistics as Prometheus text: `prometheus`. @module */

import type { RelayStats } from "../move/relay/server/stats.ts";
import { checkObject, describe } from "../options.ts";
import type { FileServerStats } from "./server/control/stats.ts";

/** Options of {@linkcode prometheus}. */
export interface PrometheusOptions {
  /** First part of all names. @default {"sluice"} */
  readonly prefix?: string | undefined;
  /** Labels of all values, such as `{ server: "media" }`. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** Current values; all others count up from the start. */
const GAUGES: ReadonlySet<string> = new Set(["open", "active", "pipes", "cache.bytes"]);

/** Groups whose members are values of one label, and the label. */
const LABELS: Readonly<Record<string, string>> = {
  statuses: "class",
  threads: "thread",
  failures: "reason",
};

type Labels = Readonly<Record<string, string>>;
interface Sample {
  readonly name: string;
  readonly gauge: boolean;
  readonly labels: Labels;
  readonly value: number;
}

/**
 * Formats the statistics of a file server or a relay for Prometheus (text format 0.0.4).
 *
 * Names follow those of `stats()`: `coldReads` becomes `sluice_cold_reads_total`. Values that can
 * fall, such as `open`, have no `_total`. Members of `statuses`, `failures` and `threads` are values
 * of a label: `sluice_statuses_total{class="2xx"}`. Serve it with the type
 * `text/plain; version=0.0.4`.
 *
 * @param stats Result of `stats()` of `createFileServer` or `createRelay`.
 * @param options Prefix and labels. Two servers on one page need different ones.
 * @returns The text, which ends with a line feed.
 *
 * @throws {TypeError} When an argument has the wrong type, or a name is not allowed.
 *
 * @example A page for Prometheus
 * ```ts ignore
 * createServer((req, res) => {
 *   res.setHeader("Content-Type", "text/plain; version=0.0.4");
 *   res.end(prometheus(server.stats()) + prometheus(relay.stats(), { prefix: "relay" }));
 * });
 * ```
 *
 * @see {@link https://prometheus.io/docs/instrumenting/exposition_formats/}
 */
export function prometheus(
  stats: FileServerStats | RelayStats,
  options: PrometheusOptions = {},
): string {
  const action = "format statistics";
  checkObject(stats, action);
  checkObject(options, action);
  const { prefix = "sluice", labels = {} } = options;
  checkName(prefix, "prefix");
  checkObject(labels, action);
  for (const name of Object.keys(labels)) checkName(name, "label");
  const families = new Map<string, string[]>();
  for (const sample of samplesOf(stats as unknown as Record<string, unknown>, [], labels)) {
    const name = `${prefix}_${sample.name}${sample.gauge ? "" : "_total"}`;
    let lines = families.get(name);
    if (lines === undefined) {
      families.set(name, lines = [`# TYPE ${name} ${sample.gauge ? "gauge" : "counter"}`]);
    }
    lines.push(`${name}${textOf(sample.labels)} ${sample.value}`);
  }
  return [...families.values()].flat().map((line) => `${line}\n`).join("");
}

/** Yields the numbers of an object; other values, such as the last error, are none. */
function* samplesOf(
  group: Readonly<Record<string, unknown>>,
  path: readonly string[],
  labels: Labels,
  label?: string,
): Generator<Sample> {
  for (const [key, value] of Object.entries(group)) {
    const own = label === undefined ? labels : { ...labels, [label]: key };
    const at = label === undefined ? [...path, key] : path;
    if (typeof value === "number") {
      const gauge = GAUGES.has(at.join(".")) || GAUGES.has(key);
      yield { name: at.map(snakeCase).join("_"), gauge, labels: own, value };
    } else if (typeof value === "object" && value !== null) {
      yield* samplesOf(value as never, at, own, label === undefined ? LABELS[key] : undefined);
    }
  }
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function textOf(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    const escaped = String(value).replace(/[\\"\n]/g, (c) => c === "\n" ? "\\n" : `\\${c}`);
    return `${name}="${escaped}"`;
  });
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function checkName(value: unknown, role: string): void {
  if (typeof value === "string" && /^[a-zA-Z_]\w*$/.test(value)) return;
  throw new TypeError(`Cannot format statistics: ${describe(value)} is not a ${role}`);
}
