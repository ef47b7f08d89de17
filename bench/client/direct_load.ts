/**
 * Reads or writes a file past the page cache, as its argument, a {@linkcode DirectJob}, says.
 * Prints a {@linkcode DirectResult} as JSON.
 *
 * @module
 */

import { createHash } from "node:crypto";
import process from "node:process";
import { copy } from "../../examples/direct_backup/backup.ts";
import { AlignedBuffer } from "../../src/memory/aligned/aligned_buffer.ts";
import { DirectFile } from "../../src/memory/direct/direct_file.ts";

/** The job. */
export interface DirectJob {
  readonly kind: "random" | "read" | "write" | "copy" | "hash";
  readonly path: string;
  /** Target of a copy. */
  readonly target?: string;
  /** Bytes of one operation. */
  readonly block: number;
  /** Operations in flight. */
  readonly depth: number;
  /** Duration in seconds. A copy runs once. */
  readonly seconds: number;
}

/** Result of a job. */
export interface DirectResult {
  readonly bytes: number;
  readonly seconds: number;
  readonly mode: string;
  readonly engine: string;
  /** User and system time of the process. */
  readonly cpuSeconds: number;
  /** SHA-256 of the file, if the job asked for it. */
  readonly found?: string;
}

/** Time at the start that does not count, like fio's `--ramp_time`, in milliseconds. */
const WARM_UP_MS = 500;

const job = JSON.parse(process.argv[2]!) as DirectJob;
const { kind, path, block, depth } = job;
const file = await DirectFile.open(path, kind === "write" ? { access: "write" } : {});
const { size } = file;
const { mode, engine } = file;

function random(until: number): Promise<number> {
  const blocks = Math.floor(size / block);
  return inFlight(until, (bytes) => file.read(bytes, Math.floor(Math.random() * blocks) * block));
}

function write(until: number): Promise<number> {
  let next = 0;
  return inFlight(until, (bytes) => {
    const offset = next;
    next = next + 2 * block > size ? 0 : next + block;
    return file.write(bytes, offset);
  });
}

/** Keeps `depth` operations in flight, each with its own memory, and counts their bytes. */
async function inFlight(
  until: number,
  operate: (bytes: Uint8Array) => Promise<number>,
): Promise<number> {
  let bytes = 0;
  const worker = async () => {
    using buffer = AlignedBuffer.allocate(block);
    while (performance.now() < until) {
      const moved = await operate(buffer.bytes);
      bytes += moved;
    }
  };
  await Promise.all(Array.from({ length: depth }, worker));
  return bytes;
}

async function read(until: number): Promise<number> {
  let bytes = 0;
  while (performance.now() < until) {
    for await (const chunk of file.readable({ blockSize: block, depth, lend: true })) {
      bytes += chunk.length;
      if (performance.now() >= until) break;
    }
  }
  return bytes;
}

async function copyOnce(): Promise<number> {
  const options = { access: "write", create: true, truncate: true } as const;
  await using target = await DirectFile.open(job.target!, options);
  return await copy(file, target);
}

/** Reads the file in both timed ways. Reports the common hash, or that the hashes differ. */
async function hashAll(): Promise<number> {
  const hash = createHash("sha256");
  const other = createHash("sha256");
  using buffer = AlignedBuffer.allocate(block);
  let bytes = 0;
  for await (const chunk of file.readable({ blockSize: block, depth, lend: true })) {
    hash.update(chunk);
    const count = await file.read(buffer.bytes, bytes);
    other.update(buffer.bytes.subarray(0, count));
    bytes += chunk.length;
  }
  const hashes = [hash.digest("hex"), other.digest("hex")];
  found = hashes[0] === hashes[1] ? hashes[0] : "two different files";
  return bytes;
}

let found: string | undefined;
const work = { random, write, read, copy: copyOnce, hash: hashAll }[kind];
// Starting threads and compiling do not count. The peer has a ramp time for that.
if (job.seconds > 0) await work(performance.now() + WARM_UP_MS);
const startedMs = performance.now();
const bytes = await work(startedMs + job.seconds * 1000);
const seconds = (performance.now() - startedMs) / 1000;
const { user, system } = process.cpuUsage();
const cpuSeconds = (user + system) / 1e6;
const result: DirectResult = { bytes, seconds, mode, engine, cpuSeconds, ...(found && { found }) };
console.log(JSON.stringify(result));
await file.close();
