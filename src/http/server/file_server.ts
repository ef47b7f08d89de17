/** The server as the program that started it sees it. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { available } from "../../sys/libc.ts";
import * as raw from "../../sys/raw/mod.ts";
import { dupCloexec } from "../../sys/open.ts";
import { getsockname } from "../../sys/sockets.ts";
import { Crew } from "../../wait/crew.ts";
import { type CloseOptions, cutAfter, graceOf } from "../../wait/grace.ts";
import { isLoopback, withoutPacing } from "../../wait/loopback.ts";
import { Mailboxes } from "../../wait/mailboxes.ts";
import { type ServerAddress, serverAddress, urlOf } from "../../wait/server_address.ts";
import { jobLocation } from "../../wait/worker_location.ts";
import { type Command, COUNTERS, jobData, NEEDS_DISK, SANDBOXED } from "./config.ts";
import { EventReader } from "./event_reader.ts";
import { type FallbackConfig, resolveFallback } from "./fallback/options.ts";
import { listenPortably, type PortableServer } from "./portable_server.ts";
import { landlock } from "./sandbox.ts";
import { SharedThread } from "./shared_thread.ts";
import { listenAt, socketIdentity, whereToListen } from "./where_to_listen.ts";
import { configure, type FileServerOptions, type ServerConfig } from "./options.ts";
import { type FileServerStats, statsOf } from "./stats.ts";

export type { CloseOptions, ServerAddress };

const CLOSED = "Cannot listen: the server was closed";

/** A server that listens, until it is closed. */
export class FileServer implements AsyncDisposable {
  readonly #config: ServerConfig;
  readonly #counters: Float64Array<SharedArrayBuffer>;
  #crew: Crew | undefined;
  #portable: PortableServer | undefined;
  readonly #disk: SharedThread;
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
    const { onRequest, sandbox } = config;
    this.#disk = new SharedThread({
      job: "http/server/disk_job",
      name: "sluice server disk",
      data: sandbox ? SANDBOXED : null,
    });
    this.#events = onRequest === undefined ? undefined : new EventReader(onRequest);
    const bytes = config.threads * COUNTERS * Float64Array.BYTES_PER_ELEMENT;
    this.#counters = new Float64Array(new SharedArrayBuffer(bytes));
  }

  /**
   * Begins to serve, and keeps the process alive from then on, unless {@linkcode unref} was called.
   *
   * @returns Where it listens. A second call returns the same.
   *
   * @throws {SyscallError} `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`; `ENOENT`, `ENOTDIR` for the folder.
   * @throws {UnsupportedError} When Workers cannot be started.
   * @throws {Error} After {@linkcode close}: make another server.
   */
  listen(): Promise<ServerAddress> {
    if (this.#closing === undefined) return this.#listening ??= this.#listen();
    return Promise.reject(new Error(CLOSED));
  }

  /** Where it listens, once it does. */
  get address(): ServerAddress | undefined {
    return this.#address;
  }

  /**
   * URL that reaches it from this machine, such as `http://127.0.0.1:8080` or `unix:/run/app.sock`,
   * without a slash at its end; `undefined` until it listens.
   */
  get url(): string | undefined {
    return this.#address && urlOf("http", this.#address);
  }

  /** What has happened so far, in all threads. */
  stats(): FileServerStats {
    return statsOf(this.#counters);
  }

  /** Forgets what is known of files: changes show at once. */
  async reload(): Promise<void> {
    await this.#crew?.call("reload" satisfies Command);
  }

  /** Keeps the process alive while the server listens, which it does at first. */
  ref(): this {
    return this.#refer(true);
  }

  /** Lets the process end although it listens. */
  unref(): this {
    return this.#refer(false);
  }

  #refer(on: boolean): this {
    this.#referenced = on;
    // While it closes it keeps the process alive.
    for (const it of this.#closing === undefined ? [this.#portable?.server, this.#crew] : []) {
      if (on) it?.ref();
      else it?.unref();
    }
    return this;
  }

  /**
   * Accepts no more, lets the answers that are under way end, and closes. What is left after `graceMs`
   * is cut. A second call with less time shortens the first one's.
   *
   * @param options How long answers may take.
   * @returns Once everything is closed.
   *
   * @throws {TypeError} When `graceMs` is no number.
   * @throws {RangeError} When it is no whole number, or negative.
   */
  close(options: CloseOptions = {}): Promise<void> {
    const graceMs = graceOf(options, "close a server");
    const closing = this.#closing ??= this.#close();
    cutAfter(graceMs, closing, () => this.#cut());
    return closing;
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
      this.#crew!.ref();
      await this.#crew!.ready;
      this.#serves = true;
    } catch (cause) {
      await this.#stop();
      throw cause;
    } finally {
      raw.close(listener);
    }
    if (!this.#referenced && this.#closing === undefined) this.#crew!.unref();
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
    this.#address = serverAddress(name);
    this.#socketIdentity = name.family === "Unix" ? socketIdentity(name.path) : undefined;
    const { onError } = this.#config;
    const mailboxes = threads > 1 ? new Mailboxes(threads) : undefined;
    const shares = mailboxes?.shares ?? null;
    const shared = {
      fallback,
      events: this.#events !== undefined,
      counters: this.#counters,
      shares,
    };
    this.#crew = new Crew({
      job: jobLocation("http/server/server_job"),
      threads,
      name: "sluice server",
      data: (index) => jobData(this.#config, { ...shared, index }),
      fds: () => this.#descriptors(listener),
      gone: () => mailboxes?.close(),
      reported: (_index, id) => {
        if (id === NEEDS_DISK) this.#disk.start();
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
      fds.push(this.#disk.connect());
      const { log } = this.#config;
      if (log !== undefined) fds.push(dupCloexec(log.descriptor));
      if (this.#events !== undefined) fds.push(this.#events.open());
      return fds;
    } catch (cause) {
      for (const fd of fds) raw.close(fd);
      throw cause;
    }
  }

  async #close(): Promise<void> {
    await this.#listening?.catch(() => {});
    await this.#portable?.close();
    if (this.#crew !== undefined) {
      this.#crew.ref();
      // It is rejected when the crew is closed first.
      await this.#crew.call("drain" satisfies Command).catch(() => {});
    }
    await this.#stop();
  }

  /** Ends the threads with all their connections; `#close` goes on by that. */
  #cut(): void {
    const end = () => void (this.#portable?.cut(), this.#crew?.close());
    this.#listening?.then(end, end);
  }

  async #stop(): Promise<void> {
    await this.#crew?.close();
    await this.#disk.close();
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
