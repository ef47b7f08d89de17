/**
 * 100 clients download 100 MiB each: CPU per GB and throughput, beside nginx and `pipe()`.
 *
 * @module
 */

import type { Benchmark, Context } from "../context.ts";
import type { DrainJob, DrainResult } from "../client/drain.ts";
import { commandFor, CONGESTION, nginxVersion, versionOf } from "../environment.ts";
import { startNginx } from "../nginx.ts";
import { cpuSeconds, memory } from "../measure/proc.ts";
import { ratios, summarize } from "../measure/stats.ts";
import { PINNING, type Server, startClient, startServer, unpin } from "../processes.ts";
import { type Bar, number, type Report, spread } from "../report.ts";
import { findSubjects, type Subject } from "../subjects.ts";
import { verify } from "../verify.ts";

const CLIENTS = 100;
const MIB = 1024 * 1024;
const SIZE = 100 * MIB;
const LIMIT_MS = 120_000;
/** Most resident memory of sluice's server at any time, in bytes. */
const MEMORY_LIMIT = 100e6;
/** Largest ratios of the CPU time per GB to nginx's and to `pipe()`'s. */
const OF_NGINX = { "node": 1.5, "node-ffi": 1.5, "bun": 1.25, "deno": 1.25 };
const OF_PIPE = 0.25;
/** The same, where no process is pinned. */
const OF_NGINX_UNPINNED = 1.1;

interface Measured {
  readonly subject: Subject;
  readonly server: Server;
  readonly cpuPerGb: number[];
  readonly gbPerSecond: number[];
  /** CPU time of the client. On loopback, it does a part of the server's sending. */
  readonly clientCpuPerGb: number[];
  /** Share of the time for which the client was busy. Near 1, the client was the bottleneck. */
  readonly clientLoad: number[];
  peakBytes: number;
}

/** Runs the benchmark. */
export const serve: Benchmark = (context) => run(context, findSubjects(context), true);

/**
 * The same with no process on a processor of its own, which shows what migration and wake-ups cost;
 * with `createFileServer`, and with two threads beside two workers of nginx.
 */
export const unpinned: Benchmark = (context) => {
  unpin();
  const subjects = findSubjects(context, [
    "naive",
    "pipe",
    "own",
    "package",
    "nginx-off",
  ]);
  return run(context, [...subjects, ...ownThreads(context)], false);
};

function ownThreads({ peers, runtimes }: Context): Subject[] {
  const subjects: Subject[] = [];
  if (peers.has("nginx") && nginxVersion() !== undefined) {
    subjects.push({
      name: TWO_WORKERS,
      kind: "nginx-off",
      peer: "nginx",
      runtime: undefined,
      start: ({ files }) => startNginx(files, "on", { workers: 2 }),
    });
  }
  for (const runtime of runtimes.filter((name) => versionOf(name) !== undefined)) {
    for (const threads of [1, 2]) {
      subjects.push({
        name: `${runtime} createFileServer${threads === 2 ? TWO_THREADS : ""}`,
        kind: "sluice",
        peer: undefined,
        runtime,
        start(workspace) {
          const script = workspace.script("servers/file_server");
          return startServer(commandFor(runtime, script, [workspace.files, String(threads)]));
        },
      });
    }
  }
  return subjects;
}

const TWO_WORKERS = "nginx, sendfile on, 2 workers";
const TWO_THREADS = ", 2 threads";

async function run(
  context: Context,
  subjects: readonly Subject[],
  pinned: boolean,
): Promise<Report> {
  const { workspace, rounds, note } = context;
  const file = workspace.file("large", SIZE);
  const all: Measured[] = [];
  for (const subject of subjects) {
    note(`${subject.name}: checking the bytes`);
    const server = await subject.start(workspace);
    await verify(server.port, file);
    all.push({
      subject,
      server,
      cpuPerGb: [],
      gbPerSecond: [],
      clientCpuPerGb: [],
      clientLoad: [],
      peakBytes: 0,
    });
  }
  const job = {
    clients: CLIENTS,
    paths: ["/large"],
    sizes: [SIZE],
    limitMs: LIMIT_MS,
    repeatMs: 0,
  };
  // The first connections to a listener of the runtime are paced, the later ones are not.
  if (!pinned) { for (const measured of all) await drained(measured.server.port, job); }
  for (let round = 1; round <= rounds; round++) {
    for (const measured of all) {
      await measure(measured, job);
      const { subject, cpuPerGb, gbPerSecond } = measured;
      const figures = `${number(cpuPerGb.at(-1)!)} CPU-s/GB, ${number(gbPerSecond.at(-1)!)} GB/s`;
      note(`round ${round}, ${subject.name}: ${figures}`);
    }
  }
  for (const measured of all) {
    measured.peakBytes = memory(measured.server.pid).peak;
    await measured.server.stop();
  }
  return report(all, rounds, pinned);
}

function drained(port: number, job: Omit<DrainJob, "port">): Promise<DrainResult> {
  return startClient<DrainResult>("drain", { ...job, port }).result;
}

async function measure(measured: Measured, job: Omit<DrainJob, "port">): Promise<void> {
  const { port, pid } = measured.server;
  const before = cpuSeconds(pid);
  const result = await drained(port, job);
  const cpu = cpuSeconds(pid) - before;
  if (result.complete !== job.clients) {
    throw new Error(`${measured.subject.name}: ${JSON.stringify(result)}`);
  }
  const gigabytes = result.bytes / 1e9;
  measured.cpuPerGb.push(cpu / gigabytes);
  measured.gbPerSecond.push(gigabytes / result.seconds);
  measured.clientCpuPerGb.push(result.cpuSeconds / gigabytes);
  measured.clientLoad.push(result.cpuSeconds / result.seconds);
}

function report(all: readonly Measured[], rounds: number, pinned: boolean): Report {
  const name = pinned ? "serve" : "unpinned";
  return {
    title: `${name}: ${CLIENTS} clients x ${SIZE / MIB} MiB over loopback`,
    method: [
      `Each client downloads a file in the page cache once per round; median (min-max) of ${rounds} interleaved rounds.`,
      `CPU: user and system time of all threads of the server. Memory: VmHWM over all rounds. GB: 10^9 bytes.`,
      `The client discards inside the kernel and checks every length; SHA-256 was checked before. ${
        pinned
          ? PINNING
          : "Servers and clients share all processors; one round before does not count"
      }.`,
      CONGESTION,
      `Data that waits in a full socket leaves when the client's acknowledgement arrives. On loopback the client pays for that: see both columns.`,
      `Ratios are computed round by round.`,
    ],
    columns: ["server", "CPU-s/GB", "GB/s", "peak MB", "client CPU-s/GB", "client busy"],
    rows: all.map(({ subject, cpuPerGb, gbPerSecond, peakBytes, clientCpuPerGb, clientLoad }) => [
      subject.name,
      spread(summarize(cpuPerGb)),
      spread(summarize(gbPerSecond)),
      number(peakBytes / 1e6),
      number(summarize(clientCpuPerGb).median),
      `${Math.round(summarize(clientLoad).median * 100)} %`,
    ]),
    bars: all.filter(({ subject }) => subject.kind === "sluice")
      .flatMap((ours) => bars(ours, all, pinned)),
    samples: all.map(({ subject, server: _, ...figures }) => ({ name: subject.name, ...figures })),
  };
}

function bars(ours: Measured, all: readonly Measured[], pinned: boolean): Bar[] {
  const runtime = ours.subject.runtime!;
  const nginx = all.find(({ subject }) =>
    ours.subject.name.endsWith(TWO_THREADS)
      ? subject.name === TWO_WORKERS
      : subject.kind === "nginx"
  );
  const engine = runtime === "node-ffi" ? "node" : runtime;
  const pipe = all.find(({ subject }) => subject.kind === "pipe" && subject.runtime === engine);
  const subject = ours.subject.name;
  const result: Bar[] = [];
  if (pipe !== undefined) {
    const value = ratios(ours.cpuPerGb, pipe.cpuPerGb);
    result.push({ subject, what: "CPU / pipe()", value, limit: OF_PIPE, wanted: "at most" });
  }
  if (nginx !== undefined) {
    const cpu = ratios(ours.cpuPerGb, nginx.cpuPerGb);
    const limit = pinned ? OF_NGINX[runtime] : OF_NGINX_UNPINNED;
    result.push({ subject, what: "CPU / nginx", value: cpu, limit, wanted: "at most" });
    const speed = ratios(ours.gbPerSecond, nginx.gbPerSecond);
    result.push({ subject, what: "GB/s / nginx", value: speed, limit: 1, wanted: "at least" });
  }
  const peak = summarize([ours.peakBytes / 1e6]);
  const limit = MEMORY_LIMIT / 1e6;
  result.push({ subject, what: "peak MB", value: peak, limit, wanted: "at most" });
  return result;
}
