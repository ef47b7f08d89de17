/**
 * 100 clients download 100 MiB each: CPU per GB and throughput, beside nginx and `pipe()`.
 *
 * @module
 */

import type { Context } from "../context.ts";
import type { DrainJob, DrainResult } from "../client/drain.ts";
import { CONGESTION } from "../environment.ts";
import { cpuSeconds, memory } from "../measure/proc.ts";
import { ratios, summarize } from "../measure/stats.ts";
import { PINNING, type Server, startClient } from "../processes.ts";
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
export async function serve(context: Context): Promise<Report> {
  const { workspace, rounds, note } = context;
  const file = workspace.file("large", SIZE);
  const all: Measured[] = [];
  for (const subject of findSubjects(context)) {
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
  return report(all, rounds);
}

async function measure(measured: Measured, job: Omit<DrainJob, "port">): Promise<void> {
  const { port, pid } = measured.server;
  const before = cpuSeconds(pid);
  const result = await startClient<DrainResult>("drain", { ...job, port }).result;
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

function report(all: readonly Measured[], rounds: number): Report {
  return {
    title: `serve: ${CLIENTS} clients x ${SIZE / MIB} MiB over loopback`,
    method: [
      `Each client downloads a file in the page cache once per round; median (min-max) of ${rounds} interleaved rounds.`,
      `CPU: user and system time of all threads of the server. Memory: VmHWM over all rounds. GB: 10^9 bytes.`,
      `The client discards inside the kernel and checks every length; SHA-256 was checked before. ${PINNING}.`,
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
      .flatMap((ours) => bars(ours, all)),
    samples: all.map(({ subject, server: _, ...figures }) => ({ name: subject.name, ...figures })),
  };
}

function bars(ours: Measured, all: readonly Measured[]): Bar[] {
  const runtime = ours.subject.runtime!;
  const nginx = all.find(({ subject }) => subject.kind === "nginx");
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
    const limit = OF_NGINX[runtime];
    result.push({ subject, what: "CPU / nginx", value: cpu, limit, wanted: "at most" });
    const speed = ratios(ours.gbPerSecond, nginx.gbPerSecond);
    result.push({ subject, what: "GB/s / nginx", value: speed, limit: 1, wanted: "at least" });
  }
  const peak = summarize([ours.peakBytes / 1e6]);
  const limit = MEMORY_LIMIT / 1e6;
  result.push({ subject, what: "peak MB", value: peak, limit, wanted: "at most" });
  return result;
}
