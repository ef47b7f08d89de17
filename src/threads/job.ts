/**
 * The contract between a Worker and the thread that started it.
 *
 * A job is a module that exports `run(job: JobContext): void`, which blocks until `stopping()`. It
 * may export `prepare(data)`, which is awaited first. Inside `run` there are no promises, no timers
 * and no console.
 *
 * @module
 */

import type { MessagePort } from "node:worker_threads";

/**
 * Longest wait of a Worker in a system call, in milliseconds.
 *
 * A runtime that ends joins its Workers first. A Worker in a longer wait keeps it alive: on
 * Node.js, `process.exit()`, an uncaught exception, a natural end and `terminate()` all hang.
 */
export const PARK_MS = 250;

/**
 * The same for a host inside the user's own Worker. `terminate()` runs no exit hook there, and
 * Node.js joins the Workers of that Worker one after the other, so these waits add up.
 */
export const NESTED_PARK_MS = 50;

/** The environment of a job. */
export interface JobContext {
  /** The host's `data`. */
  readonly data: unknown;
  /** The host's `fds`, which the host closes after `run`. */
  readonly fds: readonly number[];
  /** Readable when commands wait or the job must stop; include it in every wait. */
  readonly wakeFd: number;
  /** Longest wait of the job, in milliseconds. */
  readonly parkMs: number;
  /**
   * Whether `run` must return now. Check before every wait: afterwards `wakeFd` is never cleared.
   */
  stopping(): boolean;
  /** Takes the waiting commands. Call it when `wakeFd` is readable. */
  commands(): unknown[];
  /** Reports that operation `id` has ended with `result`; `flush` sends it, or a full batch. */
  complete(id: number, result: number): void;
  /** Sends the reports. Call before every wait. */
  flush(): void;
}

/** Exports of a job module. */
export interface JobModule {
  /** Loads what `run` needs, because `run` cannot await. */
  prepare?(data: unknown): Promise<void>;
  /** Works until `job.stopping()`. */
  run(job: JobContext): void;
}

/** The data that the host passes to its Worker as `workerData.sluice`. */
export interface WorkerStart {
  readonly job: string;
  readonly data: unknown;
  // The host owns all descriptors.
  readonly fds: readonly number[];
  readonly wakeFd: number;
  readonly completionFd: number;
  readonly parkMs: number;
  /** Thread that created the host, if it is one of the user's Workers; else 0. */
  readonly owner: number;
  readonly port: MessagePort;
  readonly state: Int32Array<SharedArrayBuffer>;
}

/** The data of a Worker that starts before its work is known; its first message is a `WorkerStart`. */
export interface EarlyStart {
  readonly job: string;
  readonly state?: undefined;
}

/** Indexes into `WorkerStart.state`. */
export const Slot = {
  /** The host sets it to 1 when the job must stop. */
  STOP: 0,
  /** A `Phase`, set by the Worker. */
  PHASE: 1,
} as const;

/** Progress of the Worker. */
export const Phase = {
  /** The Worker is loading the job. */
  STARTING: 0,
  /** The job is running and uses the host's descriptors. */
  RUNNING: 1,
  /** The job has ended, or must not start. */
  DONE: 2,
  /** The job is loaded and is preparing. */
  PREPARING: 3,
} as const;
