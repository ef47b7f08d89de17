/** The threads of a server that wait for other machines and processes. @module */

import * as raw from "../../../sys/raw/mod.ts";
import { SharedThread } from "../thread/shared_thread.ts";
import type { RemoteJobData } from "./remote_thread.ts";
import { newSlots } from "./slots.ts";

/** One thread for each slot, started when a thread of the server first needs it. */
export class RemoteThreads {
  /** Shared memory by which the threads of the server choose. */
  readonly slots: Int32Array = newSlots();
  readonly #data: RemoteJobData;
  readonly #servers: number;
  readonly #threads = new Map<number, SharedThread>();

  /** `servers` is the number of threads that serve. */
  constructor(data: RemoteJobData, servers: number) {
    this.#data = data;
    this.#servers = servers;
  }

  /**
   * Starts the thread of a slot; a second call does nothing.
   *
   * @returns A socket to it for each thread that serves, which become theirs; none where no descriptor is
   * left; `undefined` where it is started already.
   */
  start(slot: number): readonly number[] | undefined {
    if (this.#threads.has(slot)) return undefined;
    const thread = new SharedThread(`sluice server files ${slot + 1}`, this.#data, true);
    const fds: number[] = [];
    try {
      for (let i = 0; i < this.#servers; i++) fds.push(thread.connect());
    } catch {
      void thread.close();
      for (const fd of fds) raw.close(fd);
      return [];
    }
    this.#threads.set(slot, thread);
    thread.start();
    return fds;
  }

  /** Ends them, when the threads that serve have ended. */
  async close(): Promise<void> {
    await Promise.all([...this.#threads.values()].map((thread) => thread.close()));
  }
}
