/** Summarizes runs. @module */

import type { Row, Sample, Summary, Traffic } from "./types.ts";

const GB = 1e9;

/** Returns the median, smallest and largest value; an even series averages the two middle ones. */
export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/** Groups figures by target, cache state and method, in order of appearance. */
export function rowsOf(
  samples: readonly Sample[],
  traced: ReadonlyMap<string, Traffic>,
): Row[] {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const key = `${sample.target} ${sample.cache} ${sample.method}`;
    groups.set(key, [...groups.get(key) ?? [], sample]);
  }
  return [...groups.values()].map((group) => {
    const { target, cache, method } = group[0]!;
    return rowOf(group, group[0]!.calls === null ? traced.get(`${target} ${method}`) : undefined, {
      target,
      cache,
      method,
    });
  });
}

type Identity = Pick<Row, "target" | "cache" | "method">;

function rowOf(group: readonly Sample[], traced: Traffic | undefined, identity: Identity): Row {
  const of = (value: (sample: Sample) => number) => summarize(group.map(value));
  const perGb = (value: (sample: Sample) => number) =>
    of((sample) => value(sample) / 1000 / (Math.max(1, sample.bytes) / GB));
  const median = (name: NumberOf<Sample>) => of((sample) => sample[name]).median;
  // Socket fill levels vary between rounds. The median round represents all.
  const sorted = [...group].sort((a, b) => total(a) - total(b));
  const { calls, intoUser, outOfUser, inKernel } = sorted[Math.floor((sorted.length - 1) / 2)]!;
  return {
    ...identity,
    rounds: group.length,
    bytes: group[0]!.bytes,
    ms: of(({ ms }) => ms),
    gbPerSecond: of(({ bytes, ms }) => bytes / GB / (ms / 1000)),
    userPerGb: perGb(({ userMs }) => userMs),
    systemPerGb: perGb(({ systemMs }) => systemMs),
    cpuPerGb: perGb(({ userMs, systemMs }) => userMs + systemMs),
    voluntary: median("voluntary"),
    involuntary: median("involuntary"),
    minorFaults: median("minorFaults"),
    majorFaults: median("majorFaults"),
    peak: median("peak"),
    growth: median("growth"),
    cacheGrowth: median("cacheGrowth"),
    traffic: traced ?? { calls, intoUser, outOfUser, inKernel },
  };
}

type NumberOf<T> = { [K in keyof T]: T[K] extends number ? K : never }[keyof T];

/** Returns the number of calls; `null` if they were not counted. */
export function totalCalls({ calls }: Traffic): number | null {
  return calls === null ? null : Object.values(calls).reduce((sum, count) => sum + count, 0);
}

function total(sample: Sample): number {
  return totalCalls(sample) ?? 0;
}

/** Formats a number with three significant digits. */
export function figure(value: number): string {
  if (value === 0) return "0";
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Formats bytes in decimal units. */
export function size(bytes: number): string {
  if (bytes >= 1e9) return `${figure(bytes / 1e9)} GB`;
  if (bytes >= 1e6) return `${figure(bytes / 1e6)} MB`;
  return bytes >= 1e3 ? `${figure(bytes / 1e3)} kB` : `${bytes} B`;
}
