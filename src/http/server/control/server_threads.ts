/** The threads of a server: those that serve, and those that work for them. @module */

import { dupCloexec } from "../../../sys/file/open.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { WorkerPool } from "../../../threads/worker_pool.ts";
import { FdMailboxes } from "../../../threads/fd_mailboxes.ts";
import { jobLocation } from "../../../threads/worker_location.ts";
import { settingsOf } from "../../rules/settings.ts";
import {
  type Command,
  jobData,
  NEEDS_DISK,
  NEEDS_LISTINGS,
  SANDBOXED,
  type TlsData,
} from "./config.ts";
import { fitLimits } from "./descriptors.ts";
import type { EventReader } from "./event_reader.ts";
import type { FallbackConfig } from "../proxy/options.ts";
import type { ServerConfig } from "./options.ts";
import { SharedThread } from "../thread/shared_thread.ts";

/** What the threads are started with. */
export interface ServerThreadsOptions {
  /** The listener, which stays the caller's. */
  readonly listener: number;
  readonly fallback: FallbackConfig | null;
  readonly counters: Float64Array;
  /** What the threads write their events to. */
  readonly events: EventReader | undefined;
  /** HTTPS; `null` for HTTP. */
  readonly tls: TlsData | null;
  /** Called once when a thread has ended although nobody closed them. */
  ended(error: Error): void;
}

/** Most descriptors of one connection: each side that speaks TLS has a pair of sockets to the other. */
function descriptorsOf(fallback: FallbackConfig | null, tls: TlsData | null): number {
  if (fallback === null) return 1;
  return 2 + (tls === null ? 0 : 2) + (fallback.tls === null ? 0 : 2);
}

/** Threads that begin and end together. */
export class ServerThreads {
  readonly #config: ServerConfig;
  readonly #options: ServerThreadsOptions;
  readonly #disk: SharedThread;
  /** Reads folders; `undefined` where none is listed. */
  readonly #listings: SharedThread | undefined;
  readonly #pool: WorkerPool;

  /** Starts them; see `WorkerPool` for what it throws. */
  constructor(config: ServerConfig, options: ServerThreadsOptions) {
    const { root, sandbox, settings, symlinks, threads } = config;
    this.#config = config;
    this.#options = options;
    this.#disk = new SharedThread("sluice server disk", sandbox ? SANDBOXED : null);
    const { dotfiles } = settingsOf(settings);
    this.#listings = settings.listing
      ? new SharedThread("sluice server listings", { dotfiles, root, sandbox, symlinks })
      : undefined;
    const mailboxes = threads > 1 ? new FdMailboxes(threads) : undefined;
    const { counters, ended, events, fallback, tls } = options;
    const shared = {
      ...fitLimits({
        ...config,
        perConnection: descriptorsOf(fallback, tls),
        perFile: settings.precompressed ? 2 : 1,
      }),
      fallback,
      events: events !== undefined,
      counters,
      shares: mailboxes?.shares ?? null,
      tls,
    };
    try {
      this.#pool = new WorkerPool({
        job: jobLocation("http/server/thread/server_job"),
        threads,
        name: "sluice server",
        data: (index) => jobData(config, { ...shared, index }),
        fds: () => this.#descriptors(),
        gone: () => mailboxes?.close(),
        reported: (_index, id) => {
          if (id === NEEDS_DISK) this.#disk.start();
          if (id === NEEDS_LISTINGS) this.#listings?.start();
        },
        ended,
      });
    } catch (cause) {
      void this.#disk.close();
      void this.#listings?.close();
      throw cause;
    }
  }

  /** Resolves when all of them serve. */
  get ready(): Promise<void> {
    return this.#pool.ready;
  }

  /** Tells all that serve to do something; resolves when they have. */
  call(command: Command): Promise<unknown> {
    return this.#pool.call(command);
  }

  /** Keeps the process alive until `unref()`. */
  ref(): void {
    this.#pool.ref();
  }

  /** Lets the process end. */
  unref(): void {
    this.#pool.unref();
  }

  /** Ends them, with all connections that there are. */
  async close(): Promise<void> {
    // First, for it uses descriptors that those that serve close at their end.
    await this.#listings?.close();
    await this.#pool.close();
    await this.#disk.close();
  }

  /** What one thread is given: see server_job.ts. */
  #descriptors(): number[] {
    const { events, listener } = this.#options;
    const fds = [dupCloexec(listener)];
    try {
      fds.push(this.#disk.connect());
      if (this.#listings !== undefined) fds.push(this.#listings.connect());
      const { log } = this.#config;
      if (log !== undefined) fds.push(dupCloexec(log.descriptor));
      if (events !== undefined) fds.push(events.open());
      return fds;
    } catch (cause) {
      for (const fd of fds) raw.close(fd);
      throw cause;
    }
  }
}
