/** The file server, as used by the program that starts it. @module */

import type { Server } from "node:http";
import { platform } from "../../../../ffi/platform/mod.ts";
import { available, NO_CALLS } from "../../../sys/libc.ts";
import { type CloseOptions, cutAfter, graceOf } from "../../../threads/grace.ts";
import { isWorkerMissing, warnOfFallback } from "../../../threads/worker_location.ts";
import { type ServerAddress, urlOf } from "../../../sys/net/server_address.ts";
import { ThreadedServer } from "../thread/threaded_server.ts";
import { COUNTERS } from "./config.ts";
import { listenPortably, type PortableServer } from "./portable_server.ts";
import { checkFolders } from "./listen.ts";
import { configure, type FileServerOptions, type ServerConfig } from "./options.ts";
import { type FileServerStats, statsOf } from "./stats.ts";
import { startRedirect, stopRedirect } from "./https_redirect.ts";

export type { CloseOptions, ServerAddress };

const CLOSED = "Cannot listen: the server was closed";

/** A server for the files of a folder. */
export class FileServer implements AsyncDisposable {
  readonly #config: ServerConfig;
  readonly #counters: Float64Array<SharedArrayBuffer>;
  #threaded: ThreadedServer | undefined;
  #portable: PortableServer | undefined;
  #redirect: Server | undefined;
  #reason: string | null = null;
  #address: ServerAddress | undefined;
  #listening: Promise<ServerAddress> | undefined;
  #closing: Promise<void> | undefined;
  /** Rejected by the first {@linkcode close}. */
  readonly #closed = Promise.withResolvers<never>();
  #referenced = true;

  /** Prepares to serve; `createFileServer` builds the configuration. */
  constructor(config: ServerConfig) {
    this.#config = config;
    this.#closed.promise.catch(() => {});
    const bytes = config.threads * COUNTERS * Float64Array.BYTES_PER_ELEMENT;
    this.#counters = new Float64Array(new SharedArrayBuffer(bytes));
  }

  /**
   * Starts to serve. The server keeps the process alive unless you called {@linkcode unref}.
   *
   * @returns The server's address. A second call returns the same.
   *
   * @throws {SyscallError} `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`; `ENOENT`, `ENOTDIR` for the
   * folder.
   * @throws {UnsupportedError} When Workers are not permitted; when an option needs threads of sluice
   * and their file is missing. Without such an option, the runtime's HTTP server answers: see
   * {@linkcode reason}.
   * @throws {Error} After {@linkcode close}: create another server.
   */
  listen(): Promise<ServerAddress> {
    if (this.#closing === undefined) return this.#listening ??= this.#listen();
    return Promise.reject(new Error(CLOSED));
  }

  /** The server's address, once it listens. */
  get address(): ServerAddress | undefined {
    return this.#address;
  }

  /**
   * URL that reaches the server from this machine, such as `http://127.0.0.1:8080` or
   * `unix:/run/app.sock`, without a trailing slash; `undefined` until it listens.
   */
  get url(): string | undefined {
    return this.#address && urlOf(this.#config.tls === undefined ? "http" : "https", this.#address);
  }

  /**
   * Whether threads of sluice serve; `false` if the runtime's own HTTP server does, which takes time of
   * your program's thread. `undefined` until it listens.
   */
  get native(): boolean | undefined {
    return this.#address && this.#portable === undefined;
  }

  /**
   * Why the runtime's own HTTP server answers: foreign calls are unavailable, or the file of sluice's
   * Worker is missing, as in a bundle without `sluice/worker`. `null` while threads of sluice serve.
   */
  get reason(): string | null {
    return this.#reason;
  }

  /** Statistics of all threads. */
  stats(): FileServerStats {
    return statsOf(this.#counters, this.#config.tls !== undefined);
  }

  /**
   * Empties the caches, so changes show at once, and reloads certificates and keys.
   *
   * @throws {CertificateError} When a file is invalid; the server continues with the old
   * certificates.
   */
  async reload(): Promise<void> {
    this.#portable?.reload();
    await this.#threaded?.reload();
  }

  /** Keeps the process alive while the server listens, which is the default. */
  ref(): this {
    return this.#refer(true);
  }

  /** Lets the process end while the server listens. */
  unref(): this {
    return this.#refer(false);
  }

  #refer(on: boolean): this {
    this.#referenced = on;
    // A server that is closing keeps the process alive.
    for (const it of this.#closing === undefined ? [this.#portable?.server, this.#threaded] : []) {
      if (on) it?.ref();
      else it?.unref();
    }
    return this;
  }

  /**
   * Stops accepting, waits for responses in progress, and closes. Cuts the remaining connections
   * after `graceMs`. A second call with a shorter time shortens the wait.
   *
   * @param options How long responses may take.
   * @returns Once everything is closed.
   *
   * @throws {TypeError} When `graceMs` is not a number.
   * @throws {RangeError} When it is negative or not an integer.
   */
  close(options: CloseOptions = {}): Promise<void> {
    const graceMs = graceOf(options, "close a server");
    this.#closed.reject(new Error(CLOSED));
    const closing = this.#closing ??= this.#close();
    cutAfter(graceMs, closing, () => this.#cut());
    return closing;
  }

  /** Calls {@linkcode close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #listen(): Promise<ServerAddress> {
    // Another machine may take its time, or never answer: close() does not wait for that.
    await Promise.race([checkFolders(this.#config.sites), this.#closed.promise]);
    if (platform.os !== "linux" || !available()) return await this.#listenPortably(NO_CALLS);
    const threaded = new ThreadedServer(this.#config, this.#counters);
    try {
      this.#address = await threaded.listen();
    } catch (cause) {
      if (!isWorkerMissing(cause) || this.#closing !== undefined) throw cause;
      const address = await this.#listenPortably(cause.message);
      warnOfFallback("serves files", cause);
      return address;
    }
    this.#threaded = threaded;
    try {
      this.#redirect = await startRedirect(this.#config, this.#address);
    } catch (cause) {
      await threaded.close();
      throw cause;
    }
    if (!this.#referenced && this.#closing === undefined) threaded.unref();
    return this.#address;
  }

  async #listenPortably(reason: string): Promise<ServerAddress> {
    this.#portable = await listenPortably(this.#config, this.#counters, reason);
    this.#reason = reason;
    this.#address = this.#portable.address;
    try {
      this.#redirect = await startRedirect(this.#config, this.#address);
    } catch (cause) {
      await this.#portable.close();
      throw cause;
    }
    if (!this.#referenced) this.#portable.server.unref();
    return this.#address;
  }

  async #close(): Promise<void> {
    await this.#listening?.catch(() => {});
    stopRedirect(this.#redirect);
    await this.#portable?.close();
    await this.#threaded?.drain();
    await this.#threaded?.close();
  }

  /** Ends the threads with all their connections, which lets `#close` continue. */
  #cut(): void {
    const end = () => void (this.#portable?.cut(), this.#threaded?.cut());
    this.#listening?.then(end, end);
  }
}

/**
 * Creates a server for a folder. It does nothing before `listen()`.
 *
 * Its own threads accept, answer and send, so your program cannot delay it. It speaks strict
 * HTTP/1.1 with keep-alive and pipelining, ranges, conditional requests and sidecars. Small files
 * come from memory, larger ones by sendfile(2); a file outside the page cache does not block other
 * clients. Without foreign calls, it serves through `node:http` and copies. It also does so, with a
 * warning, if the file of its threads is missing: see {@linkcode FileServer.reason}.
 *
 * @throws {TypeError} When an option has the wrong type.
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
