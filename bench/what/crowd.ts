/** 10,000 connections: their cost while they idle, and while they read slowly. @module */

import { spawnSync } from "node:child_process";
import type { CrowdJob, CrowdResult } from "../client/crowd.ts";
import type { ProbeResult } from "../client/probe.ts";
import type { Context } from "../context.ts";
import { commandFor, nginxVersion, unlimited, versionOf } from "../environment.ts";
import { memory } from "../measure/proc.ts";
import { ratios, summarize } from "../measure/stats.ts";
import { REMEDY, startNginx } from "../nginx.ts";
import { probe } from "../probe.ts";
import { delay, PINNING, type Server, startClient, startServer } from "../processes.ts";
import { type Bar, number, type Report, spread } from "../report.ts";
import { verify } from "../verify.ts";
import type { ServedFile, Workspace } from "../workspace.ts";

const CONNECTIONS = 10_000;
const BYTES_PER_SECOND = 10_000;
/** Twelve seconds for every reader, which is more than the kernel's buffers can hide. */
const SIZE = 120_000;
const RECEIVE_BUFFER = 16 * 1024;
/** Descriptors that either side needs, with some spare ones. */
const DESCRIPTORS = 12_000;

const PROBE_INTERVAL_MS = 5;
const WARM_UP_MS = 1000;
const PROBE_MS = 3000;
const SETTLE_MS = 1500;

/** Limits: memory with idle connections, memory with readers, slowdown of a request. */
const IDLE_LIMIT = 100e6;
const READING_LIMIT = 150e6;
const LATENCY_LIMIT = 5;

interface Round {
  /** Resident bytes of the server: before, with idle connections, and with readers. */
  readonly before: number;
  readonly idle: number;
  readonly reading: number;
  readonly without: ProbeResult;
  readonly with: ProbeResult;
  readonly idlers: CrowdResult;
  readonly readers: CrowdResult;
}

interface Subject {
  readonly name: string;
  readonly ours: boolean;
  start(workspace: Workspace): Promise<Server>;
}

/** Runs the benchmark. */
export async function crowd(
  { workspace, runtimes, rounds, peers, note }: Context,
): Promise<Report> {
  const limit = Number(spawnSync("bash", ["-c", "ulimit -Hn"], { encoding: "utf8" }).stdout);
  if (limit < DESCRIPTORS) {
    throw new Error(`A process may open ${limit} descriptors here: ${DESCRIPTORS} are needed`);
  }
  const small = workspace.file("small", 1024);
  const file = workspace.file("file", SIZE);
  const subjects: Subject[] = [];
  if (peers.has("nginx") && nginxVersion() === undefined) note(REMEDY);
  else if (peers.has("nginx")) {
    subjects.push({
      name: "nginx, sendfile on",
      ours: false,
      start: ({ files }) => startNginx(files, "on", { keepsFiles: true, connections: DESCRIPTORS }),
    });
  }
  for (const runtime of runtimes) {
    if (versionOf(runtime) === undefined) note(`${runtime} is not installed: left out`);
    else {
      subjects.push({
        name: `${runtime} sluice`,
        ours: true,
        start: (workspace) => {
          const script = workspace.script("servers/file_server");
          const args = [workspace.files, "1", "on", String(DESCRIPTORS)];
          return startServer(unlimited(commandFor(runtime, script, args)));
        },
      });
    }
  }
  const all = subjects.map((subject) => ({ subject, rounds: [] as Round[] }));
  for (let round = 1; round <= rounds; round++) {
    for (const { subject, rounds } of all) {
      // A new server each time, because the peak counts.
      const server = await subject.start(workspace);
      await verify(server.port, file);
      rounds.push(await measure(server, small, file));
      await server.stop();
      note(`round ${round}, ${subject.name}: ${describe(rounds.at(-1)!)}`);
    }
  }
  return report(all, rounds);
}

async function measure(server: Server, small: ServedFile, file: ServedFile): Promise<Round> {
  await probe(server, small, PROBE_INTERVAL_MS, WARM_UP_MS);
  const without = await probe(server, small, PROBE_INTERVAL_MS, PROBE_MS);
  const before = memory(server.pid).resident;
  const job: CrowdJob = {
    port: server.port,
    path: `/${small.name}`,
    size: small.size,
    connections: CONNECTIONS,
    bytesPerSecond: 0,
  };
  const idlers = startClient<CrowdResult>("crowd", job);
  await Promise.race([idlers.ready, idlers.result]);
  await delay(SETTLE_MS);
  const idle = memory(server.pid).resident;
  const stayed = await idlers.finish();
  await delay(SETTLE_MS);
  let reading = 0;
  const look = setInterval(() => {
    reading = Math.max(reading, memory(server.pid).resident);
  }, 250);
  try {
    const slow: CrowdJob = {
      ...job,
      path: `/${file.name}`,
      size: file.size,
      bytesPerSecond: BYTES_PER_SECOND,
      receiveBuffer: RECEIVE_BUFFER,
    };
    // The probe shares the readers' processor. Their delay says nothing of the server.
    const readers = startClient<CrowdResult>("crowd", slow, { background: true });
    await Promise.race([readers.ready, readers.result]);
    await delay(SETTLE_MS);
    const beside = await probe(server, small, PROBE_INTERVAL_MS, PROBE_MS);
    const read = await readers.result;
    return { before, idle, reading, without, with: beside, idlers: stayed, readers: read };
  } finally {
    clearInterval(look);
  }
}

function describe({ idle, reading, without, with: beside, idlers, readers }: Round): string {
  return `idle ${number(idle / 1e6)} MB, ${idlers.complete} stayed; reading ${
    number(reading / 1e6)
  } MB, ${readers.complete} complete in ${number(readers.seconds)} s; p99 ${
    number(without.p99)
  } -> ${number(beside.p99)} ms`;
}

function report(
  all: readonly { readonly subject: Subject; readonly rounds: readonly Round[] }[],
  rounds: number,
): Report {
  const mb = (of: readonly Round[], pick: (round: Round) => number) =>
    summarize(of.map((round) => pick(round) / 1e6));
  const fewest = (of: readonly Round[], pick: (round: Round) => CrowdResult) =>
    Math.min(...of.map((round) => pick(round).complete));
  return {
    title: `crowd: ${CONNECTIONS} connections, first idle, then reading ${
      BYTES_PER_SECOND / 1000
    } KB/s each`,
    method: [
      `A new server each round; median (min-max) of ${rounds} interleaved rounds. ${PINNING}.`,
      `Idle: each connection gets one answer, waits, and gets another at the end. Reading: ${SIZE} bytes each, ${RECEIVE_BUFFER} bytes of receive buffer.`,
      `Memory: resident size of the whole server with its runtime, without the memory of the kernel's sockets.`,
      `p99: a request for 1 KiB every ${PROBE_INTERVAL_MS} ms, alone and beside the readers; late requests count from when they were due.`,
    ],
    columns: ["server", "MB", "MB idle", "stayed", "MB reading", "complete", "p99 alone", "p99"],
    rows: all.map(({ subject, rounds }) => [
      subject.name,
      spread(mb(rounds, ({ before }) => before)),
      spread(mb(rounds, ({ idle }) => idle)),
      String(fewest(rounds, ({ idlers }) => idlers)),
      spread(mb(rounds, ({ reading }) => reading)),
      String(fewest(rounds, ({ readers }) => readers)),
      spread(summarize(rounds.map(({ without }) => without.p99))),
      spread(summarize(rounds.map((round) => round.with.p99))),
    ]),
    bars: all.filter(({ subject }) => subject.ours).flatMap(({ subject: { name }, rounds }) => {
      const bar = (what: string, value: Bar["value"], limit: number, wanted: Bar["wanted"]) => ({
        subject: name,
        what,
        value,
        limit,
        wanted,
      });
      const complete = (pick: (round: Round) => CrowdResult) =>
        summarize(rounds.map((round) => pick(round).complete));
      const latency = ratios(
        rounds.map((round) => round.with.p99),
        rounds.map(({ without }) => without.p99),
      );
      return [
        bar("MB idle", mb(rounds, ({ idle }) => idle), IDLE_LIMIT / 1e6, "at most"),
        bar("stayed", complete(({ idlers }) => idlers), CONNECTIONS, "at least"),
        bar("MB reading", mb(rounds, ({ reading }) => reading), READING_LIMIT / 1e6, "at most"),
        bar("complete", complete(({ readers }) => readers), CONNECTIONS, "at least"),
        bar("p99 beside / alone", latency, LATENCY_LIMIT, "at most"),
      ];
    }),
    samples: all.map(({ subject, rounds }) => ({ name: subject.name, rounds })),
  };
}
