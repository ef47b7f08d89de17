/** How cost grows with clients, file size, threads and folders, beside nginx. @module */

import { closeSync, ftruncateSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import type { CrowdJob, CrowdResult } from "../client/crowd.ts";
import type { DrainJob, DrainResult } from "../client/drain.ts";
import type { RequestsJob, RequestsResult } from "../client/requests.ts";
import type { Context } from "../context.ts";
import { commandFor, nginxVersion, unlimited, versionOf } from "../environment.ts";
import { cpuSeconds, memory } from "../measure/proc.ts";
import { REMEDY, startNginx } from "../nginx.ts";
import { delay, type Server, startClient, startServer } from "../processes.ts";
import type { Report } from "../report.ts";
import { verify } from "../verify.ts";
import type { Workspace } from "../workspace.ts";
import { type Axis, type Cost, report, type Sample } from "./growth_report.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
/** Time for one figure in milliseconds. Downloads that have begun are finished. */
const FOR_MS = 1500;
const LIMIT_MS = 300_000;
/** The same for each of many clients, so that all get several answers. */
const CLIENT_MS = 0.5;

const CLIENTS = [1, 10, 100, 1000, 10_000];
const IDLE = [1, 10, 100, 1000, 10_000];
const SIZES = [
  KIB,
  16 * KIB,
  256 * KIB,
  MIB,
  16 * MIB,
  256 * MIB,
  GIB,
  4 * GIB,
  16 * GIB,
  64 * GIB,
];
const FOLDERS = [10, 100, 1000, 10_000, 100_000, 1_000_000];
const THREADS = [1, 2];
/** Bytes of the file while clients and threads grow; clients while the file grows. */
const FILE = 64 * KIB;
const READERS = 2;
/** Connections while threads grow. */
const CROWD = 64;
/** Descriptors that either side needs, with some spare ones. */
const DESCRIPTORS = 12_000;
const SETTLE_MS = 1500;

interface Subject {
  readonly name: string;
  start(workspace: Workspace, threads: number): Promise<Server>;
}

/** Runs the benchmark. */
export async function growth(context: Context): Promise<Report> {
  const { workspace, rounds, scale, note } = context;
  const most = (all: readonly number[], limit: number) =>
    all.filter((each) => each <= limit * scale);
  const sizes = most(SIZES, 64 * GIB);
  const folders = most(FOLDERS, 1_000_000);
  for (const size of sizes) {
    if (size >= GIB) sparse(workspace, `f${size}`, size);
    else workspace.file(`f${size}`, size);
  }
  for (const files of folders) {
    note(`a folder of ${files} files`);
    fill(workspace, files);
  }
  const small = workspace.file("small", FILE);
  const subjects = subjectsOf(context);
  const samples: Sample[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const threads of THREADS) {
      for (const subject of subjects) {
        const server = await subject.start(workspace, threads);
        await verify(server.port, small);
        // Compiles hot code before the first figure.
        await ask(server, CROWD, 500);
        const add = async (axis: Axis, x: number, run: () => Promise<Cost>) => {
          samples.push({ axis, x, subject: subject.name, ...await measure(server, run) });
        };
        if (threads === 1) {
          // First: later figures leave memory behind.
          for (const idle of IDLE) await add("idle", idle, () => hold(server, idle));
          for (const clients of CLIENTS) {
            const forMs = Math.max(FOR_MS, clients * CLIENT_MS);
            await add("clients", clients, () => ask(server, clients, forMs));
          }
          for (const size of sizes) await add("bytes", size, () => download(server, size));
          for (const files of folders) await add("files", files, () => list(server, files));
        }
        await add("threads", threads, () => ask(server, CROWD, FOR_MS));
        await server.stop();
        note(`round ${round}, ${subject.name}, ${threads} threads`);
      }
    }
  }
  return report(samples, subjects.map(({ name }) => name), rounds, FOR_MS);
}

function subjectsOf({ runtimes, peers, note }: Context): Subject[] {
  const subjects: Subject[] = [];
  if (peers.has("nginx") && nginxVersion() === undefined) note(REMEDY);
  else if (peers.has("nginx")) {
    subjects.push({
      name: "nginx, sendfile on",
      start: ({ files }, threads) =>
        startNginx(files, "on", { workers: threads, lists: true, connections: DESCRIPTORS }),
    });
  }
  for (const runtime of runtimes) {
    if (versionOf(runtime) === undefined) continue;
    subjects.push({
      name: `${runtime} createFileServer`,
      start(workspace, threads) {
        const script = workspace.script("servers/file_server");
        const args = [workspace.files, String(threads), "on", String(DESCRIPTORS)];
        const command = unlimited(commandFor(runtime, script, args));
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

/** Makes a folder of empty files. */
function fill({ files: root }: Workspace, files: number): void {
  const folder = join(root, `d${files}`);
  mkdirSync(folder);
  for (let i = 0; i < files; i++) closeSync(openSync(join(folder, `file-${i}.txt`), "wx"));
}

/** Runs a load, and returns what it cost the server. */
async function measure({ pid }: Server, run: () => Promise<Cost>): Promise<
  Omit<Sample, "axis" | "x" | "subject">
> {
  const before = { cpu: cpuSeconds(pid), resident: memory(pid).resident };
  const done = await run();
  const resident = done.resident ?? memory(pid).resident;
  return {
    ...done,
    cpuSeconds: cpuSeconds(pid) - before.cpu,
    resident,
    grown: resident - before.resident,
  };
}

async function ask({ port }: Server, clients: number, forMs: number): Promise<Cost> {
  const job: RequestsJob = { port, clients, path: "/small", size: FILE, forMs };
  const { answers, seconds } = await startClient<RequestsResult>("requests", job).result;
  if (answers < clients) throw new Error(`${clients} clients got ${answers} answers`);
  return { bytes: answers * FILE, requests: answers, seconds };
}

/** Connections that have got an answer each, and then wait; then they get another. */
async function hold({ pid, port }: Server, connections: number): Promise<Cost> {
  const job: CrowdJob = { port, path: "/small", size: FILE, connections, bytesPerSecond: 0 };
  const client = startClient<CrowdResult>("crowd", job);
  await Promise.race([client.ready, client.result]);
  await delay(SETTLE_MS);
  const { resident } = memory(pid);
  const { complete, seconds } = await client.finish();
  if (complete !== connections) throw new Error(`${complete} of ${connections} connections stayed`);
  const requests = 2 * connections;
  return { bytes: requests * FILE, requests, seconds, resident };
}

async function download({ port }: Server, size: number): Promise<Cost> {
  const path = `/f${size}`;
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

/** Lists a folder, and requests a file in it. */
async function list({ port }: Server, files: number): Promise<Cost> {
  const url = `http://127.0.0.1:${port}/d${files}/`;
  const startMs = performance.now();
  const page = await fetch(url);
  const { length } = await page.text();
  const seconds = (performance.now() - startMs) / 1000;
  if (page.status !== 200) throw new Error(`${url}: ${page.status}`);
  const file = await fetch(`${url}file-${files - 1}.txt`);
  await file.text();
  if (file.status !== 200) throw new Error(`${url}: a file got ${file.status}`);
  return { bytes: length, requests: 1, seconds };
}
