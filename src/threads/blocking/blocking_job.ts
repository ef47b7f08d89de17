/** The thread that runs blocking calls: see blocking.ts. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import { poll, setThreadPriority } from "../../sys/raw/events.ts";
import { CALLS, type Request } from "./blocking_calls.ts";
import type { JobContext } from "../job.ts";
import { closeSink } from "../../page_cache/populate.ts";

/** Runs each command, a {@linkcode Request}, and reports its result. */
export function run(job: JobContext): void {
  const { nice } = job.data as { nice: number };
  // On other systems, the call would affect the whole process.
  if (nice > 0 && platform.os === "linux") setThreadPriority(nice);
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
