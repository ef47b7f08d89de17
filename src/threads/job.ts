/**
 * What a Worker and the thread that started it agree on.
 *
 * A job is a module that exports `run(job: JobContext): void`, which blocks until `stopping()`; it may
 * export `prepare(data)`, which is awaited before.
 * Inside it there are no promises, no timers and no console.
 *
 * @module
 */

import type { MessagePort } from "node:worker_threads";

/**
 * Longest libc wait of a Worker, in milliseconds.
 *
 * A runtime that is told to end joins its Workers, and a Worker in a longer wait makes it immortal:
 * `process.exit()`, an uncaught throw, a natural end and `terminate()` all hang on Node.js.
 */
export const PARK_MS = 250;

/**
 * The same for a host made inside a user's own Worker. `terminate()` runs no exit hook there, and
 * Node.js joins the Workers of that Worker one after the other: these waits add up.
 */
export const NESTED_PARK_MS = 50;

/** What a job sees of the outside. */
export interface JobContext {
  /** The host's `data`. */
  readonly data: unknown;
  /** The host's `fds`, which closes them after `run`. */
  readonly fds: readonly number[];
  /** Readable while there are commands and when the job must stop; wait for it with the rest. */
  readonly wakeFd: number;
  /** Longest wait that the job may make, in milliseconds. */
  readonly parkMs: number;
  /** Whether `run` must return now. Ask before every wait: nothing clears `wakeFd` after that. */
  stopping(): boolean;
  /** Takes the commands that have arrived. Call when `wakeFd` is readable. */
  commands(): unknown[];
  /** Reports that operation `id` has ended with `result`; sent by `flush`, or when many gather. */
  complete(id: number, result: number): void;
  /** Sends what was reported. Call before every wait. */
  flush(): void;
}

/** What a job module exports. */
export interface JobModule {
  /** Loads what `run` needs, for there are no promises in it. */
  prepare?(data: unknown): Promise<void>;
  /** Works until `job.stopping()`. */
  run(job: JobContext): void;
}

/** What the host hands to its Worker, as `workerData.sluice`. */
export interface WorkerStart {
  readonly job: string;
  readonly data: unknown;
  // All descriptors are the host's.
  readonly fds: readonly number[];
  readonly wakeFd: number;
  readonly completionFd: number;
  readonly parkMs: number;
  /** Thread that made the host, if it is a Worker of the user's; else 0. */
  readonly owner: number;
  readonly port: MessagePort;
  readonly state: Int32Array<SharedArrayBuffer>;
}

/** Places in `WorkerStart.state`. */
export const Slot = {
  /** Set to 1 by the host when the job must stop. */
  STOP: 0,
  /** A `Phase`, set by the Worker. */
  PHASE: 1,
} as const;

/** How far the Worker has come. */
export const Phase = {
  /** The job is being loaded. */
  STARTING: 0,
  /** The job runs, and uses the host's descriptors. */
  RUNNING: 1,
  /** The job has ended, or must not begin. */
  DONE: 2,
  /** The job has been loaded, and loads what it needs itself. */
  PREPARING: 3,
} as const;
