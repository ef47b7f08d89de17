/** A small request while 4 clients stream files that are not in the page cache. @module */

import type { DrainJob, DrainResult } from "../client/drain.ts";
import type { ProbeResult } from "../client/probe.ts";
import type { Context } from "../context.ts";
import { drop } from "../measure/page_cache.ts";
import { withheldSeconds } from "../measure/proc.ts";
import { ratios, summarize } from "../measure/stats.ts";
import { probe, startProbe } from "../probe.ts";
import { delay, PINNING, type Server, startClient } from "../processes.ts";
import { type Bar, number, type Report, spread } from "../report.ts";
import { findSubjects, type Subject } from "../subjects.ts";
import { verify } from "../verify.ts";
import type { ServedFile } from "../workspace.ts";

const STREAMS = 4;
const SIZE = 1024 ** 3;
/** Long enough that a busy server answers one request before the next is due. */
const PROBE_INTERVAL_MS = 20;
const WARM_UP_MS = 1000;
const IDLE_MS = 2000;
/** Duration of the repeated streaming of warm files, in milliseconds. */
const WARM_MS = 4000;
/** Time between the start of the streams and of the probe, in milliseconds. */
const HEAD_START_MS = 200;
/** Time limit of the cold streams, in milliseconds, for slow disks. */
const COLD_LIMIT_MS = 20_000;
/** Largest slowdown of a small request. */
const LATENCY_LIMIT = 3;

interface Round {
  readonly idle: ProbeResult;
  readonly warm: ProbeResult;
  readonly cold: ProbeResult;
  readonly warmStreams: DrainResult;
  readonly coldStreams: DrainResult;
  /** Processor time that a hypervisor withheld during the cold streams, in milliseconds. */
  readonly withheldMs: number;
}

interface Measured {
  readonly subject: Subject;
  readonly rounds: Round[];
}

/** Runs the benchmark. */
export async function cold(context: Context): Promise<Report> {
  const { workspace, rounds, note } = context;
  note(`writing ${STREAMS} files of 1 GiB`);
  const large = Array.from({ length: STREAMS }, (_, i) => workspace.file(`large-${i}`, SIZE));
  const small = workspace.file("small", 1024);
  const subjects = findSubjects(context, ["nginx-off"]);
  const all: Measured[] = subjects.map((subject) => ({ subject, rounds: [] }));
  for (let round = 1; round <= rounds; round++) {
    for (const { subject, rounds } of all) {
      const server = await subject.start(workspace);
      if (round === 1) await verify(server.port, large[0]!);
      rounds.push(await measure(server, small, large));
      await server.stop();
      note(`round ${round}, ${subject.name}: ${describe(rounds.at(-1)!)}`);
    }
  }
  return report(all, rounds);
}

async function measure(server: Server, small: ServedFile, large: ServedFile[]): Promise<Round> {
  await probe(server, small, PROBE_INTERVAL_MS, WARM_UP_MS);
  const idle = await probe(server, small, PROBE_INTERVAL_MS, IDLE_MS);
  const job: DrainJob = {
    port: server.port,
    clients: STREAMS,
    paths: large.map(({ name }) => `/${name}`),
    sizes: large.map(({ size }) => size),
    limitMs: COLD_LIMIT_MS,
    repeatMs: 0,
  };
  // Reads what the last cold streams, cut short, left out.
  await startClient<DrainResult>("drain", job).result;
  const warm = await beside(server, small, { ...job, repeatMs: WARM_MS });
  for (const { path } of large) await drop(path);
  const before = withheldSeconds();
  const cold = await beside(server, small, job);
  return {
    idle,
    warm: warm[0],
    cold: cold[0],
    warmStreams: warm[1],
    coldStreams: cold[1],
    withheldMs: (withheldSeconds() - before) * 1000,
  };
}

/** Probes while the streams run. */
async function beside(
  server: Server,
  small: ServedFile,
  job: DrainJob,
): Promise<[ProbeResult, DrainResult]> {
  // In the background, so that the probe waits for the server and not for these clients.
  const streams = startClient<DrainResult>("drain", job, { background: true });
  await Promise.race([delay(HEAD_START_MS), streams.result]);
  const client = startProbe(server, small, PROBE_INTERVAL_MS);
  const drained = await Promise.race([streams.result, client.result.then(() => streams.result)]);
  if (drained.wrong > 0) throw new Error(`Wrong lengths: ${JSON.stringify(drained)}`);
  return [await client.finish(), drained];
}

function describe({ idle, warm, cold, coldStreams, withheldMs }: Round): string {
  return `p99 idle ${number(idle.p99)}, warm ${number(warm.p99)}, cold ${number(cold.p99)} ms, ` +
    `worst cold ${number(cold.max)} ms, cold ${number(gbPerSecond(coldStreams))} GB/s, ` +
    `withheld ${number(withheldMs)} ms`;
}

function report(all: readonly Measured[], rounds: number): Report {
  const series = (measured: Measured, pick: (round: Round) => number) =>
    spread(summarize(measured.rounds.map(pick)));
  return {
    title: `cold: a request for 1 KiB beside ${STREAMS} clients that stream files of 1 GiB`,
    method: [
      `Warm: the files are in the page cache. Cold: POSIX_FADV_DONTNEED has dropped them, which the bench checks.`,
      `A request every ${PROBE_INTERVAL_MS} ms on a keep-alive connection, late requests count from when they were due; milliseconds.`,
      `A new server each round; median (min-max) of ${rounds} interleaved rounds. ${PINNING}.`,
      `Withheld: processor time that the hypervisor withheld while cold files streamed (steal time, both processors). It stops everything for up to 40 ms at a time when a quota is used up, and adds to the latencies.`,
      `The peer without the check of the page cache has the same loop otherwise.`,
    ],
    columns: [
      "server",
      "p99 idle",
      "p99 warm",
      "p99 cold",
      "worst cold",
      "GB/s warm",
      "GB/s cold",
      "withheld",
    ],
    rows: all.map((measured) => [
      measured.subject.name,
      series(measured, ({ idle }) => idle.p99),
      series(measured, ({ warm }) => warm.p99),
      series(measured, ({ cold }) => cold.p99),
      series(measured, ({ cold }) => cold.max),
      series(measured, ({ warmStreams }) => gbPerSecond(warmStreams)),
      series(measured, ({ coldStreams }) => gbPerSecond(coldStreams)),
      series(measured, ({ withheldMs }) => withheldMs),
    ]),
    bars: all.filter(({ subject }) => subject.kind === "sluice").map((
      { subject, rounds },
    ): Bar => ({
      subject: subject.name,
      what: "p99 cold / warm",
      value: ratios(rounds.map(({ cold }) => cold.p99), rounds.map(({ warm }) => warm.p99)),
      limit: LATENCY_LIMIT,
      wanted: "at most",
    })),
    samples: all.map(({ subject, rounds }) => ({ name: subject.name, rounds })),
  };
}

function gbPerSecond({ bytes, seconds }: DrainResult): number {
  return bytes / seconds / 1e9;
}
