/** How cost grows with clients, file size and threads, beside nginx. @module */

import { closeSync, ftruncateSync, openSync } from "node:fs";
import { join } from "node:path";
import type { DrainJob, DrainResult } from "../client/drain.ts";
import type { RequestsJob, RequestsResult } from "../client/requests.ts";
import type { Context } from "../context.ts";
import { commandFor, nginxVersion, versionOf } from "../environment.ts";
import { cpuSeconds, memory } from "../measure/proc.ts";
import { summarize } from "../measure/stats.ts";
import { REMEDY, startNginx } from "../nginx.ts";
import { PINNING, type Server, startClient, startServer } from "../processes.ts";
import { number, type Report, spread } from "../report.ts";
import { verify } from "../verify.ts";
import type { Workspace } from "../workspace.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
/** Time for one figure in milliseconds. Downloads that have begun are finished. */
const FOR_MS = 1500;
const LIMIT_MS = 60_000;

const CLIENTS = [1, 10, 100, 1000] as const;
const SIZES = [KIB, 16 * KIB, 256 * KIB, 4 * MIB, 64 * MIB, GIB, 4 * GIB] as const;
const THREADS = [1, 2] as const;
/** Bytes of the file while clients and threads grow; clients while the file grows. */
const FILE = 64 * KIB;
const READERS = 2;
/** Connections while threads grow. */
const CROWD = 64;

type Axis = "clients" | "bytes" | "threads";

interface Subject {
  readonly name: string;
  start(workspace: Workspace, threads: number): Promise<Server>;
}

interface Point {
  readonly axis: Axis;
  readonly x: number;
  readonly subject: string;
  readonly gbPerSecond: number[];
  readonly cpuPerGb: number[];
  readonly cpuMicros: number[];
  peakBytes: number;
}

const WORDS: Record<Axis, string> = {
  clients: "connections that request 64 KiB repeatedly",
  bytes: "bytes of the file, for two clients",
  threads: "threads, for 64 connections and files of 64 KiB",
};

/** Runs the benchmark. */
export async function growth(context: Context): Promise<Report> {
  const { workspace, rounds, note } = context;
  const names = new Map<number, string>();
  for (const size of SIZES) {
    if (size >= GIB) sparse(workspace, `f${size}`, size);
    else workspace.file(`f${size}`, size);
    names.set(size, `/f${size}`);
  }
  const small = workspace.file("small", FILE);
  const subjects = subjectsOf(context);
  const points: Point[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const threads of THREADS) {
      for (const subject of subjects) {
        const server = await subject.start(workspace, threads);
        await verify(server.port, small);
        // Compiles hot code before the first figure.
        await ask(server, CROWD, 500);
        const add = async (axis: Axis, x: number, run: () => Promise<Cost>) => {
          record(points, axis, x, subject.name, await cost(server, run));
        };
        if (threads === 1) {
          for (const clients of CLIENTS) {
            await add("clients", clients, () => ask(server, clients, FOR_MS));
          }
          for (const size of SIZES) {
            await add("bytes", size, () => download(server, names.get(size)!, size));
          }
        }
        await add("threads", threads, () => ask(server, CROWD, FOR_MS));
        await server.stop();
        note(`round ${round}, ${subject.name}, ${threads} threads`);
      }
    }
  }
  return report(points, subjects.map(({ name }) => name), rounds);
}

function subjectsOf({ runtimes, peers, note }: Context): Subject[] {
  const subjects: Subject[] = [];
  if (peers.has("nginx") && nginxVersion() === undefined) note(REMEDY);
  else if (peers.has("nginx")) {
    subjects.push({
      name: "nginx, sendfile on",
      start: ({ files }, threads) => startNginx(files, "on", { workers: threads }),
    });
  }
  for (const runtime of runtimes) {
    if (versionOf(runtime) === undefined) continue;
    subjects.push({
      name: `${runtime} createFileServer`,
      start(workspace, threads) {
        const script = workspace.script("servers/file_server");
        const command = commandFor(runtime, script, [workspace.files, String(threads)]);
        return startServer(command, { everywhere: threads > 1 });
      },
    });
  }
  return subjects;
}

function sparse(workspace: Workspace, name: string, size: number): void {
  const fd = openSync(join(workspace.files, name), "w");
  ftruncateSync(fd, size);
  closeSync(fd);
}

interface Cost {
  readonly bytes: number;
  readonly requests: number;
  readonly seconds: number;
}

interface Costs extends Cost {
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

async function cost({ pid }: Server, run: () => Promise<Cost>): Promise<Costs> {
  const before = cpuSeconds(pid);
  const done = await run();
  return { ...done, cpuSeconds: cpuSeconds(pid) - before, peakBytes: memory(pid).resident };
}

async function ask({ port }: Server, clients: number, forMs: number): Promise<Cost> {
  const job: RequestsJob = { port, clients, path: "/small", size: FILE, forMs };
  const { answers, seconds } = await startClient<RequestsResult>("requests", job).result;
  return { bytes: answers * FILE, requests: answers, seconds };
}

async function download({ port }: Server, path: string, size: number): Promise<Cost> {
  const job: DrainJob = {
    port,
    clients: READERS,
    paths: [path],
    sizes: [size],
    limitMs: LIMIT_MS,
    repeatMs: FOR_MS,
  };
  const result = await startClient<DrainResult>("drain", job).result;
  if (result.wrong + result.unfinished > 0) throw new Error(`${path}: ${JSON.stringify(result)}`);
  return { bytes: result.bytes, requests: result.complete, seconds: result.seconds };
}

function record(points: Point[], axis: Axis, x: number, subject: string, costs: Costs): void {
  let point = points.find((each) => each.axis === axis && each.x === x && each.subject === subject);
  if (point === undefined) {
    point = { axis, x, subject, gbPerSecond: [], cpuPerGb: [], cpuMicros: [], peakBytes: 0 };
    points.push(point);
  }
  if (costs.requests === 0) throw new Error(`${subject}: nothing was answered, ${axis} ${x}`);
  const gigabytes = costs.bytes / 1e9;
  point.gbPerSecond.push(gigabytes / costs.seconds);
  point.cpuPerGb.push(costs.cpuSeconds / gigabytes);
  point.cpuMicros.push(costs.cpuSeconds * 1e6 / costs.requests);
  point.peakBytes = Math.max(point.peakBytes, costs.peakBytes);
}

function report(points: Point[], subjects: readonly string[], rounds: number): Report {
  const axes = Object.keys(WORDS) as Axis[];
  const sorted = axes.flatMap((axis) =>
    points.filter((point) => point.axis === axis).sort((a, b) => a.x - b.x)
  );
  return {
    title: "growth: what clients, bytes and threads cost",
    method: [
      `One server with one thread, or the given number; ${FOR_MS} ms for each figure; median (min-max) of ${rounds} interleaved rounds.`,
      "Files from 1 GiB on are sparse, so they are read from memory like the others.",
      "CPU: user and system time of all threads of the server. A GB has 10^9 bytes.",
      `${PINNING}; with two threads, the server has both processors and shares the second with the clients.`,
    ],
    columns: ["", "GB/s", "CPU-s/GB", "CPU us/request", "resident MB"],
    rows: sorted.map((point) => [
      `${point.axis === "bytes" ? size(point.x) : `${point.x} ${point.axis}`}, ${point.subject}`,
      spread(summarize(point.gbPerSecond)),
      spread(summarize(point.cpuPerGb)),
      spread(summarize(point.cpuMicros)),
      number(point.peakBytes / 1e6),
    ]),
    bars: [],
    series: axes.flatMap((axis) => {
      const of = (key: "cpuPerGb" | "gbPerSecond") =>
        subjects.map((name) => ({
          name,
          points: sorted.filter((point) => point.axis === axis && point.subject === name)
            .map((point) => ({ x: point.x, ...summarize(point[key]) })),
        }));
      const title = (what: string) => `${what} by ${WORDS[axis]}`;
      return [
        { name: `${axis}-cpu`, title: title("CPU-s/GB"), lines: of("cpuPerGb") },
        { name: `${axis}-speed`, title: title("GB/s"), lines: of("gbPerSecond") },
      ];
    }),
    samples: sorted,
  };
}

function size(bytes: number): string {
  if (bytes >= GIB) return `${bytes / GIB} GiB`;
  return bytes >= MIB ? `${bytes / MIB} MiB` : `${bytes / KIB} KiB`;
}
