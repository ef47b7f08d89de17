/** The file server, as used by the program that starts it. @module */

import type { Server } from "node:http";
import { platform } from "../../../../ffi/platform/mod.ts";
import { builtin } from "../../../builtins.ts";
import { available } from "../../../sys/libc.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { getsockname } from "../../../sys/net/sockets.ts";
import { type CloseOptions, cutAfter, graceOf } from "../../../threads/grace.ts";
import { isLoopback, withoutPacing } from "../../../sys/net/loopback.ts";
import { type ServerAddress, serverAddress, urlOf } from "../../../sys/net/server_address.ts";
import { type Command, COUNTERS } from "./config.ts";
import { EventReader } from "./event_reader.ts";
import { resolveFallback } from "../proxy/options.ts";
import type { FallbackTls } from "./fallback_tls.ts";
import { listenPortably, type PortableServer } from "./portable_server.ts";
import { landlock } from "../thread/sandbox.ts";
import { ServerThreads } from "./server_threads.ts";
import { checkFolders, openToListen, socketIdentity } from "./listen.ts";
import { configure, type FileServerOptions, type ServerConfig } from "./options.ts";
import { type FileServerStats, statsOf } from "./stats.ts";
import { startRedirect, stopRedirect } from "./https_redirect.ts";
import type { TlsControl } from "./tls_control.ts";

export type { CloseOptions, ServerAddress };

const CLOSED = "Cannot listen: the server was closed";

/** A server for the files of a folder. */
export class FileServer implements AsyncDisposable {
  readonly #config: ServerConfig;
  readonly #counters: Float64Array<SharedArrayBuffer>;
  #threads: ServerThreads | undefined;
  #portable: PortableServer | undefined;
  #tls: TlsControl | undefined;
  #fallbackTls: FallbackTls | undefined;
  #redirect: Server | undefined;
  /** Receives the threads' events. */
  readonly #events: EventReader | undefined;
  /** Distinguishes this server's Unix socket from one that has replaced it. */
  #socketIdentity: string | undefined;
  #address: ServerAddress | undefined;
  #listening: Promise<ServerAddress> | undefined;
  #closing: Promise<void> | undefined;
  /** Rejected by the first {@linkcode close}. */
  readonly #closed = Promise.withResolvers<never>();
  #referenced = true;
  #serves = false;

  /** Prepares to serve; `createFileServer` builds the configuration. */
  constructor(config: ServerConfig) {
    this.#config = config;
    this.#events = config.onRequest && new EventReader(config.onRequest);
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
   * @throws {UnsupportedError} When Workers cannot start.
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
    await this.#tls?.reload();
    await this.#fallbackTls?.reload(this.#threads);
    await this.#threads?.call("reload" satisfies Command);
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
    for (const it of this.#closing === undefined ? [this.#portable?.server, this.#threads] : []) {
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
    const { fallback, sandbox, sites, tls } = this.#config;
    // Another machine may take its time, or never answer: close() does not wait for that.
    await Promise.race([checkFolders(sites), this.#closed.promise]);
    if (platform.os !== "linux" || !available()) return await this.#listenPortably();
    // Load it only for HTTPS, and before the sandbox, which might forbid reading the module.
    const secure = tls && await import("./tls_control.ts");
    if (sandbox) landlock();
    if (tls !== undefined) this.#tls = new secure!.TlsControl(tls);
    let listener = -1;
    try {
      const outward = fallback?.tls && await import("./fallback_tls.ts");
      this.#fallbackTls = outward ? new outward.FallbackTls(fallback!.tls!) : undefined;
      const others = fallback && await resolveFallback(fallback, this.#fallbackTls?.context);
      listener = await openToListen(this.#config);
      this.#tell(listener);
      const { onError } = this.#config;
      this.#threads = new ServerThreads(this.#config, {
        listener,
        fallback: others ?? null,
        counters: this.#counters,
        events: this.#events,
        tls: this.#tls?.data ?? null,
        // Earlier errors reject `listen()`.
        ended: (error) => this.#serves && onError(error),
      });
      // Otherwise the process might end before the promise settles.
      this.#threads!.ref();
      await this.#threads!.ready;
      this.#tls?.attach(this.#threads!);
      this.#redirect = await startRedirect(this.#config, this.#address!);
      this.#serves = true;
    } catch (cause) {
      await this.#stop();
      throw cause;
    } finally {
      if (listener >= 0) raw.close(listener);
    }
    if (!this.#referenced && this.#closing === undefined) this.#threads!.unref();
    return this.#address!;
  }

  #tell(listener: number): void {
    const name = getsockname(listener);
    if (isLoopback(name)) withoutPacing(listener);
    this.#address = serverAddress(name);
    this.#socketIdentity = name.family === "Unix" ? socketIdentity(name.path) : undefined;
  }

  async #listenPortably(): Promise<ServerAddress> {
    this.#portable = await listenPortably(this.#config, this.#counters);
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
    if (this.#threads !== undefined) {
      this.#threads.ref();
      // Rejected if the pool is closed first.
      await this.#threads.call("drain" satisfies Command).catch(() => {});
    }
    await this.#stop();
  }

  /** Ends the threads with all their connections, which lets `#close` continue. */
  #cut(): void {
    const end = () => void (this.#portable?.cut(), this.#threads?.close());
    this.#listening?.then(end, end);
  }

  async #stop(): Promise<void> {
    await this.#threads?.close();
    await this.#events?.close();
    await this.#tls?.close();
    this.#fallbackTls?.close();
    const { path } = this.#config;
    const identity = this.#socketIdentity;
    if (path === undefined || identity === undefined || socketIdentity(path) !== identity) return;
    builtin("fs").rmSync(path, { force: true });
  }
}

/**
 * Creates a server for a folder. It does nothing before `listen()`.
 *
 * Its own threads accept, answer and send, so your program cannot delay it. It speaks strict
 * HTTP/1.1 with keep-alive and pipelining, ranges, conditional requests and sidecars. Small files
 * come from memory, larger ones by sendfile(2); a file outside the page cache does not block other
 * clients. Without foreign calls, it serves through `node:http` and copies.
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
