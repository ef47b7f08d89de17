/** The child process that moves the file once and measures itself. @module */

import { statSync, writeSync } from "node:fs";
import process from "node:process";
import { platform } from "../../../ffi/platform/mod.ts";
import { encodeAddress } from "../../sys/net/address.ts";
import * as raw from "../../sys/raw/mod.ts";
import { Calls, must } from "./calls.ts";
import { methodNamed } from "./methods.ts";
import type { Method } from "./method.ts";
import { drop } from "./system/page_cache.ts";
import type { Figures, Job, Traffic } from "./types.ts";
import { difference, memory, resetPeak, type Usage, usage } from "./system/usage.ts";

const { open: bits, socket: numbers } = platform;
const WRITE_ONLY = 1;
const READ_WRITE = 2;
const STREAM = 1;
const SHUT_WR = 1;

/** Paths that do not exist. Opening them marks the strace(1) log. */
export const MARK = { begin: "/sluice-compare/begin", end: "/sluice-compare/end" } as const;

/** Runs the job and prints {@linkcode Figures}, or `{ error }`, as one line of JSON. */
export async function runPart(text: string): Promise<void> {
  const job = JSON.parse(text) as Job;
  try {
    const figures = await measure(job, methodNamed(job.method));
    writeSync(1, `${JSON.stringify(figures)}\n`);
  } catch (error) {
    const { message, code } = error as Error & { code?: string };
    writeSync(1, `${JSON.stringify({ error: { message, code: code ?? null } })}\n`);
    // Open sockets would keep the process alive.
    process.exit();
  }
}

async function measure(job: Job, method: Method): Promise<Figures> {
  // Binds the calls of the measurement and allocates its memory before it begins.
  usage();
  const measured = method.move === undefined
    ? await measureLibrary(job, method.library!)
    : measureCalls(job, method.move, method.direct ?? false);
  const { used, before, traffic } = measured;
  const { ms, ...counters } = used;
  const { peak } = memory();
  return {
    bytes: job.size,
    ms,
    ...counters,
    ...traffic,
    peak,
    growth: Math.max(0, peak - before),
  };
}

interface Measured {
  readonly used: Usage;
  /** Resident bytes at the start. */
  readonly before: number;
  readonly traffic: Traffic;
}

function measureCalls(job: Job, move: Method["move"] & object, direct: boolean): Measured {
  const flags = bits.CLOEXEC | (direct ? bits.DIRECT : 0);
  const source = must(raw.open(job.path, flags, 0), "open");
  const outs = openOuts(job, direct);
  const calls = new Calls();
  const start = begin();
  move({ source, size: job.size, outs, target: job.target, calls });
  const { traffic } = calls;
  if (job.ports.length > 0) outs.forEach(finish);
  else outs.forEach((fd) => raw.close(fd));
  return { ...end(start), traffic };
}

async function measureLibrary(job: Job, run: Method["library"] & object): Promise<Measured> {
  // A cold file also starts what reads from the disk.
  await drop(job.warmUp, statSync(job.warmUp).size);
  await run({ ...job, path: job.warmUp, output: warmUpOutput(job) });
  const start = begin();
  await run(job);
  return { ...end(start), traffic: { calls: null, intoUser: 0, outOfUser: 0, inKernel: 0 } };
}

/** Returns a separate file or pipe: the receiver could take two writers of one pipe for one. */
function warmUpOutput({ target, output }: Job): string {
  return target === "file" || target === "pipe" ? `${output}-first` : output;
}

interface Start {
  readonly usage: Usage;
  readonly resident: number;
}

function begin(): Start {
  resetPeak();
  const { resident } = memory();
  raw.open(MARK.begin, 0, 0);
  return { usage: usage(), resident };
}

function end({ usage: before, resident }: Start): { used: Usage; before: number } {
  const after = usage();
  raw.open(MARK.end, 0, 0);
  return { used: difference(before, after), before: resident };
}

function openOuts({ ports, output, target }: Job, direct: boolean): number[] {
  if (ports.length > 0) return ports.map(connect);
  if (target === "pipe") return [must(raw.open(output, WRITE_ONLY | bits.CLOEXEC, 0), "open")];
  const flags = READ_WRITE | bits.CLOEXEC | bits.CREAT | bits.EXCL | (direct ? bits.DIRECT : 0);
  return [must(raw.open(output, flags, 0o600), "open")];
}

function connect(port: number): number {
  const fd = must(raw.socket(numbers.AF_INET, STREAM | numbers.SOCK_CLOEXEC, 0), "socket");
  const address = encodeAddress({ family: "IPv4", address: "127.0.0.1", port });
  must(raw.connect(fd, address), "connect");
  return fd;
}

/** Shuts down, and waits until the receiver has drained everything and closes. */
function finish(fd: number): void {
  raw.shutdown(fd, SHUT_WR);
  const rest = new Uint8Array(1);
  while (raw.read(fd, rest) > 0);
  raw.close(fd);
}
