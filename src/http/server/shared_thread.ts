/** A thread that works for all threads of a server, and is started when the first of them needs it. @module */

import { AddressFamily, SocketType } from "../../sys/socket_flags.ts";
import * as raw from "../../sys/raw/mod.ts";
import { socketpair } from "../../sys/sockets.ts";
import { Host } from "../../wait/host.ts";
import { jobLocation } from "../../wait/worker_location.ts";

const STREAM = SocketType.STREAM | SocketType.NONBLOCK | SocketType.CLOEXEC;

/** What it runs. */
export interface SharedThreadOptions {
  /** The module of its job, such as `"http/server/disk_job"`. */
  readonly job: string;
  /** Name for debuggers and for errors. */
  readonly name: string;
  /** What the job is given: structured-clone data. */
  readonly data: unknown;
}

/** A thread with a socket to each thread of a server. */
export class SharedThread {
  readonly #options: SharedThreadOptions;
  /** Its ends of the sockets, before it is started. */
  #fds: number[] = [];
  #host: Host | undefined;
  #started = false;

  constructor(options: SharedThreadOptions) {
    this.#options = options;
  }

  /** Makes a socket, and returns the end for a thread of the server, which becomes the caller's. */
  connect(): number {
    const [ours, theirs] = socketpair(AddressFamily.UNIX, STREAM);
    this.#fds.push(theirs);
    return ours;
  }

  /** Starts it; a second call does nothing. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    const { data, job, name } = this.#options;
    try {
      this.#host = new Host({
        job: jobLocation(job),
        name,
        data,
        fds: this.#fds.splice(0),
        completed() {},
        ended() {},
      });
    } catch {
      // Its sockets are closed by now: the threads of the server see that, and do its work themselves.
    }
  }

  /** Ends it. */
  async close(): Promise<void> {
    this.#started = true;
    await this.#host?.close();
    for (const fd of this.#fds.splice(0)) raw.close(fd);
  }
}
