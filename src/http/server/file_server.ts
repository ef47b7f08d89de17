/** The server as the program that started it sees it. @module */

import type { Server } from "node:http";
import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { available } from "../../sys/libc.ts";
import * as raw from "../../sys/raw/mod.ts";
import { dupCloexec } from "../../sys/open.ts";
import { getsockname } from "../../sys/sockets.ts";
import { Crew } from "../../wait/crew.ts";
import { isLoopback, withoutPacing } from "../../wait/loopback.ts";
import { Mailboxes } from "../../wait/mailboxes.ts";
import { within } from "../../wait/within.ts";
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
import { startRedirect, stopRedirect } from "./https_redirect.ts";
import { TlsControl } from "./tls_control.ts";

/** Where a server listens. */
export interface ServerAddress {
  /** Address in digits, or the path of a Unix socket. */
  readonly address: string;
  /** Port; 0 for a Unix socket. */
  readonly port: number;
}

/** A server that listens, until it is closed. */
export class FileServer {
  readonly #config: ServerConfig;
  readonly #counters: Float64Array<SharedArrayBuffer>;
  #crew: Crew | undefined;
  #portable: PortableServer | undefined;
  readonly #disk: SharedThread;
  #tls: TlsControl | undefined;
  #redirect: Server | undefined;
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
    this.#disk = new SharedThread("sluice server disk", sandbox ? SANDBOXED : null);
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
    return statsOf(this.#counters, this.#config.tls !== undefined);
  }

  /**
   * Forgets what is known of files: changes show at once. Reads certificates and keys again.
   *
   * @throws {CertificateError} When one cannot be used; the server goes on with those that it has.
   */
  async reload(): Promise<void> {
    this.#portable?.reload();
    await this.#tls?.reload();
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
    const { backlog, fallback, root, sandbox, threads, tls } = this.#config;
    builtin("fs").readdirSync(root);
    if (platform.os !== "linux" || !available()) return await this.#listenPortably();
    if (sandbox) landlock();
    if (tls !== undefined) this.#tls = new TlsControl(tls);
    const others = fallback === undefined ? null : await resolveFallback(fallback);
    const listener = listenAt(await whereToListen(this.#config), backlog);
    try {
      this.#start(listener, threads, others);
      // Or the process might end before the promise settles.
      this.#crew!.ref();
      await this.#crew!.ready;
      this.#tls?.attach(this.#crew!);
      this.#redirect = await startRedirect(this.#config, this.#address!);
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
    this.#address = this.#portable.address;
    this.#redirect = await startRedirect(this.#config, this.#address);
    if (!this.#referenced) this.#portable.server.unref();
    return this.#address;
  }

  #start(listener: number, threads: number, fallback: FallbackConfig | null): void {
    const name = getsockname(listener);
    if (isLoopback(name)) withoutPacing(listener);
    this.#address = name.family === "Unix"
      ? { address: name.path, port: 0 }
      : { address: name.address, port: name.port };
    this.#socketIdentity = name.family === "Unix" ? socketIdentity(name.path) : undefined;
    const { onError } = this.#config;
    const mailboxes = threads > 1 ? new Mailboxes(threads) : undefined;
    const shares = mailboxes?.shares ?? null;
    const shared = {
      fallback,
      events: this.#events !== undefined,
      counters: this.#counters,
      shares,
      tls: this.#tls?.data ?? null,
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

  async #close(graceMs: number): Promise<void> {
    await this.#listening?.catch(() => {});
    stopRedirect(this.#redirect);
    if (this.#portable !== undefined) return await this.#portable.close(graceMs);
    if (this.#crew !== undefined) {
      this.#crew.ref();
      await within(this.#crew.call("drain" satisfies Command).catch(() => {}), graceMs);
    }
    await this.#stop();
  }

  async #stop(): Promise<void> {
    await this.#crew?.close();
    await this.#disk.close();
    await this.#events?.close();
    await this.#tls?.close();
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
