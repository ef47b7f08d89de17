/** The queue without io_uring: a pool of threads that block in pread(2) and others. @module */

import { setting } from "../../../ffi/mod.ts";
import { ECANCELED, EIO, ENOSYS } from "../../errno.ts";
import { UnsupportedError } from "../../errors.ts";
import { baseOf } from "../../sys/region.ts";
import { WorkerHost } from "../worker_host.ts";
import { MOST_THREADS, SharedQueue, sharedQueueMemory } from "./shared_queue.ts";
import type { IoQueue, IoRequest } from "./types.ts";
import { Slots } from "./slots.ts";
import type { ThreadData } from "./thread_job.ts";

/**
 * Threads of one pool, and so concurrent requests to the disk. Each takes memory, so they are
 * started one by one, when all others are busy.
 */
const THREADS = 4;

/** Runs operations in threads. */
export class ThreadQueue implements IoQueue {
  readonly kind = "threads";
  readonly #slots = new Slots();
  readonly #memory = sharedQueueMemory();
  readonly #sharedQueue = new SharedQueue(this.#memory);
  readonly #hosts: WorkerHost[] = [];
  readonly #ended: () => void;
  readonly #most: number;
  #referenced = false;

  /**
   * Starts the first thread.
   *
   * @param ended Called when a thread has failed: the queue is then unusable.
   *
   * @throws {UnsupportedError} When Workers cannot start here, or no backend is available.
   */
  constructor(ended: () => void) {
    this.#ended = ended;
    const wanted = Number(setting("SLUICE_IO_THREADS") ?? THREADS);
    this.#most = Math.min(MOST_THREADS, Math.max(1, Number.isInteger(wanted) ? wanted : THREADS));
    this.#grow();
  }

  #grow(): void {
    const thread = this.#hosts.length;
    const data: ThreadData = { memory: this.#memory, thread };
    const host = new WorkerHost({
      job: "io",
      name: `sluice io ${thread + 1}`,
      data,
      completed: () => this.#collect(),
      ended: (error) => this.#lose(error),
    });
    if (this.#referenced) host.ref();
    this.#hosts.push(host);
  }

  start(request: IoRequest, done: (result: number) => void): number {
    const slot = this.#slots.take(done);
    if (slot < 0) return this.#slots.wait(request, done);
    this.#pin(slot, request);
    this.#reference();
    return this.#slots.ticketOf(slot);
  }

  #pin(slot: number, { op, fd, region, at, length, offset, flags }: IoRequest): void {
    const address = region === null ? 0 : baseOf(region) + at;
    this.#sharedQueue.pin({ slot, op, fd, address, length, offset, flags });
    const thread = this.#sharedQueue.rouse(this.#hosts.length);
    if (thread >= 0) this.#hosts[thread]!.wake();
    else if (this.#hosts.length < this.#most && this.#slots.size > this.#hosts.length) this.#grow();
  }

  cancel(ticket: number): void {
    const waiting = this.#slots.withdraw(ticket);
    if (waiting !== undefined) return queueMicrotask(() => waiting(ECANCELED));
    const slot = this.#slots.slotOf(ticket);
    if (slot >= 0) this.#sharedQueue.cancel(slot);
  }

  #collect(): void {
    this.#sharedQueue.collect((slot, result) => this.#slots.finish(slot, result));
    this.#slots.promote((free, request) => this.#pin(free, request));
    this.#reference();
  }

  /** Keeps the process alive while there is work. */
  #reference(): void {
    const busy = this.#slots.size > 0;
    if (busy === this.#referenced) return;
    this.#referenced = busy;
    for (const host of this.#hosts) busy ? host.ref() : host.unref();
  }

  /**
   * A thread has ended unexpectedly. The others may still run operations, so nothing is reported
   * before they have ended too.
   */
  #lose(error: Error): void {
    this.#ended();
    const hosts = this.#hosts.splice(0);
    void Promise.all(hosts.map((host) => host.close())).then(() => {
      this.#sharedQueue.collect((slot, result) => this.#slots.finish(slot, result));
      for (const done of this.#slots.clear()) {
        done(error instanceof UnsupportedError ? ENOSYS : EIO);
      }
    });
  }
}
