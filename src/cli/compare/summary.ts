/** Summarizes runs, and chooses a method. @module */

import { methodNamed } from "./methods.ts";
import type { CacheState, Choice, Row, Sample, Summary, TargetName, Traffic } from "./types.ts";

const GB = 1e9;

/** Methods up to this many times slower than the fastest are considered. */
const CONSIDERED = 1.25;

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

/** Chooses a method for each target and cache state. */
export function choose(rows: readonly Row[]): Choice[] {
  const pairs = new Map(rows.map(({ target, cache }) => [`${target} ${cache}`, { target, cache }]));
  return [...pairs.values()].map(({ target, cache }) =>
    choice(target, cache, rows.filter((row) => row.target === target && row.cache === cache))
  );
}

/** Of the methods nearly as fast as the fastest, picks the one with the least CPU time. */
function choice(target: TargetName, cache: CacheState, rows: readonly Row[]): Choice {
  // Uses the best rounds, because other work on the machine only adds time.
  const fastest = rows.reduce((a, b) => b.ms.min < a.ms.min ? b : a);
  const near = rows.filter(({ ms }) => ms.min <= fastest.ms.min * CONSIDERED);
  const best = near.reduce((a, b) => b.cpuPerGb.median < a.cpuPerGb.median ? b : a);
  const reasons = [
    `${figure(best.cpuPerGb.median)} CPU-s/GB at ${figure(best.gbPerSecond.median)} GB/s`,
  ];
  if (best === fastest) reasons.push("nothing was faster in its best round");
  else {
    const less = Math.round((1 - fastest.ms.min / best.ms.min) * 100);
    const more = fastest.cpuPerGb.median / Math.max(best.cpuPerGb.median, 1e-9);
    const faster = `${label(fastest)} took ${less} % less time in its best round`;
    reasons.push(`${faster}, for ${figure(more)} times the CPU`);
  }
  const stream = rows.find(({ method }) => method === "stream");
  if (stream !== undefined && stream !== best) {
    const times = stream.cpuPerGb.median / Math.max(best.cpuPerGb.median, 1e-9);
    reasons.push(`the runtime's stream costs ${figure(times)} times as much CPU`);
  }
  return { target, cache, method: best.method, why: reasons.join("; ") };
}

function label({ method }: Row): string {
  return methodNamed(method).label;
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
