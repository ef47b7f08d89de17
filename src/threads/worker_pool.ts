/** Several Workers that run one job, each on a duplicate of one listener. @module */

import { WorkerHost } from "./worker_host.ts";

/** What a pool runs. */
export interface WorkerPoolOptions {
  /** The job: URL of a module that exports `run`; see {@linkcode jobLocation}. */
  readonly job: URL;
  /** How many threads, at least 1. */
  readonly threads: number;
  /** Name of the threads, for debuggers and for errors. */
  readonly name: string;
  /** What thread `index` is given: structured-clone data. */
  data(index: number): unknown;
  /** Descriptors for thread `index`, which become the pool's. */
  fds(index: number): readonly number[];
  /** File to start instead of our own Worker entry. */
  readonly workerUrl?: URL | string | undefined;
  /** Called with what a thread reports under an id that no call has. Must not throw. */
  reported?(index: number, id: number, result: number): void;
  /**
   * Called once, after `close()` or a start that failed, when all threads are gone: what they shared can
   * be let go. Must not throw.
   */
  gone?(): void;
  /** Called once when a thread has ended although nobody closed the pool. Must not throw. */
  ended(error: Error): void;
}

/** A command as it reaches the job, which must answer with `job.complete(id, result)`. */
export interface WorkerCommand<T = unknown> {
  /** Number of the call, at least 1. */
  readonly id: number;
  /** What is to be done. */
  readonly command: T;
}

/** Id under which a job reports, once, that it is at work; the result is not used. */
export const READY_ID = 0;

interface Call {
  readonly results: number[];
  left: number;
  resolve(results: number[]): void;
  reject(error: Error): void;
}

/** Threads that begin, obey and end together. */
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
   * Starts the threads. A failure that shows later rejects `ready` and calls `ended`.
   *
   * @throws {UnsupportedError} When Workers are not permitted, or there is no backend.
   * @throws {SyscallError} `EMFILE` or `ENFILE` when there are too many descriptors.
   */
  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.ready = this.#expect(READY_ID).then(() => {});
    // Whoever does not ask must not get an unhandled rejection beside `ended`.
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

  /** Ends all threads, and with them what they have not answered; resolves when they are gone. */
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
