/** Starts a Worker before its work is known, so that its code loads beside the program's own. @module */

import type { Worker } from "node:worker_threads";
import { builtin } from "../builtins.ts";
import { debug } from "../debug.ts";
import type { EarlyStart, WorkerStart } from "./job.ts";
import { jobLocation, workerExecArgv, workerLocation } from "./worker_location.ts";

/** What starts a Worker, apart from its work. */
interface Early {
  readonly job: string;
  readonly location: string;
  readonly worker: Worker;
}

let early: Early | undefined;

/** A job creates almost no garbage, so a small heap saves memory. */
const HEAP = { maxYoungGenerationSizeMb: 1 };

/**
 * Starts a Worker that loads a job and waits. The next host of that job takes it; until then it
 * does not keep the process alive. It makes no system calls of its own before, so the process may
 * end at any time. Failures are left to the host, whose own Worker then fails for the same reason.
 *
 * @param job As for {@linkcode jobLocation}.
 * @param name Name of the thread, for debuggers and errors.
 */
export function startEarly(job: string, name: string): void {
  try {
    const location = workerLocation(undefined);
    const start: EarlyStart = { job: jobLocation(job).href };
    const worker = newWorker(location, name, start);
    worker.on("error", () => early = undefined).on("exit", () => early = undefined);
    early = { job: start.job, location: location.href, worker };
    debug(() => `Worker "${name}" started early`);
  } catch (cause) {
    debug(() => `Worker "${name}" did not start early: ${cause}`);
  }
}

/** Starts the Worker of a host, or gives its work to the one that waits for it. */
export function startWorker(location: URL, name: string, start: WorkerStart): Worker {
  const waiting = early;
  if (waiting?.job !== start.job || waiting.location !== location.href) {
    return newWorker(location, name, start);
  }
  early = undefined;
  debug(() => `Worker "${name}" was started early, and gets its work`);
  const { worker } = waiting;
  worker.removeAllListeners();
  worker.postMessage(start, [start.port]);
  return worker;
}

function newWorker(location: URL, name: string, start: WorkerStart | EarlyStart): Worker {
  const worker = new (builtin("worker_threads").Worker)(location, {
    name,
    workerData: { sluice: start },
    transferList: start.state === undefined ? [] : [start.port],
    resourceLimits: HEAP,
    ...workerExecArgv(),
  });
  worker.unref();
  return worker;
}
