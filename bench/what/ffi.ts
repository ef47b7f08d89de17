/** The cost of a call through `src/sys/raw` over the backend's bare call. @module */

import type { CallCost } from "../client/ffi_calls.ts";
import type { Context } from "../context.ts";
import { commandFor, type RuntimeName, versionOf } from "../environment.ts";
import { summarize } from "../measure/stats.ts";
import { run } from "../processes.ts";
import { type Bar, type Report, spread } from "../report.ts";

/** Most nanoseconds that a raw call may add. */
const LIMIT_NS = 100;

interface Sample extends CallCost {
  readonly runtime: RuntimeName;
}

/** Runs the benchmark. */
export async function ffi({ workspace, runtimes, rounds, note }: Context): Promise<Report> {
  const samples: Sample[] = [];
  const script = workspace.script("client/ffi_calls");
  const installed = runtimes.filter((name) => versionOf(name) !== undefined);
  for (let round = 1; round <= rounds; round++) {
    for (const runtime of installed) {
      note(`round ${round}, ${runtime}`);
      const costs = await run<CallCost[]>(commandFor(runtime, script, []));
      samples.push(...costs.map((cost) => ({ ...cost, runtime })));
    }
  }
  const groups = [...Map.groupBy(samples, ({ runtime, call }) => `${runtime} ${call}`)];
  return {
    title: "ffi: nanoseconds of a call through src/sys/raw and of the bare call",
    method: [
      `Both calls fail at once (the descriptor is -1), so the kernel's part is small and equal.`,
      `Median (min-max) of ${rounds} processes per backend; each reports the fastest of interleaved batches.`,
    ],
    columns: ["backend and call", "bare ns", "raw ns"],
    rows: groups.map(([name, costs]) => [
      name,
      spread(summarize(costs.map(({ bareNs }) => bareNs))),
      spread(summarize(costs.map(({ rawNs }) => rawNs))),
    ]),
    bars: groups.map(([subject, costs]): Bar => ({
      subject,
      what: "ns added",
      value: summarize(costs.map(({ bareNs, rawNs }) => rawNs - bareNs)),
      limit: LIMIT_NS,
      wanted: "at most",
    })),
    samples,
  };
}
