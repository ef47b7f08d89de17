/** Direct I/O beside fio and dd. @module */

import { rmSync } from "node:fs";
import { cachedBytes } from "../../examples/direct_backup/cached.ts";
import type { DirectJob, DirectResult } from "../client/direct_load.ts";
import type { Context } from "../context.ts";
import { commandFor, type RuntimeName, versionOf } from "../environment.ts";
import { drop } from "../measure/page_cache.ts";
import { ratios, summarize } from "../measure/stats.ts";
import { dd, fio, isInstalled } from "../peers.ts";
import { run } from "../processes.ts";
import { type Bar, number, type Report, spread } from "../report.ts";
import { verifyCopy } from "../verify.ts";
import type { ServedFile } from "../workspace.ts";

const SIZE = 1024 ** 3;
const MIB = 1024 ** 2;
const SECONDS = 2;
/** Threads of sluice's pool, and of its peer. */
const THREADS = 4;
/** Page cache that a backup may fill, in MiB. */
const CACHE_LIMIT_MIB = 16;

/** One comparison. */
interface Case {
  readonly name: string;
  readonly job: Omit<DirectJob, "path">;
  /** Environment of sluice's process. */
  readonly env: Record<string, string>;
  /** Bytes per second of the peer. */
  peer(job: DirectJob): Promise<number>;
  readonly peerName: string;
  /** Least share of the peer's rate. */
  readonly limit: number;
}

const RING = { SLUICE_RING: "" };
const POOL = { SLUICE_RING: "off", SLUICE_IO_THREADS: String(THREADS) };
const uring = (job: DirectJob) => fio(job, SIZE, "io_uring");
const psync = (job: DirectJob) => fio({ ...job, depth: THREADS }, SIZE, "psync");

const CASES: readonly Case[] = [
  {
    name: "random reads of 4 KiB, 32 in flight",
    job: { kind: "random", block: 4096, depth: 32, seconds: SECONDS },
    env: RING,
    peer: uring,
    peerName: "fio io_uring",
    limit: 0.95,
  },
  {
    name: "reads of 1 MiB in order, 8 in flight",
    job: { kind: "read", block: MIB, depth: 8, seconds: SECONDS },
    env: RING,
    peer: uring,
    peerName: "fio io_uring",
    limit: 1,
  },
  {
    name: "writes of 1 MiB in order, 8 in flight",
    job: { kind: "write", block: MIB, depth: 8, seconds: SECONDS },
    env: RING,
    peer: uring,
    peerName: "fio io_uring",
    limit: 1,
  },
  {
    name: `random reads of 4 KiB, ${THREADS} threads, no ring`,
    job: { kind: "random", block: 4096, depth: 16, seconds: SECONDS },
    env: POOL,
    peer: psync,
    peerName: `fio psync, ${THREADS} threads`,
    limit: 0.9,
  },
  {
    name: `reads of 1 MiB in order, ${THREADS} threads, no ring`,
    job: { kind: "read", block: MIB, depth: THREADS, seconds: SECONDS },
    env: POOL,
    peer: psync,
    peerName: `fio psync, ${THREADS} threads`,
    limit: 0.9,
  },
];

interface Sample {
  readonly runtime: RuntimeName;
  readonly ours: number;
  readonly peer: number;
  readonly cpuSeconds: number;
  /** Growth of the page cache in MiB. */
  readonly cacheMib: number;
}

/** Runs the benchmark. */
export async function direct(context: Context): Promise<Report> {
  const { workspace, note } = context;
  const runtimes = context.runtimes.filter((name) => versionOf(name) !== undefined);
  note("writing a file of 1 GiB");
  const file = workspace.file("direct", SIZE);
  await drop(file.path);
  const measured: { name: string; peerName: string; limit: number; samples: Sample[] }[] = [];
  for (const runtime of runtimes) {
    for (const env of [RING, POOL]) await verifyReads(context, runtime, file, env);
  }
  if (!context.peers.has("fio")) note("without fio: only the backup is measured");
  else if (await isInstalled("fio")) {
    for (const each of CASES) {
      const { name, peerName, limit } = each;
      const samples: Sample[] = [];
      for (let round = 1; round <= context.rounds; round++) {
        for (const runtime of runtimes) {
          samples.push(await compare(context, each, runtime, file.path));
          note(`round ${round}, ${name}, ${runtime}: ${describe(samples.at(-1)!)}`);
        }
      }
      measured.push({ name, peerName, limit, samples });
    }
  } else note("fio is not installed: only the backup is measured");
  const backups: Sample[] = [];
  if (!context.peers.has("dd")) return report(measured, backups, context.rounds);
  // The write benchmarks have changed it.
  const source = workspace.file("source", SIZE);
  await drop(source.path);
  for (let round = 1; round <= context.rounds; round++) {
    for (const runtime of runtimes) {
      backups.push(await backUp(context, runtime, source.path, source.sha256, round === 1));
      note(`round ${round}, backup, ${runtime}: ${describe(backups.at(-1)!)}`);
    }
  }
  measured.push({ name: "backup of 1 GiB", peerName: "dd", limit: 1, samples: backups });
  return report(measured, backups, context.rounds);
}

/** Runs the peer and sluice, one right after the other. */
async function compare(
  { workspace }: Context,
  { job, env, peer }: Case,
  runtime: RuntimeName,
  path: string,
): Promise<Sample> {
  const whole: DirectJob = { ...job, path };
  const theirs = await peer(whole);
  const before = cachedMib(path);
  const result = await load(workspace.script("client/direct_load"), runtime, whole, env);
  const { bytes, seconds, cpuSeconds } = result;
  return {
    runtime,
    ours: bytes / seconds,
    peer: theirs,
    cpuSeconds,
    cacheMib: cachedMib(path) - before,
  };
}

async function backUp(
  { workspace }: Context,
  runtime: RuntimeName,
  path: string,
  sha256: string,
  check: boolean,
): Promise<Sample> {
  const target = `${path}-copy`;
  const theirs = SIZE / await dd(path, target);
  rmSync(target);
  const before = cachedMib(path);
  const job: DirectJob = { kind: "copy", path, target, block: MIB, depth: 4, seconds: 0 };
  const script = workspace.script("client/direct_load");
  const { bytes, seconds, cpuSeconds } = await load(script, runtime, job, RING);
  const cacheMib = cachedMib(path, target) - before;
  if (check) await verifyCopy(target, sha256);
  rmSync(target);
  return { runtime, ours: bytes / seconds, peer: theirs, cpuSeconds, cacheMib };
}

/** Reads the whole file in both timed ways. */
async function verifyReads(
  { workspace }: Context,
  runtime: RuntimeName,
  { path, sha256 }: ServedFile,
  env: Record<string, string>,
): Promise<void> {
  const script = workspace.script("client/direct_load");
  const job: DirectJob = { kind: "hash", path, block: MIB, depth: 8, seconds: 0 };
  const { found } = await load(script, runtime, job, env);
  if (found !== sha256) throw new Error(`${runtime} read other bytes than are in "${path}"`);
}

async function load(
  script: string,
  runtime: RuntimeName,
  job: DirectJob,
  env: Record<string, string>,
): Promise<DirectResult> {
  const command = commandFor(runtime, script, [JSON.stringify(job)]);
  const result = await run<DirectResult>({ ...command, env: { ...command.env, ...env } }, "all");
  const engine = env["SLUICE_RING"] === "off" ? "threads" : "ring";
  if (result.mode !== "direct" || result.engine !== engine) {
    throw new Error(`Not what was to be measured: ${JSON.stringify(result)}`);
  }
  return result;
}

/** Returns the cached MiB of these files. Other programs use the rest of the cache. */
function cachedMib(...paths: string[]): number {
  return paths.reduce((sum, path) => sum + cachedBytes(path) / MIB, 0);
}

function describe({ ours, peer, cacheMib }: Sample): string {
  return `${number(ours / 1e6)} MB/s, peer ${number(peer / 1e6)}, ratio ${number(ours / peer)}, ` +
    `page cache +${number(cacheMib)} MiB`;
}

function report(
  measured: readonly {
    name: string;
    peerName: string;
    limit: number;
    samples: readonly Sample[];
  }[],
  backups: readonly Sample[],
  rounds: number,
): Report {
  const rows: string[][] = [];
  const bars: Bar[] = [];
  for (const { name, peerName, limit, samples } of measured) {
    for (const [runtime, own] of Map.groupBy(samples, ({ runtime }) => runtime)) {
      const series = (pick: (sample: Sample) => number) => spread(summarize(own.map(pick)));
      rows.push([
        name,
        runtime,
        series(({ ours }) => ours / 1e6),
        peerName,
        series(({ peer }) => peer / 1e6),
        series(({ cpuSeconds }) => cpuSeconds),
      ]);
      const value = ratios(own.map(({ ours }) => ours), own.map(({ peer }) => peer));
      bars.push({
        subject: runtime,
        what: `${name} / ${peerName}`,
        value,
        limit,
        wanted: "at least",
      });
    }
  }
  for (const [runtime, own] of Map.groupBy(backups, ({ runtime }) => runtime)) {
    bars.push({
      subject: runtime,
      what: "page cache after the backup, MiB more",
      value: summarize(own.map(({ cacheMib }) => cacheMib)),
      limit: CACHE_LIMIT_MIB,
      wanted: "at most",
    });
  }
  return {
    title: "direct: files past the page cache, beside fio and dd",
    method: [
      "The same file of 1 GiB, O_DIRECT, the same block size and number in flight; MB/s.",
      `The peer runs for the same time before each run of sluice; median (min-max) of ${rounds} rounds, ratios by round.`,
      "CPU seconds are the process's own, including its start. No process is pinned.",
      "Page cache: cached pages of the files read and written, by cachestat(2).",
    ],
    columns: ["what", "runtime", "sluice MB/s", "peer", "peer MB/s", "CPU s"],
    rows,
    bars,
    samples: measured,
  };
}
