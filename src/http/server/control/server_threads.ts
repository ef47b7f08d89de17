/** The serving threads of a server, and their helpers. @module */

import { dupCloexec } from "../../../sys/fd.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { WorkerPool } from "../../../threads/worker_pool.ts";
import { FdMailboxes } from "../../../threads/fd_mailboxes.ts";
import { jobLocation } from "../../../threads/worker_location.ts";
import { settingsOf } from "../../rules/settings.ts";
import {
  type Command,
  jobData,
  NEEDS_ARCHIVES,
  NEEDS_DISK,
  NEEDS_LISTINGS,
  NEEDS_REMOTE,
  NEEDS_UPLOADS,
  SANDBOXED,
  type TlsData,
} from "./config.ts";
import { fitLimits } from "./descriptors.ts";
import type { EventReader } from "./event_reader.ts";
import type { FallbackConfig } from "../proxy/options.ts";
import type { ServerConfig } from "./options.ts";
import { RemoteThreads } from "../remote/remote_threads.ts";
import type { ListedFolder } from "../listing/listing_thread.ts";
import type { SiteConfig } from "../sites/options.ts";
import { SharedThread } from "../thread/shared_thread.ts";

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

/** Threads that start and end together. */
export class ServerThreads {
  readonly #config: ServerConfig;
  readonly #options: ServerThreadsOptions;
  readonly #disk: SharedThread;
  /** Lists folders; `undefined` without listings. */
  readonly #listings: SharedThread | undefined;
  /** Makes archives of folders; `undefined` without them. */
  readonly #archives: SharedThread | undefined;
  /** Stores uploads; `undefined` without them. */
  readonly #uploads: SharedThread | undefined;
  readonly #remote: RemoteThreads;
  readonly #pool: WorkerPool;

  /** Starts the threads; throws as `WorkerPool` does. */
  constructor(config: ServerConfig, options: ServerThreadsOptions) {
    const { sandbox, sites, threads } = config;
    this.#config = config;
    this.#options = options;
    this.#disk = new SharedThread("sluice server disk", sandbox ? SANDBOXED : null);
    const folders = { sandbox, folders: sites.map(folderOf) };
    this.#listings = sites.some(({ settings }) => settings.listing)
      ? new SharedThread("sluice server listings", folders)
      : undefined;
    const packed = sites.map((site) => ({ ...folderOf(site), archives: site.archives }));
    this.#archives = sites.some(({ archives }) => archives !== null)
      ? new SharedThread("sluice server archives", { packed, sandbox })
      : undefined;
    const stores = sites.some(({ upload }) => upload !== null);
    const targets = sites.map(({ root, symlinks, upload }) => ({ root, symlinks, upload }));
    this.#uploads = stores
      ? new SharedThread("sluice server uploads", { uploads: true, sandbox, targets })
      : undefined;
    const { validMs } = config.cache;
    this.#remote = new RemoteThreads({ ...folders, remote: true, refreshMs: validMs }, threads);
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
      slots: this.#remote.slots,
    };
    try {
      this.#pool = new WorkerPool({
        job: jobLocation("http/server/thread/server_job"),
        threads,
        name: "sluice server",
        data: (index) => jobData(config, { ...shared, index }),
        fds: () => this.#descriptors(),
        gone: () => mailboxes?.close(),
        reported: (_index, id, result) => {
          if (id === NEEDS_DISK) this.#disk.start();
          if (id === NEEDS_LISTINGS) this.#listings?.start();
          if (id === NEEDS_ARCHIVES) this.#archives?.start();
          if (id === NEEDS_UPLOADS) this.#uploads?.start();
          if (id === NEEDS_REMOTE) this.#startRemote(result);
        },
        ended,
      });
    } catch (cause) {
      void this.#disk.close();
      void this.#listings?.close();
      void this.#uploads?.close();
      void this.#archives?.close();
      throw cause;
    }
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
    const helpers = [this.#listings, this.#uploads, this.#archives];
    await Promise.all(helpers.map((thread) => thread?.close()));
    await this.#pool.close();
    await Promise.all([this.#disk.close(), this.#remote.close()]);
  }

  #startRemote(slot: number): void {
    const remote = this.#remote.start(slot);
    if (remote === undefined) return;
    // It is rejected when the threads end.
    this.#pool.call({ slot, remote } satisfies Command).catch(() => {});
  }

  /** Descriptors of one thread: see server_job.ts. */
  #descriptors(): number[] {
    const { events, listener } = this.#options;
    const fds = [dupCloexec(listener)];
    try {
      fds.push(this.#disk.connect());
      if (this.#listings !== undefined) fds.push(this.#listings.connect());
      if (this.#uploads !== undefined) fds.push(this.#uploads.connect());
      if (this.#archives !== undefined) fds.push(this.#archives.connect());
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
