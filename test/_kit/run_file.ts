/** Runs one test file in a separate process, and judges how it ended. @module */

import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describeGroup } from "./hang.ts";
import { count, type Tally } from "./junit.ts";
import type { Runner } from "./runners.ts";

/** Outcome of a file. */
export interface Outcome extends Tally {
  /** Problem besides failed tests: a crash, a hang, tests that never ran. */
  readonly trouble: string | undefined;
  /** Whether the process crashed, or ended before its last test: no repetition excuses that. */
  readonly crashed: boolean;
  /** Names of the tests that failed. */
  readonly failures: string[];
  /** Complete output of the process. */
  readonly output: string;
  /** What its processes were doing when it was killed because it hung. */
  readonly hang: string | undefined;
  readonly seconds: number;
  /** Processor time of the process and of those children that it waited for, in seconds. */
  readonly cpuSeconds: number;
}

/** Settings of a run. */
export interface RunOptions {
  /** Folder of this run's temporary files. */
  readonly folder: string;
  /** Added to the environment. */
  readonly env: Record<string, string>;
  /** Seconds after which the process and its children are killed. */
  readonly limit: number;
}

let sequence = 0;
const running = new Set<number>();

/** Kills the running files, with all their children. */
export function stopRunning(): void {
  for (const pid of running) stop(pid);
}

function stop(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The whole group has ended.
  }
}

/**
 * Runs `file`.
 *
 * Each file runs in a separate process on every runtime. bun and deno would run all files in one
 * process, where a crash loses every result, and Workers, exit hooks and patches of one file affect
 * the next.
 */
export async function runFile(runner: Runner, file: string, options: RunOptions): Promise<Outcome> {
  const base = join(options.folder, String(sequence++));
  const report = `${base}.xml`;
  const started = performance.now();
  const { ending, hang, cpuSeconds } = await execute(
    runner.tests(file, report),
    `${base}.log`,
    options,
  );
  const { complete, failures, ...tally } = count(
    existsSync(report) ? readFileSync(report, "utf8") : "",
  );
  const output = readFileSync(`${base}.log`, "utf8");
  const unreported = ending === 0 && !complete && skipsAll(file, output);
  if (unreported) tally.skipped = 1;
  const trouble = hang !== undefined
    ? `killed after ${options.limit} s`
    : typeof ending === "string"
    ? `killed by ${ending}`
    : ending !== 0 && tally.failed === 0
    ? `ended with ${ending}, though no test failed`
    : tally.passed + tally.failed + tally.skipped === 0
    ? "no test ran"
    : complete || unreported
    ? undefined
    : `ended with ${ending} before its last test`;
  if (trouble !== undefined) tally.failed++;
  const crashed = trouble !== undefined && hang === undefined;
  const seconds = (performance.now() - started) / 1000;
  return { ...tally, failures, trouble, crashed, output, hang, seconds, cpuSeconds };
}

/** Whether all suites are skipped as a whole: Bun does not report the tests of such suites. */
function skipsAll(file: string, output: string): boolean {
  return /\n 0 pass\n 0 fail\nRan 0 tests /.test(output) &&
    /\bdescribe\("[^"]*", \{ skip\b/.test(readFileSync(file, "utf8"));
}

interface Ending {
  /** The exit code, or the name of the signal. */
  readonly ending: number | string;
  /** What its processes were doing when the limit had passed, if it did. */
  readonly hang: string | undefined;
  readonly cpuSeconds: number;
}

function execute(
  [command, ...args]: string[],
  log: string,
  { env, limit }: RunOptions,
): Promise<Ending> {
  const { promise, resolve, reject } = Promise.withResolvers<Ending>();
  // A file keeps the order of both streams, and a child that outlives the test cannot keep it open.
  const output = openSync(log, "w");
  const child = spawn(command!, args, {
    stdio: ["ignore", output, output],
    env: { ...process.env, ...env },
    // A separate process group, so that a hang can be killed with its children.
    detached: true,
  });
  closeSync(output);
  const { pid } = child;
  if (pid !== undefined) running.add(pid);
  let hang: string | undefined;
  const timer = setTimeout(() => {
    hang = describeGroup(pid!);
    stop(pid!);
  }, limit * 1000);
  child.once("error", reject);
  child.once("exit", (code, signal) => {
    clearTimeout(timer);
    stop(pid!);
    running.delete(pid!);
    resolve({ ending: code ?? signal!, hang, cpuSeconds: takeCpuSeconds() });
  });
  return promise;
}

/** Linux reports processor time in hundredths of a second. */
const TICKS_PER_SECOND = 100;

let ticksTaken = 0;

/**
 * Processor time of the children that have ended since the last call.
 *
 * Node.js has no `wait4`. The kernel adds the time of a child to this process when the child is
 * waited for, which is right before its "exit" event. Two files that end in the same turn of the
 * event loop are counted as one.
 */
function takeCpuSeconds(): number {
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ").at(-1)!.split(" ");
  // cutime and cstime are the fields 16 and 17; the first two went with the name.
  const ticks = Number(fields[13]) + Number(fields[14]);
  const taken = ticks - ticksTaken;
  ticksTaken = ticks;
  return taken / TICKS_PER_SECOND;
}
