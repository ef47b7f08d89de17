/** 1,000 slow readers: their memory, and a small request beside them. @module */

import type { ProbeResult } from "../client/probe.ts";
import type { SlowJob, SlowResult } from "../client/slow_readers.ts";
import type { Context } from "../context.ts";
import { memory } from "../measure/proc.ts";
import { ratios, summarize } from "../measure/stats.ts";
import { probe } from "../probe.ts";
import { delay, PINNING, type Server, startClient } from "../processes.ts";
import { type Bar, number, type Report, spread } from "../report.ts";
import { findSubjects, type Subject } from "../subjects.ts";
import { verify } from "../verify.ts";
import type { ServedFile } from "../workspace.ts";

const READERS = 1000;
const BYTES_PER_SECOND = 50_000;
const RECEIVE_BUFFER = 16 * 1024;
const SIZE = 100 * 1024 * 1024;

const PROBE_INTERVAL_MS = 5;
/** Time at the start that does not count, while the runtime compiles hot code, in milliseconds. */
const WARM_UP_MS = 1000;
/** Times of the probe without and with the readers, and of settling in between, in milliseconds. */
const WITHOUT_MS = 3000;
const SETTLE_MS = 3000;
const WITH_MS = 7000;

/** Limits: memory that the readers may add, slowdown of a small request. */
const ADDED_LIMIT = 50e6;
const LATENCY_LIMIT = 3;

interface Round {
  readonly without: ProbeResult;
  readonly with: ProbeResult;
  /** Resident bytes of the server before the readers, and the peak with them. */
  readonly before: number;
  readonly highest: number;
  readonly readers: SlowResult;
}

interface Measured {
  readonly subject: Subject;
  readonly rounds: Round[];
}

/** Runs the benchmark. */
export async function slow(context: Context): Promise<Report> {
  const { workspace, rounds, note } = context;
  const large = workspace.file("large", SIZE);
  const small = workspace.file("small", 1024);
  const subjects = findSubjects(context, ["nginx-off"]);
  const all: Measured[] = subjects.map((subject) => ({ subject, rounds: [] }));
  for (let round = 1; round <= rounds; round++) {
    for (const { subject, rounds } of all) {
      // A new server each time, because the heap that the last readers left would hide the growth.
      const server = await subject.start(workspace);
      if (round === 1) await verify(server.port, large);
      rounds.push(await measure(server, small));
      await server.stop();
      note(`round ${round}, ${subject.name}: ${describe(rounds.at(-1)!)}`);
    }
  }
  return report(all, rounds);
}

async function measure(server: Server, small: ServedFile): Promise<Round> {
  await probe(server, small, PROBE_INTERVAL_MS, WARM_UP_MS);
  const without = await probe(server, small, PROBE_INTERVAL_MS, WITHOUT_MS);
  const before = memory(server.pid).resident;
  let highest = before;
  const look = setInterval(() => {
    highest = Math.max(highest, memory(server.pid).resident);
  }, 250);
  try {
    const job: SlowJob = {
      port: server.port,
      path: "/large",
      readers: READERS,
      bytesPerSecond: BYTES_PER_SECOND,
      receiveBuffer: RECEIVE_BUFFER,
    };
    const readers = startClient<SlowResult>("slow_readers", job);
    await readers.ready;
    await delay(SETTLE_MS);
    const beside = await probe(server, small, PROBE_INTERVAL_MS, WITH_MS);
    return { without, with: beside, before, highest, readers: await readers.finish() };
  } finally {
    clearInterval(look);
  }
}

function describe({ without, with: beside, before, highest, readers }: Round): string {
  return `p99 ${number(without.p99)} -> ${number(beside.p99)} ms, ` +
    `+${number((highest - before) / 1e6)} MB, ` +
    `${number(readers.meanRate / 1000)} KB/s each, ${readers.starved} starved`;
}

function report(all: readonly Measured[], rounds: number): Report {
  return {
    title: `slow: ${READERS} readers of a 100 MiB file at ${BYTES_PER_SECOND / 1000} KB/s each`,
    method: [
      `A new server each round; median (min-max) of ${rounds} interleaved rounds. ${PINNING}.`,
      `Small request: 1 KiB on a keep-alive connection every ${PROBE_INTERVAL_MS} ms, late requests count from when they were due.`,
      `Memory added: peak resident size of the server with the readers, minus its size before them, without the memory of the kernel's sockets.`,
      `Starved: readers that got less than 80 % of their rate; the largest number of any round.`,
    ],
    columns: [
      "server",
      "MB added",
      "p50 alone",
      "p50 beside",
      "p99 alone",
      "p99 beside",
      "starved",
    ],
    rows: all.map(({ subject, rounds }) => [
      subject.name,
      spread(summarize(rounds.map(addedMb))),
      ...["p50" as const, "p99" as const].flatMap((rank) => [
        spread(summarize(rounds.map((round) => round.without[rank]))),
        spread(summarize(rounds.map((round) => round.with[rank]))),
      ]),
      String(Math.max(...rounds.map(({ readers }) => readers.starved))),
    ]),
    bars: all.filter(({ subject }) => subject.kind === "sluice").flatMap(bars),
    samples: all.map(({ subject, rounds }) => ({ name: subject.name, rounds })),
  };
}

function bars({ subject: { name: subject }, rounds }: Measured): Bar[] {
  const slower = (rank: "p50" | "p99"): Bar => ({
    subject,
    what: `${rank} beside / alone`,
    value: ratios(rounds.map((r) => r.with[rank]), rounds.map((r) => r.without[rank])),
    limit: LATENCY_LIMIT,
    wanted: "at most",
  });
  const added = summarize(rounds.map(addedMb));
  return [
    { subject, what: "MB added", value: added, limit: ADDED_LIMIT / 1e6, wanted: "at most" },
    slower("p50"),
    slower("p99"),
  ];
}

function addedMb({ before, highest }: Round): number {
  return (highest - before) / 1e6;
}
