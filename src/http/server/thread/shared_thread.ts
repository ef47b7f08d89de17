/** A helper thread for all threads of a server, started when the first of them needs it. @module */

import { AddressFamily, SocketType } from "../../../sys/flags/socket.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { socketpair } from "../../../sys/net/sockets.ts";
import { WorkerHost } from "../../../threads/worker_host.ts";
import { jobLocation } from "../../../threads/worker_location.ts";

const STREAM = SocketType.STREAM | SocketType.NONBLOCK | SocketType.CLOEXEC;

/** A thread with a socket to each thread of a server. */
export class SharedThread {
  readonly #name: string;
  readonly #data: unknown;
  readonly #mayHang: boolean;
  /** Its ends of the sockets, before it is started. */
  #fds: number[] = [];
  #host: WorkerHost | undefined;
  #started = false;

  /**
   * `name` is for debuggers and errors; `data` says to prefetch_job.ts which work it is; see
   * `WorkerHostOptions` for `mayHang`.
   */
  constructor(name: string, data: unknown, mayHang = false) {
    this.#name = name;
    this.#data = data;
    this.#mayHang = mayHang;
  }

  /** Creates a socket, and returns the end for a serving thread; the caller owns it. */
  connect(): number {
    const [ours, theirs] = socketpair(AddressFamily.UNIX, STREAM);
    this.#fds.push(theirs);
    return ours;
  }

  /** Starts the thread; a second call does nothing. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    try {
      this.#host = new WorkerHost({
        job: jobLocation("http/server/thread/prefetch_job"),
        name: this.#name,
        data: this.#data,
        fds: this.#fds.splice(0),
        mayHang: this.#mayHang,
        completed() {},
        ended() {},
      });
    } catch {
      // Its sockets are closed by now: the serving threads see that, and do its work themselves.
    }
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    this.#started = true;
    await this.#host?.close();
    for (const fd of this.#fds.splice(0)) raw.close(fd);
  }
}
