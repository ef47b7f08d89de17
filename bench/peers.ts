/** Runs the peers of the file benchmarks: fio, dd and C programs. @module */

import { execFile, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { DirectJob } from "./client/direct_load.ts";
import type { Workspace } from "./workspace.ts";

const execute = promisify(execFile);

/** fio's report on one direction. */
interface FioSide {
  readonly io_bytes: number;
  readonly runtime: number;
}

/** Longest life of a process, in milliseconds. */
const LIFE_MS = 120_000;

/** Whether a program is installed. */
export async function isInstalled(program: string): Promise<boolean> {
  try {
    await execute(program, ["--version"]);
    return true;
  } catch {
    return false;
  }
}

/** Runs fio on the same file with the same flags. Returns bytes per second. */
export async function fio(
  { kind, path, block, depth, seconds }: DirectJob,
  size: number,
  engine: "io_uring" | "psync",
): Promise<number> {
  const rw = { random: "randread", read: "read", write: "write", copy: "read", hash: "read" }[kind];
  const inFlight = engine === "psync" ? `--numjobs=${depth}` : `--iodepth=${depth}`;
  const args = [
    ...["--name=bench", `--filename=${path}`, `--size=${size}`, `--rw=${rw}`, `--bs=${block}`],
    ...["--direct=1", `--ioengine=${engine}`, inFlight, "--time_based"],
    // Threads, because processes in sessions of their own get their own share of the processor.
    ...["--thread", "--ramp_time=500ms"],
    ...[`--runtime=${seconds}`, "--group_reporting", "--output-format=json", "--overwrite=1"],
  ];
  const { stdout } = await execute("fio", args, { timeout: LIFE_MS });
  const { jobs } = JSON.parse(stdout) as { jobs: { read: FioSide; write: FioSide }[] };
  const { io_bytes, runtime } = jobs[0]![kind === "write" ? "write" : "read"];
  return io_bytes / (runtime / 1000);
}

/** Copies a file with dd past the page cache, one MiB at a time. Returns the seconds it took. */
export async function dd(from: string, to: string): Promise<number> {
  const started = performance.now();
  const flags = ["bs=1M", "iflag=direct", "oflag=direct", "status=none"];
  await execute("dd", [`if=${from}`, `of=${to}`, ...flags], { timeout: LIFE_MS });
  return (performance.now() - started) / 1000;
}

/** Compiles a program of `bench/peers/`. Returns its path; `undefined` where there is no compiler. */
export function compilePeer(
  workspace: Workspace,
  name: "copy" | "http" | "relay" | "transfer" | "mapped" | "https_client" | "kafka_fetch",
  libraries: readonly string[] = [],
): string | undefined {
  const source = fileURLToPath(new URL(`peers/${name}.c`, import.meta.url));
  const program = workspace.script(`peer_${name}`).replace(/\.js$/, "");
  const { status, error, stderr } = spawnSync(
    "cc",
    ["-O2", "-o", program, source, ...libraries.map((library) => `-l${library}`)],
    { encoding: "utf8" },
  );
  if (error !== undefined) return undefined;
  if (status !== 0) throw new Error(`Cannot compile ${source}: ${stderr}`);
  return program;
}
