/** A job for tests of crews: accepts with its loop, and answers commands. @module */

import { raw } from "../../../src/sys/mod.ts";
import { READY_ID, type WorkerCommand } from "../../../src/threads/worker_pool.ts";
import type { JobContext } from "../../../src/threads/job.ts";
import { Acceptor } from "../../../src/threads/loop/acceptor.ts";
import { Loop } from "../../../src/threads/loop/loop.ts";

/** Sends its name to each client; `"count"` returns how many connected; `"throw"` ends it. */
export function run(job: JobContext): void {
  const name = new TextEncoder().encode(String(job.data));
  let count = 0;
  const loop = new Loop(job, (message) => {
    const { id, command } = message as WorkerCommand;
    if (command === "throw") throw new RangeError("thrown on purpose");
    job.complete(id, count);
  });
  const acceptor = new Acceptor(loop, job.fds[0]!, {
    accepted(fd) {
      count++;
      raw.write(fd, name);
      loop.close(fd);
    },
  });
  job.complete(READY_ID, 0);
  job.flush();
  loop.run();
  acceptor.close();
}
