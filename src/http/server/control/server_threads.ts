/** The serving threads of a server, and their background threads. @module */

import { dupCloexec } from "../../../sys/fd.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { WorkerPool } from "../../../threads/worker_pool.ts";
import { FdMailboxes } from "../../../threads/fd_mailboxes.ts";
import { jobLocation } from "../../../threads/worker_location.ts";
import { settingsOf } from "../../rules/settings.ts";
import {
  Background,
  type Command,
  jobData,
  NEEDS_BACKGROUND,
  SANDBOXED,
  type TlsData,
} from "./config.ts";
import { fitLimits } from "./descriptors.ts";
import type { EventReader } from "./event_reader.ts";
import type { FallbackConfig } from "../proxy/options.ts";
import type { ServerConfig } from "./options.ts";
import { type BackgroundKind, BackgroundThreads } from "../background/background_threads.ts";
import type { ListedFolder } from "../listing/listing_thread.ts";
import { newSlots } from "../remote/slots.ts";
import type { SiteConfig } from "../sites/options.ts";

/** Arguments to start the threads. */
export interface ServerThreadsOptions {
  /** The listener, which the caller owns. */
  readonly listener: number;
  readonly fallback: FallbackConfig | null;
  readonly counters: Float64Array;
  /** Receives the threads' events. */
  readonly events: EventReader | undefined;
  /** HTTPS; `null` for HTTP. */
  readonly tls: TlsData | null;
  /** Path of the OpenSSL in use; `undefined` without any. */
  readonly libssl: string | null | undefined;
  /** Called once if a thread ends without a call to `close()`. */
  ended(error: Error): void;
}

/** Most descriptors of one connection: each side that speaks TLS has a pair of sockets to the other. */
function descriptorsOf(
  fallback: FallbackConfig | null,
  tls: TlsData | null,
  stores: boolean,
): number {
  // A pipe, the folder and the file.
  if (fallback === null) return stores ? 5 : 1;
  return 2 + (tls === null ? 0 : 2) + (fallback.tls === null ? 0 : 2);
}

/** What the threads that list folders need to know about one. */
function folderOf(
  { archives, mount, root, settings, symlinks, upload, versions }: SiteConfig,
): ListedFolder {
  const { appendHtml, dotfiles, title } = settingsOf(settings);
  const extras = { archives: archives !== null, upload };
  const page = { title, appendHtml, extras };
  return { root, symlinks, versions, dotfiles, above: mount.names, ...page };
}

/** The name and the work of a background thread. */
function kindOf(thread: number, { cache, sandbox, sites }: ServerConfig): BackgroundKind {
  const folders = { sandbox, folders: sites.map(folderOf) };
  switch (thread) {
    case Background.DISK:
      return { name: "sluice server disk", data: sandbox ? SANDBOXED : null };
    case Background.LISTINGS:
      return { name: "sluice server listings", data: folders };
    case Background.UPLOADS: {
      const targets = sites.map(({ root, symlinks, upload }) => ({ root, symlinks, upload }));
      return { name: "sluice server uploads", data: { uploads: true, sandbox, targets } };
    }
    case Background.ARCHIVES: {
      const packed = sites.map((site) => ({ ...folderOf(site), archives: site.archives }));
      return { name: "sluice server archives", data: { packed, sandbox } };
    }
    default: {
      const data = { ...folders, remote: true, refreshMs: cache.validMs };
      return { name: `sluice server files ${thread + 1}`, data, mayHang: true };
    }
  }
}

/** Threads that start and end together. */
export class ServerThreads {
  readonly #config: ServerConfig;
  readonly #options: ServerThreadsOptions;
  readonly #background: BackgroundThreads;
  readonly #pool: WorkerPool;

  /** Starts the threads; throws as `WorkerPool` does. */
  constructor(config: ServerConfig, options: ServerThreadsOptions) {
    const { sites, threads } = config;
    this.#config = config;
    this.#options = options;
    this.#background = new BackgroundThreads(threads, (thread) => kindOf(thread, config));
    const stores = sites.some(({ upload }) => upload !== null);
    const mailboxes = threads > 1 ? new FdMailboxes(threads) : undefined;
    const { counters, ended, events, fallback, libssl, tls } = options;
    const shared = {
      ...fitLimits({
        ...config,
        perConnection: descriptorsOf(fallback, tls, stores),
        perFile: sites.some(({ settings }) => settings.precompressed) ? 2 : 1,
      }),
      fallback,
      events: events !== undefined,
      counters,
      shares: mailboxes?.shares ?? null,
      libssl,
      tls,
      slots: newSlots(),
    };
    this.#pool = new WorkerPool({
      job: jobLocation("http/server/thread/server_job"),
      threads,
      name: "sluice server",
      data: (index) => jobData(config, { ...shared, index }),
      fds: () => this.#descriptors(),
      gone: () => mailboxes?.close(),
      reported: (_index, id, result) => id === NEEDS_BACKGROUND && this.#startBackground(result),
      ended,
    });
  }

  /** Resolves when all threads serve. */
  get ready(): Promise<void> {
    return this.#pool.ready;
  }

  /** Sends a command to all serving threads; resolves when they have run it. */
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

  /** Ends the threads with all connections. */
  async close(): Promise<void> {
    // End them first: they use descriptors that the serving threads close at their end.
    await this.#background.close([Background.LISTINGS, Background.UPLOADS, Background.ARCHIVES]);
    await this.#pool.close();
    await this.#background.close();
  }

  #startBackground(thread: number): void {
    const fds = this.#background.start(thread);
    if (fds === undefined) return;
    // It is rejected when the threads end.
    this.#pool.call({ thread, fds } satisfies Command).catch(() => {});
  }

  /** Descriptors of one thread: see server_job.ts. */
  #descriptors(): number[] {
    const { events, listener } = this.#options;
    const fds = [dupCloexec(listener)];
    try {
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
