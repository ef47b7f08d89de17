/**
 * One source to 16 clients: CPU beside JavaScript streams, and the cost of a stopped client.
 *
 * @module
 */

import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import type { FanOutJob, FanOutResult } from "../client/fan_out.ts";
import type { Context } from "../context.ts";
import { commandFor, type RuntimeName, versionOf } from "../environment.ts";
import { cpuSeconds, memory } from "../measure/proc.ts";
import { ratios, summarize } from "../measure/stats.ts";
import { PINNING, type Server, startClient, startServer } from "../processes.ts";
import { type Bar, number, type Report, spread } from "../report.ts";
import type { ServedFile, Workspace } from "../workspace.ts";

const CLIENTS = 16;
const MIB = 1024 * 1024;
const SIZE = 1024 * MIB;
/** Bytes to check by SHA-256 before the measurement. */
const CHECKED = 32 * MIB;
const CHECK_SLOW_MS = 5000;
const LIMIT_MS = 300_000;

/** Largest share of the CPU time of streams. */
const OF_STREAMS = 0.5;
/** Largest slowdown of the others if one client does not read. */
const OF_ALONE = 1.05;

/** What to compare on each runtime. */
type Kind = "file" | "fifo" | "streams" | "alone" | "stopped";
const KINDS: readonly Kind[] = ["streams", "file", "fifo", "alone", "stopped"];

const NAMES: Record<Kind, string> = {
  streams: "streams, 16 readers",
  file: "broadcast(file), 16 readers",
  fifo: "broadcast(pipe), 16 readers",
  alone: 'broadcast(file, "drop"), 15 readers',
  stopped: 'broadcast(file, "drop"), 15 readers and 1 stopped',
};

interface Measured {
  readonly runtime: RuntimeName;
  readonly kind: Kind;
  readonly server: Server;
  readonly cpuPerGb: number[];
  readonly seconds: number[];
  readonly gbPerSecond: number[];
  readonly clientCpuPerGb: number[];
  /** Clients that received every byte. */
  readonly complete: number[];
  peakBytes: number;
}

/** Runs the benchmark. */
export async function broadcast(
  { workspace, runtimes, rounds, peers, note }: Context,
): Promise<Report> {
  const large = workspace.file("large", SIZE);
  const small = workspace.file("small", CHECKED);
  const fifo = makeFifo(workspace);
  const all: Measured[] = [];
  for (const runtime of runtimes.filter((name) => versionOf(name) !== undefined)) {
    for (const kind of KINDS.filter((kind) => kind !== "streams" || peers.has("streams"))) {
      note(`${runtime}, ${NAMES[kind]}: checking the bytes`);
      await check(workspace, runtime, kind, small, fifo);
      all.push({
        runtime,
        kind,
        server: await start(workspace, runtime, kind, kind === "fifo" ? fifo : large.path),
        cpuPerGb: [],
        seconds: [],
        gbPerSecond: [],
        clientCpuPerGb: [],
        complete: [],
        peakBytes: 0,
      });
    }
  }
  for (let round = 1; round <= rounds; round++) {
    for (const measured of all) {
      await measure(measured, large, fifo);
      const { runtime, kind, cpuPerGb, seconds } = measured;
      const figures = `${number(cpuPerGb.at(-1)!)} CPU-s/GB, ${number(seconds.at(-1)!)} s`;
      note(`round ${round}, ${runtime}, ${NAMES[kind]}: ${figures}`);
    }
  }
  for (const measured of all) {
    measured.peakBytes = memory(measured.server.pid).peak;
    await measured.server.stop();
  }
  return report(all, rounds);
}

function makeFifo(workspace: Workspace): string {
  const path = join(workspace.files, "source.fifo");
  const { status, stderr } = spawnSync("mkfifo", [path], { encoding: "utf8" });
  if (status !== 0) throw new Error(`Cannot make a FIFO: ${stderr}`);
  return path;
}

function start(
  workspace: Workspace,
  runtime: RuntimeName,
  kind: Kind,
  path: string,
  slowMs?: number,
): Promise<Server> {
  const script = kind === "streams" ? "broadcast_streams" : "broadcast_sluice";
  const clients = String(kind === "alone" ? CLIENTS - 1 : CLIENTS);
  const slow = kind === "file" || kind === "fifo" ? "block" : "drop";
  const args = [workspace.files, path, clients, slow];
  if (slow === "drop" && slowMs !== undefined) args.push(String(slowMs));
  return startServer(commandFor(runtime, workspace.script(`servers/${script}`), args));
}

function jobOf(kind: Kind, port: number, size: number, hash: boolean): FanOutJob {
  const readers = kind === "alone" || kind === "stopped" ? CLIENTS - 1 : CLIENTS;
  const stopped = kind === "stopped" ? 1 : 0;
  return { port, readers, stopped, size, limitMs: LIMIT_MS, hash };
}

async function check(
  workspace: Workspace,
  runtime: RuntimeName,
  kind: Kind,
  file: ServedFile,
  fifo: string,
): Promise<void> {
  // On a busy machine, clients that hash are too slow for the limit.
  const source = kind === "fifo" ? fifo : file.path;
  const server = await start(workspace, runtime, kind, source, CHECK_SLOW_MS);
  const job = jobOf(kind, server.port, file.size, true);
  const writer = kind === "fifo" ? feed(file.path, fifo) : undefined;
  const result = await startClient<FanOutResult>("fan_out", job).result;
  await writer;
  await server.stop();
  const same = result.hashes.length === 1 && result.hashes[0] === file.sha256;
  if (!same || result.complete !== job.readers) {
    throw new Error(`${runtime}, ${NAMES[kind]}: ${JSON.stringify(result)}`);
  }
}

async function measure(measured: Measured, file: ServedFile, fifo: string): Promise<void> {
  const { kind, server, runtime } = measured;
  const job = jobOf(kind, server.port, file.size, false);
  const before = cpuSeconds(server.pid);
  const writer = kind === "fifo" ? feed(file.path, fifo) : undefined;
  const result = await startClient<FanOutResult>("fan_out", job).result;
  await writer;
  const cpu = cpuSeconds(server.pid) - before;
  // Clients may be dropped in these two cases. The report has their number.
  if (result.complete !== job.readers && kind !== "alone" && kind !== "stopped") {
    throw new Error(`${runtime}, ${NAMES[kind]}: ${JSON.stringify(result)}`);
  }
  measured.complete.push(result.complete);
  const gigabytes = result.bytes / 1e9;
  measured.cpuPerGb.push(cpu / gigabytes);
  measured.seconds.push(result.seconds);
  measured.gbPerSecond.push(gigabytes / result.seconds);
  measured.clientCpuPerGb.push(result.cpuSeconds / gigabytes);
}

/** Writes the file into the FIFO, in a process of its own, as soon as the server opens it. */
function feed(path: string, fifo: string): Promise<void> {
  const script = 'exec cat "$0" > "$1"';
  const child = spawn("sh", ["-c", script, path, fifo], { stdio: "ignore", timeout: LIMIT_MS });
  return new Promise((resolve) => child.on("close", () => resolve()));
}

function report(all: readonly Measured[], rounds: number): Report {
  return {
    title: `broadcast: ${SIZE / MIB} MiB to ${CLIENTS} clients at once over loopback`,
    method: [
      `Median (min-max) of ${rounds} interleaved rounds. GB: 10^9 bytes received, over all clients.`,
      `CPU: user and system time of all threads of the server. Memory: VmHWM over all rounds.`,
      `Streams: one fs.createReadStream(), each chunk written to every socket, then a wait for all of them.`,
      `The pipe is written by cat, whose CPU time is not counted. The file is in the page cache.`,
      `Clients discard inside the kernel and must receive every byte; SHA-256 of ${
        CHECKED / MIB
      } MiB was checked before. ${PINNING}.`,
      `The time is from the first byte to the end of the last reader.`,
    ],
    columns: ["what", "CPU-s/GB", "seconds", "GB/s", "peak MB", "client CPU-s/GB", "complete"],
    rows: all.map(({ runtime, kind, ...figures }) => [
      `${runtime} ${NAMES[kind]}`,
      spread(summarize(figures.cpuPerGb)),
      spread(summarize(figures.seconds)),
      spread(summarize(figures.gbPerSecond)),
      number(figures.peakBytes / 1e6),
      number(summarize(figures.clientCpuPerGb).median),
      String(summarize(figures.complete).min),
    ]),
    bars: [...Map.groupBy(all, ({ runtime }) => runtime)].flatMap(([runtime, of]) =>
      bars(runtime, of)
    ),
    samples: all.map(({ server: _, ...figures }) => figures),
  };
}

function bars(runtime: RuntimeName, of: readonly Measured[]): Bar[] {
  const get = (kind: Kind) => of.find((measured) => measured.kind === kind)!;
  const cpu = (kind: Kind): Bar => ({
    subject: `${runtime} ${NAMES[kind]}`,
    what: "CPU / streams",
    value: ratios(get(kind).cpuPerGb, get("streams").cpuPerGb),
    limit: OF_STREAMS,
    wanted: "at most",
  });
  const besideStreams = of.some(({ kind }) => kind === "streams");
  return [...besideStreams ? [cpu("file"), cpu("fifo")] : [], {
    subject: `${runtime} ${NAMES.stopped}`,
    what: "seconds / without it",
    value: ratios(get("stopped").seconds, get("alone").seconds),
    limit: OF_ALONE,
    wanted: "at most",
  }];
}
