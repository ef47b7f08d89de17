/** The server as the program that started it sees it. @module */

import { platform } from "../../../../ffi/platform/mod.ts";
import { builtin } from "../../../builtins.ts";
import { available } from "../../../sys/libc.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { dupCloexec } from "../../../sys/file/open.ts";
import { getsockname, socketpair } from "../../../sys/net/sockets.ts";
import { AddressFamily, SocketType } from "../../../sys/flags/socket.ts";
import { WorkerPool } from "../../../threads/worker_pool.ts";
import { WorkerHost } from "../../../threads/worker_host.ts";
import { isLoopback, withoutPacing } from "../../../sys/net/loopback.ts";
import { FdMailboxes } from "../../../threads/fd_mailboxes.ts";
import { within } from "../../../threads/timeout.ts";
import { jobLocation } from "../../../threads/worker_location.ts";
import { type Command, COUNTERS, type JobData, NEEDS_DISK, SANDBOXED } from "./config.ts";
import { EventReader } from "./event_reader.ts";
import { type FallbackConfig, resolveFallback } from "../proxy/options.ts";
import { listenPortably, type PortableServer } from "./portable_server.ts";
import { landlock } from "../thread/sandbox.ts";
import { listenAt, socketIdentity, whereToListen } from "./listen.ts";
import { configure, type FileServerOptions, type ServerConfig } from "./options.ts";
import { type FileServerStats, statsOf } from "./stats.ts";

/** Where a server listens. */
export interface ServerAddress {
  /** Address in digits, or the path of a Unix socket. */
  readonly address: string;
  /** Port; 0 for a Unix socket. */
  readonly port: number;
}

const STREAM = SocketType.STREAM | SocketType.NONBLOCK | SocketType.CLOEXEC;

/** A server that listens, until it is closed. */
export class FileServer {
  readonly #config: ServerConfig;
  readonly #counters: Float64Array<SharedArrayBuffer>;
  #pool: WorkerPool | undefined;
  #portable: PortableServer | undefined;
  #disk: WorkerHost | undefined;
  /** The disk thread's ends of the sockets, before it is started. */
  #diskFds: number[] = [];
  /** What the threads write their events to. */
  readonly #events: EventReader | undefined;
  /** What tells the Unix socket that it listens on from one that has taken its place. */
  #socketIdentity: string | undefined;
  #address: ServerAddress | undefined;
  #listening: Promise<ServerAddress> | undefined;
  #closing: Promise<void> | undefined;
  #referenced = true;
  #serves = false;

  /** Prepares to serve; `createFileServer` makes the configuration. */
  constructor(config: ServerConfig) {
    this.#config = config;
    const { onRequest } = config;
    this.#events = onRequest === undefined ? undefined : new EventReader(onRequest);
    const bytes = config.threads * COUNTERS * Float64Array.BYTES_PER_ELEMENT;
    this.#counters = new Float64Array(new SharedArrayBuffer(bytes));
  }

  /** Begins to serve; resolves with where. */
  listen(): Promise<ServerAddress> {
    return this.#listening ??= this.#listen();
  }

  /** Where it listens, once it does. */
  get address(): ServerAddress | undefined {
    return this.#address;
  }

  /** What has happened so far, in all threads. */
  stats(): FileServerStats {
    return statsOf(this.#counters);
  }

  /** Forgets what is known of files: changes show at once. */
  async reload(): Promise<void> {
    await this.#pool?.call("reload" satisfies Command);
  }

  /** Keeps the process alive while the server listens, which it does at first. */
  ref(): this {
    this.#referenced = true;
    this.#portable?.server.ref();
    if (this.#closing === undefined) this.#pool?.ref();
    return this;
  }

  /** Lets the process end. */
  unref(): this {
    this.#referenced = false;
    this.#portable?.server.unref();
    if (this.#closing === undefined) this.#pool?.unref();
    return this;
  }

  /**
   * Accepts no more, lets the answers that are under way end, and closes.
   *
   * @param options `graceMs`: after so many milliseconds what is left is cut. @default {10000}
   */
  close({ graceMs = 10_000 }: { graceMs?: number } = {}): Promise<void> {
    return this.#closing ??= this.#close(graceMs);
  }

  /** As {@linkcode close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #listen(): Promise<ServerAddress> {
    const { backlog, fallback, root, sandbox, threads } = this.#config;
    builtin("fs").readdirSync(root);
    if (platform.os !== "linux" || !available()) return await this.#listenPortably();
    if (sandbox) landlock();
    const others = fallback === undefined ? null : await resolveFallback(fallback);
    const listener = listenAt(await whereToListen(this.#config), backlog);
    try {
      this.#start(listener, threads, others);
      // Or the process might end before the promise settles.
      this.#pool!.ref();
      await this.#pool!.ready;
      this.#serves = true;
    } catch (cause) {
      await this.#stop();
      throw cause;
    } finally {
      raw.close(listener);
    }
    if (!this.#referenced && this.#closing === undefined) this.#pool!.unref();
    return this.#address!;
  }

  async #listenPortably(): Promise<ServerAddress> {
    this.#portable = await listenPortably(this.#config, this.#counters);
    if (!this.#referenced) this.#portable.server.unref();
    return this.#address = this.#portable.address;
  }

  #start(listener: number, threads: number, fallback: FallbackConfig | null): void {
    const name = getsockname(listener);
    if (isLoopback(name)) withoutPacing(listener);
    this.#address = name.family === "Unix"
      ? { address: name.path, port: 0 }
      : { address: name.address, port: name.port };
    this.#socketIdentity = name.family === "Unix" ? socketIdentity(name.path) : undefined;
    const { cache, headers, limits, log, onError, root, sandbox, settings, symlinks } =
      this.#config;
    const mailboxes = threads > 1 ? new FdMailboxes(threads) : undefined;
    this.#pool = new WorkerPool({
      job: jobLocation("http/server/thread/server_job"),
      threads,
      name: "sluice server",
      data: (index): JobData => ({
        root,
        symlinks,
        settings,
        headers,
        sandbox,
        limits,
        cache,
        fallback,
        log: log?.format ?? null,
        events: this.#events !== undefined,
        index,
        counters: this.#counters,
        shares: mailboxes?.shares ?? null,
      }),
      fds: () => this.#descriptors(listener),
      gone: () => mailboxes?.close(),
      reported: (_index, id) => {
        if (id === NEEDS_DISK) this.#startDisk();
      },
      // Before that it is `listen()` that tells.
      ended: (error) => {
        if (this.#serves) onError(error);
      },
    });
  }

  /** What one thread is given: see server_job.ts. */
  #descriptors(listener: number): number[] {
    const fds = [dupCloexec(listener)];
    try {
      const [ours, theirs] = socketpair(AddressFamily.UNIX, STREAM);
      fds.push(ours);
      this.#diskFds.push(theirs);
      const { log } = this.#config;
      if (log !== undefined) fds.push(dupCloexec(log.descriptor));
      if (this.#events !== undefined) fds.push(this.#events.open());
      return fds;
    } catch (cause) {
      for (const fd of fds) raw.close(fd);
      throw cause;
    }
  }

  #startDisk(): void {
    if (this.#disk !== undefined) return;
    try {
      this.#disk = new WorkerHost({
        job: jobLocation("http/server/thread/prefetch_job"),
        name: "sluice server disk",
        data: this.#config.sandbox ? SANDBOXED : null,
        fds: this.#diskFds.splice(0),
        completed() {},
        ended() {},
      });
    } catch {
      // Its sockets are closed by now: the threads see that, and wait for the disk themselves.
    }
  }

  async #close(graceMs: number): Promise<void> {
    await this.#listening?.catch(() => {});
    if (this.#portable !== undefined) return await this.#portable.close(graceMs);
    if (this.#pool !== undefined) {
      this.#pool.ref();
      await within(this.#pool.call("drain" satisfies Command).catch(() => {}), graceMs);
    }
    await this.#stop();
  }

  async #stop(): Promise<void> {
    await this.#pool?.close();
    await this.#disk?.close();
    for (const fd of this.#diskFds.splice(0)) raw.close(fd);
    await this.#events?.close();
    const { path } = this.#config;
    const identity = this.#socketIdentity;
    if (path === undefined || identity === undefined || socketIdentity(path) !== identity) return;
    builtin("fs").rmSync(path, { force: true });
  }
}

/**
 * Makes a server for a folder. It does nothing before `listen()`.
 *
 * It accepts, answers and sends in threads of its own, so that nothing of the program holds it up:
 * strict HTTP/1.1 with keep-alive and pipelining, ranges, conditions and sidecars; small files from
 * memory, larger ones by sendfile(2), those that are not in the page cache without stopping the
 * others. Where no system call can be made it serves by `node:http`, and copies.
 *
 * @throws {TypeError} When an option is of the wrong kind.
 * @throws {RangeError} When a number among them is out of range.
 *
 * @example Serve until the block ends
 * ```ts ignore
 * await using server = createFileServer({ root: "public", port: 8080, threads: 2 });
 * const { address, port } = await server.listen();
 * ```
 */
export function createFileServer(options: FileServerOptions): FileServer {
  return new FileServer(configure(options));
}
