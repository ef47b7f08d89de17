/** Counts the system calls of a run with strace(1), between the run's marks. @module */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { MARK } from "../part.ts";
import type { Traffic } from "../types.ts";

/** Calls that move bytes into memory of the process, and calls that move them out. */
const INTO = new Set(["read", "pread64", "readv", "preadv", "preadv2", "recvfrom", "recvmsg"]);
const OUT = new Set(["write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg"]);
const INSIDE = new Set(["sendfile", "splice", "copy_file_range"]);

/** Calls for the runtime's own housekeeping: threads, time, memory. */
const NOISE = new Set(["clock_gettime", "gettimeofday", "getpid", "sched_yield"]);

/** Returns the command that traces its arguments; `undefined` if strace is missing or forbidden. */
export function tracer(output: string): string[] | undefined {
  const probe = spawnSync("strace", ["-o", "/dev/null", "true"], { timeout: 10_000 });
  if (probe.status !== 0) return undefined;
  return ["strace", "-f", "-qq", "-s", "64", "-o", output];
}

/** Sums up a trace, including the runtime's waiting threads. */
export function readTrace(path: string): Traffic {
  return sum(readFileSync(path, "latin1"));
}

const LINE = /^\d+ +(?:<\.\.\. (\w+) resumed>|(\w+)\().*?(?: = (-?\d+)|<unfinished \.\.\.>)/;

function sum(text: string): Traffic {
  const calls: Record<string, number> = {};
  let [intoUser, outOfUser, inKernel] = [0, 0, 0];
  let inside = false;
  for (const line of text.split("\n")) {
    if (line.includes(MARK.begin)) inside = true;
    else if (line.includes(MARK.end)) inside = false;
    else if (inside) {
      const [, resumed, called, result] = LINE.exec(line) ?? [];
      const name = resumed ?? called;
      // If another thread interrupts a call in the log, the second half has the result.
      if (name === undefined || result === undefined || NOISE.has(name)) continue;
      calls[name] = (calls[name] ?? 0) + 1;
      const bytes = Math.max(0, Number(result));
      if (INTO.has(name)) intoUser += bytes;
      if (OUT.has(name)) outOfUser += bytes;
      if (INSIDE.has(name)) inKernel += bytes;
    }
  }
  return { calls, intoUser, outOfUser, inKernel };
}
