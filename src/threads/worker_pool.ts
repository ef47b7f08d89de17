/** A group of Workers that run one job, each on a duplicate of one listener. @module */

import { WorkerHost } from "./worker_host.ts";

/** The job of a pool, and its callbacks. */
export interface WorkerPoolOptions {
  /** The job: URL of a module that exports `run`; see {@linkcode jobLocation}. */
  readonly job: URL;
  /** Number of threads, at least 1. */
  readonly threads: number;
  /** Name of the threads, for debuggers and errors. */
  readonly name: string;
  /** Data for thread `index`: structured-clone data. */
  data(index: number): unknown;
  /** Descriptors for thread `index`; the pool owns them. */
  fds(index: number): readonly number[];
  /** File to start instead of sluice's Worker entry. */
  readonly workerUrl?: URL | string | undefined;
  /** Called when a thread reports an ID that belongs to no call. Must not throw. */
  reported?(index: number, id: number, result: number): void;
  /**
   * Called once when all threads have ended, after `close()` or a failed start: their shared
   * resources can then be freed. Must not throw.
   */
  gone?(): void;
  /** Called once if a thread ends without a call to `close()`. Must not throw. */
  ended(error: Error): void;
}

/** A command for the job, which must answer with `job.complete(id, result)`. */
export interface WorkerCommand<T = unknown> {
  /** ID of the call, at least 1. */
  readonly id: number;
  /** The command itself. */
  readonly command: T;
}

/** ID under which a job reports once that it has started; the result is unused. */
export const READY_ID = 0;

interface Call {
  readonly results: number[];
  left: number;
  resolve(results: number[]): void;
  reject(error: Error): void;
}

/** Threads that start, receive commands and end together. */
export class WorkerPool {
  readonly #hosts: WorkerHost[] = [];
  readonly #calls = new Map<number, Call>();
  readonly #options: WorkerPoolOptions;
  #lastId = READY_ID;
  #failure: Error | undefined;
  #closing: Promise<void> | undefined;

  /** Resolves when every thread has reported {@linkcode READY_ID}. */
  readonly ready: Promise<void>;

  /**
   * Starts the threads. A later failure rejects `ready` and calls `ended`.
   *
   * @throws {UnsupportedError} When the permissions forbid Workers, or no backend is available.
   * @throws {SyscallError} `EMFILE` or `ENFILE` when too many descriptors are open.
   */
  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.ready = this.#expect(READY_ID).then(() => {});
    // Callers that ignore `ready` must not get an unhandled rejection in addition to `ended`.
    this.ready.catch(() => {});
    try {
      for (let index = 0; index < options.threads; index++) this.#start(index);
    } catch (cause) {
      this.#lose(cause as Error, false);
      void this.close();
      throw cause;
    }
  }

  /** Sends a command to every thread; resolves to their results once all have answered. */
  call(command: unknown): Promise<number[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = ++this.#lastId;
    const results = this.#expect(id);
    for (const host of this.#hosts) host.post({ id, command } satisfies WorkerCommand);
    return results;
  }

  /** Keeps the process alive until `unref()`. */
  ref(): void {
    for (const host of this.#hosts) host.ref();
  }

  /** Lets the process end. */
  unref(): void {
    for (const host of this.#hosts) host.unref();
  }

  /** Ends all threads, rejects their pending calls, and resolves when they have ended. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => host.close()));
    this.#options.gone?.();
    this.#lose(new Error(`The threads of "${this.#options.name}" were closed`), false);
  }

  #start(index: number): void {
    const { data, fds, job, name, threads, workerUrl } = this.#options;
    const host = new WorkerHost({
      job,
      workerUrl,
      name: threads === 1 ? name : `${name} ${index + 1}`,
      data: data(index),
      fds: fds(index),
      completed: (id, result) => this.#completed(index, id, result),
      ended: (error) => this.#lose(error, true),
    });
    this.#hosts.push(host);
  }

  #expect(id: number): Promise<number[]> {
    const { promise, resolve, reject } = Promise.withResolvers<number[]>();
    const left = this.#options.threads;
    this.#calls.set(id, { results: new Array<number>(left).fill(0), left, resolve, reject });
    return promise;
  }

  #completed(index: number, id: number, result: number): void {
    const call = this.#calls.get(id);
    if (call === undefined) return this.#options.reported?.(index, id, result);
    call.results[index] = result;
    if (--call.left > 0) return;
    this.#calls.delete(id);
    call.resolve(call.results);
  }

  #lose(error: Error, report: boolean): void {
    const first = this.#failure === undefined;
    this.#failure ??= error;
    for (const call of this.#calls.values()) call.reject(this.#failure);
    this.#calls.clear();
    if (first && report) this.#options.ended(error);
  }
}
