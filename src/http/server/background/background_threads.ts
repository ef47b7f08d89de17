/** The background threads of a server, each started when a serving thread needs it. @module */

import { AddressFamily, SocketType } from "../../../sys/flags/socket.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { socketpair } from "../../../sys/net/sockets.ts";
import { WorkerHost } from "../../../threads/worker_host.ts";
import { jobLocation } from "../../../threads/worker_location.ts";

const STREAM = SocketType.STREAM | SocketType.NONBLOCK | SocketType.CLOEXEC;

/** What distinguishes a background thread. */
export interface BackgroundKind {
  /** Name of the thread, for debuggers. */
  readonly name: string;
  /** Tells background_job.ts which work it is. */
  readonly data: unknown;
  /** See `WorkerHostOptions`. */
  readonly mayHang?: boolean;
}

/** The background threads of all threads of a server. One that has ended can be started again. */
export class BackgroundThreads {
  readonly #kindOf: (thread: number) => BackgroundKind;
  readonly #servers: number;
  readonly #hosts = new Map<number, WorkerHost>();
  #closing = false;

  /** `servers` is the number of threads that serve. */
  constructor(servers: number, kindOf: (thread: number) => BackgroundKind) {
    this.#servers = servers;
    this.#kindOf = kindOf;
  }

  /**
   * Starts a background thread; does nothing while it runs.
   *
   * @returns A socket to it for each thread that serves, which become theirs; none where it could not be
   * started; `undefined` where it was started before.
   */
  start(thread: number): readonly number[] | undefined {
    if (this.#closing || this.#hosts.has(thread)) return undefined;
    const ours: number[] = [];
    const theirs: number[] = [];
    try {
      for (let i = 0; i < this.#servers; i++) {
        const [our, their] = socketpair(AddressFamily.UNIX, STREAM);
        ours.push(our);
        theirs.push(their);
      }
      const host = new WorkerHost({
        ...this.#kindOf(thread),
        job: jobLocation("http/server/background/background_job"),
        // From here on, they are the host's.
        fds: theirs.splice(0),
        completed() {},
        ended: () => void this.#hosts.delete(thread),
      });
      this.#hosts.set(thread, host);
      return ours;
    } catch {
      for (const fd of [...ours, ...theirs]) raw.close(fd);
      return [];
    }
  }

  /** Ends the given background threads, or all of them; none starts any more. */
  async close(threads: Iterable<number> = [...this.#hosts.keys()]): Promise<void> {
    this.#closing = true;
    await Promise.all([...threads].map((thread) => this.#hosts.get(thread)?.close()));
  }
}
