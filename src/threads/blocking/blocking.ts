/** Threads for calls that may block, such as disk access. @module */

import type { UnsupportedError } from "../../errors.ts";
import type { BlockingCalls, Request } from "./blocking_calls.ts";
import { WorkerHost } from "../worker_host.ts";
import { isLasting } from "../worker_location.ts";

interface Pending {
  resolve(result: number): void;
  reject(error: Error): void;
}

/** Settings of a {@linkcode BlockingThread}. */
interface BlockingThreadOptions {
  readonly name: string;
  /** Nice value of the thread, 0..19; higher is less important: see nice(2). */
  readonly nice: number;
  /** Milliseconds after which an idle thread ends; `undefined` for never. */
  readonly idleMs?: number;
  /** Whether a call may never return; the process then ends without its thread. */
  readonly mayHang?: boolean;
}

/**
 * Reading from a fast disk takes a whole processor. A lower priority keeps small requests fast
 * beside cold streams, at the same throughput: see `npm run bench -- cold`.
 */
const READ_NICE = 10;

/** Milliseconds for which the copying thread stays idle before it ends, to free its memory. */
const COPY_IDLE_MS = 10_000;

/** One thread, started on first use, that runs one call after the other. */
class BlockingThread {
  readonly #options: BlockingThreadOptions;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #host: WorkerHost | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: BlockingThreadOptions) {
    this.#options = options;
  }

  /** Whether the thread is already running. */
  get started(): boolean {
    return this.#host !== undefined;
  }

  /** Calls that have not returned. */
  get pending(): number {
    return this.#pending.size;
  }

  async run(call: keyof BlockingCalls, args: Request["args"]): Promise<number> {
    const host = this.#thread();
    clearTimeout(this.#timer);
    const id = this.#lastId = (this.#lastId + 1) >>> 0;
    return await new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      if (this.#pending.size === 1) host.ref();
      host.post({ id, call, args });
    });
  }

  #thread(): WorkerHost {
    if (refusal !== undefined) throw refusal;
    if (this.#host !== undefined) return this.#host;
    const { name, nice, mayHang } = this.#options;
    const host = new WorkerHost({
      job: "blocking",
      name,
      mayHang,
      data: { nice },
      completed: (id, result) => this.#completed(id, result),
      ended: (error) => this.#ended(host, error),
    });
    return this.#host = host;
  }

  #completed(id: number, result: number): void {
    const request = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#rest();
    request?.resolve(result);
  }

  #rest(): void {
    const { idleMs } = this.#options;
    this.#host?.unref();
    if (idleMs === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#close(), idleMs);
    this.#timer.unref();
  }

  #close(): void {
    const host = this.#host;
    this.#host = undefined;
    void host?.close();
  }

  #ended(host: WorkerHost, error: Error): void {
    if (isLasting(error)) refusal = error;
    if (this.#host === host) this.#host = undefined;
    const requests = [...this.#pending.values()];
    this.#pending.clear();
    for (const request of requests) request.reject(error);
  }
}

let refusal: UnsupportedError | undefined;

const reading = new BlockingThread({ name: "sluice blocking", nice: READ_NICE });
const copying = new BlockingThread({ name: "sluice copying", nice: 0, idleMs: COPY_IDLE_MS });

/**
 * Runs a raw call in the thread for blocking calls, one after the other.
 *
 * The process stays alive until the call has ended. Keep the descriptors open until then: a reused
 * number would refer to another file. `EINTR` and `EAGAIN` are reported like every other error.
 *
 * @param call Name of the call.
 * @param args Its arguments, as in `sys.raw`.
 * @returns The call's result: a count, 0, or `-errno`.
 *
 * @throws {UnsupportedError} When Workers cannot start here.
 */
export async function runBlocking<C extends keyof BlockingCalls>(
  call: C,
  ...args: Parameters<BlockingCalls[C]>
): Promise<number> {
  return await reading.run(call, args);
}

/**
 * Like {@linkcode runBlocking}, in a separate thread with normal priority: a long copy does not
 * delay the short reads that servers wait for.
 */
export async function runCopying<C extends keyof BlockingCalls>(
  call: C,
  ...args: Parameters<BlockingCalls[C]>
): Promise<number> {
  return await copying.run(call, args);
}

/** Threads per mount: with two, one slow answer does not block the next call. */
const THREADS_PER_MOUNT = 2;

/** Maximum number of threads for all mounts that may answer late. */
const MOST_REMOTE = 8;

const remote = new Map<string, BlockingThread[]>();

/**
 * Returns a thread for calls on the mount `key`: an idle one, else a new one, else the least busy.
 */
function remoteThread(key: string): BlockingThread {
  const threads = remote.get(key) ?? [];
  const idle = threads.find((thread) => thread.pending === 0);
  if (idle !== undefined) return idle;
  if (threads.length < THREADS_PER_MOUNT && makeRoom()) {
    const thread = new BlockingThread({
      name: "sluice remote",
      nice: 0,
      idleMs: COPY_IDLE_MS,
      mayHang: true,
    });
    remote.set(key, [...threads, thread]);
    return thread;
  }
  const choice = threads.length > 0 ? threads : [...remote.values()].flat();
  return choice.reduce((best, thread) => thread.pending < best.pending ? thread : best);
}

/** Drops the threads of idle mounts if there are too many; false if no mount is idle. */
function makeRoom(): boolean {
  const count = () => [...remote.values()].reduce((sum, threads) => sum + threads.length, 0);
  if (count() < MOST_REMOTE) return true;
  for (const [key, threads] of remote) {
    if (threads.every((thread) => thread.pending === 0)) remote.delete(key);
  }
  return count() < MOST_REMOTE;
}

/**
 * Like {@linkcode runBlocking}, in threads for the mount `key` only, which may answer late or
 * never. A mount that does not answer blocks no calls on other mounts, unless four mounts hang.
 */
export async function runRemote<C extends keyof BlockingCalls>(
  key: string,
  call: C,
  ...args: Parameters<BlockingCalls[C]>
): Promise<number> {
  return await remoteThread(key).run(call, args);
}

/**
 * Whether the thread of {@linkcode runCopying} is already running: starting it costs more than a
 * small copy.
 */
export function copyingStarted(): boolean {
  return copying.started;
}
