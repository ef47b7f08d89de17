/** The queue without io_uring: a pool of threads that block in pread(2) and others. @module */

import { setting } from "../../../ffi/mod.ts";
import { ECANCELED, EIO } from "../../errno.ts";
import { SyscallError, UnsupportedError } from "../../errors.ts";
import { baseOf } from "../../sys/region.ts";
import { WorkerHost } from "../worker_host.ts";
import { isLasting, isWorkerMissing, warnOfFallback } from "../worker_location.ts";
import { RuntimeQueue } from "./runtime_queue.ts";
import { MOST_THREADS, SharedQueue, sharedQueueMemory } from "./shared_queue.ts";
import type { IoQueue, IoRequest } from "./types.ts";
import { Slots } from "./slots.ts";
import type { ThreadData } from "./thread_job.ts";

/**
 * Threads of one pool, and so concurrent requests to the disk. Each takes memory, so they are
 * started one by one, when all others are busy.
 */
const THREADS = 4;

/** Runs operations in threads, or by the runtime's own `fs` where no Worker can start. */
export class ThreadQueue implements IoQueue {
  readonly #slots = new Slots();
  readonly #memory = sharedQueueMemory();
  readonly #sharedQueue = new SharedQueue(this.#memory);
  readonly #hosts: WorkerHost[] = [];
  /** Threads that have not ended. */
  #alive = 0;
  /** By slot: what the runtime must run if no thread can. */
  readonly #requests: (IoRequest | undefined)[] = [];
  /** Runs everything once it is known that no Worker can start. */
  #instead: RuntimeQueue | undefined;
  readonly #ended: () => void;
  readonly #most: number;
  #referenced = false;

  /**
   * Starts the first thread.
   *
   * @param ended Called when a new queue may do better: a thread has failed, or there was none.
   *
   * @throws {UnsupportedError} When no backend is available.
   * @throws {SyscallError} `EMFILE` or `ENFILE` when too many descriptors are open.
   */
  constructor(ended: () => void) {
    this.#ended = ended;
    const wanted = Number(setting("SLUICE_IO_THREADS") ?? THREADS);
    this.#most = Math.min(MOST_THREADS, Math.max(1, Number.isInteger(wanted) ? wanted : THREADS));
    try {
      this.#grow();
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error;
      this.#useRuntime(error);
    }
  }

  get kind(): "threads" | "runtime" {
    return this.#instead === undefined ? "threads" : this.#instead.kind;
  }

  #grow(): void {
    const thread = this.#hosts.length;
    const data: ThreadData = { memory: this.#memory, thread };
    const host: WorkerHost = new WorkerHost({
      job: "io",
      name: `sluice io ${thread + 1}`,
      data,
      completed: () => this.#collect(),
      ended: (error) => this.#lose(host, error),
    });
    this.#alive++;
    if (this.#referenced) host.ref();
    this.#hosts.push(host);
  }

  start(request: IoRequest, done: (result: number) => void): number {
    if (this.#instead !== undefined) return this.#instead.start(request, done);
    const slot = this.#slots.take(done);
    if (slot < 0) return this.#slots.wait(request, done);
    this.#pin(slot, request);
    this.#reference();
    return this.#slots.ticketOf(slot);
  }

  #pin(slot: number, request: IoRequest): void {
    const { op, fd, region, at, length, offset, flags } = request;
    const address = region === null ? 0 : baseOf(region) + at;
    this.#requests[slot] = request;
    this.#sharedQueue.pin({ slot, op, fd, address, length, offset, flags });
    const thread = this.#sharedQueue.rouse(this.#hosts.length);
    if (thread >= 0) this.#hosts[thread]!.wake();
    else if (this.#hosts.length < this.#most && this.#slots.size > this.#hosts.length) this.#help();
  }

  /** Starts another thread; without descriptors for it, those that run do the work. */
  #help(): void {
    try {
      this.#grow();
    } catch (error) {
      if (this.#alive === 0) throw error;
    }
  }

  cancel(ticket: number): void {
    if (this.#instead !== undefined) return;
    const waiting = this.#slots.withdraw(ticket);
    if (waiting !== undefined) return queueMicrotask(() => waiting(ECANCELED));
    const slot = this.#slots.slotOf(ticket);
    if (slot >= 0) this.#sharedQueue.cancel(slot);
  }

  #collect(): void {
    this.#sharedQueue.collect((slot, result) => this.#finish(slot, result));
    this.#slots.promote((free, request) => this.#pin(free, request));
    this.#reference();
  }

  #finish(slot: number, result: number): void {
    // It keeps the memory of the operation from being collected.
    this.#requests[slot] = undefined;
    this.#slots.finish(slot, result);
  }

  /** Keeps the process alive while there is work. */
  #reference(): void {
    const busy = this.#slots.size > 0;
    if (busy === this.#referenced) return;
    this.#referenced = busy;
    for (const host of this.#hosts) busy ? host.ref() : host.unref();
  }

  /**
   * A thread has ended unexpectedly. Where it could not start, the others do its work, or the
   * runtime. After another failure, nothing is reported before the others have ended too, because
   * they may still run operations.
   */
  #lose(host: WorkerHost, error: Error): void {
    this.#alive--;
    if (!host.started && this.#alive > 0) return;
    if (error instanceof UnsupportedError) return this.#useRuntime(error);
    this.#ended();
    const hosts = this.#hosts.splice(0);
    void Promise.all(hosts.map((host) => host.close())).then(() => {
      this.#sharedQueue.collect((slot, result) => this.#finish(slot, result));
      for (const done of this.#slots.clear()) {
        done(error instanceof SyscallError ? error.errno : EIO);
      }
    });
  }

  /** No thread can start, so none has taken an operation. */
  #useRuntime(error: UnsupportedError): void {
    if (isWorkerMissing(error)) warnOfFallback("reads and writes through DirectFile", error);
    // The files that are open keep this queue; those opened later may get threads.
    if (!isLasting(error)) queueMicrotask(this.#ended);
    const instead = this.#instead = new RuntimeQueue();
    const run = (slot: number, request: IoRequest) => {
      instead.start(request, (result) => {
        this.#finish(slot, result);
        this.#slots.promote(run);
      });
    };
    this.#slots.forEach((slot) => run(slot, this.#requests[slot]!));
  }
}
