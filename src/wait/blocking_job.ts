/** The thread that runs blocking calls: see blocking.ts. @module */

import { platform } from "../../ffi/platform/mod.ts";
import { PollEvent } from "../sys/event_flags.ts";
import { poll, setThreadPriority } from "../sys/raw/events.ts";
import { CALLS, type Request } from "./blocking_calls.ts";
import type { JobContext } from "./job.ts";
import { closeSink } from "./populate.ts";

/**
 * Priority of the thread, in 0..19 downwards. Reading from a fast disk takes a whole processor, and
 * with one processor left for both, a small request beside four cold streams took 5.6 ms in the
 * median at 0, 1.8 at 5 and 1.1 at 10, at the same throughput (measured).
 */
const NICE = 10;

/** Runs each command, a {@linkcode Request}, and reports its result. */
export function run(job: JobContext): void {
  // Elsewhere the call is about the whole process.
  if (platform.os === "linux") setThreadPriority(NICE);
  try {
    while (!job.stopping()) {
      if (poll(job.wakeFd, PollEvent.IN, job.parkMs) <= 0) continue;
      for (const { id, call, args } of job.commands() as Request[]) {
        if (job.stopping()) return;
        job.complete(id, (CALLS[call] as (...args: number[]) => number)(...args as number[]));
        job.flush();
      }
    }
  } finally {
    closeSink();
  }
}
