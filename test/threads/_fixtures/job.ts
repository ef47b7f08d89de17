/** A job for tests: answers commands, and fails or hangs when it is told to. @module */

import { poll } from "../../../src/sys/raw/mod.ts";
import type { JobContext } from "../../../src/threads/job.ts";
import { PollEvent } from "../../../src/sys/flags/event.ts";

export function run(job: JobContext): void {
  while (!job.stopping()) {
    if (poll(job.wakeFd, PollEvent.IN, job.parkMs) <= 0) continue;
    for (const command of job.commands()) {
      if (command === "throw") throw new RangeError("thrown on purpose");
      if (command === "hang") { for (;;) poll(-1, 0, job.parkMs); }
      if (command === "slow") slow(job);
      if (typeof command === "number") job.complete(command, command * (job.data as number));
      if (command === "many") { for (let id = 0; id < 5000; id++) job.complete(id, -id); }
      job.flush();
    }
  }
}

/** Takes a second and a half to its end, and says that it came there. */
function slow(job: JobContext): void {
  while (!job.stopping()) poll(-1, 0, job.parkMs);
  for (const end = Date.now() + 1500; Date.now() < end;) poll(-1, 0, job.parkMs);
  Atomics.store(job.data as Int32Array, 0, 1);
}
