/// <reference lib="esnext.disposable" preserve="true" />
/** A relay for clients of a port or socket: `createRelay`. @module */

import { builtin } from "../../../builtins.ts";
import type { SocketAddress } from "../../../sys/net/address.ts";
import { closeWithWorker } from "../../../runtime/adopt.ts";
import { check } from "../../../sys/check.ts";
import { available, NO_CALLS } from "../../../sys/libc.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { ShutdownHow } from "../../../sys/flags/socket.ts";
import { getsockname } from "../../../sys/net/sockets.ts";
import type { WorkerPool } from "../../../threads/worker_pool.ts";
import { type CloseOptions, cutAfter, graceOf } from "../../../threads/grace.ts";
import { openListener } from "../../../sys/net/listener.ts";
import { isLoopback, withoutPacing } from "../../../sys/net/loopback.ts";
import { type ServerAddress, serverAddress, urlOf } from "../../../sys/net/server_address.ts";
import type { RelayCommand } from "./commands.ts";
import { type Counters, newCounters } from "./counters.ts";
import { resolveAll, resolveEndpoint } from "../endpoint.ts";
import { type CheckedOptions, checkOptions, type RelayServerOptions } from "./options.ts";
export type { CloseOptions, RelayServerOptions, ServerAddress };
import { PortableRelay } from "../portable.ts";
import { type RelayStats, sumUp } from "./stats.ts";
import { startThreads } from "./threads.ts";
import { isWorkerMissing, warnOfFallback } from "../../../threads/worker_location.ts";

const CLOSED = "Cannot listen: the relay was closed";

/**
 * Accepts connections, and relays each to a separate connection to the upstream.
 *
 * The bytes go from socket to socket by splice(2), through a pipe that a connection holds only
 * while bytes move. They never enter JavaScript, and an idle connection uses less than a kilobyte
 * of its memory. The work happens in separate threads, so the event loop and the relay don't slow
 * each other down.
 *
 * If one direction ends, its end is passed on and the other direction continues. A reset of either
 * side, or an unreachable upstream, resets the other side. A slow receiver slows down its sender:
 * at most 2 MiB in the pipe, plus the kernel's socket buffers, are in flight.
 *
 * A listener or upstream on a loopback address uses the congestion control "reno", because pacing,
 * as in BBR, only costs time there. Others use the system's default.
 */
export class Relay implements AsyncDisposable {
  readonly #options: CheckedOptions;
  readonly #counters: Counters[];
  #pool: WorkerPool | undefined;
  #portable: PortableRelay | undefined;
  #listener = -1;
  #closeListener: (() => number) | undefined;
  #address: ServerAddress | undefined;
  #listening: Promise<ServerAddress> | undefined;
  #closing: Promise<void> | undefined;
  #referenced = true;
  #ready = false;
  #reason: string | null = null;

  /** Use {@linkcode createRelay}. */
  constructor(options: RelayServerOptions) {
    this.#options = checkOptions(options);
    this.#counters = Array.from({ length: this.#options.threads }, newCounters);
  }

  /** The relay's address; `undefined` until it listens. */
  get address(): ServerAddress | undefined {
    return this.#address;
  }

  /**
   * URL that reaches the relay from this machine, such as `tcp://127.0.0.1:8080` or
   * `unix:/run/app.sock`; `undefined` until it listens.
   */
  get url(): string | undefined {
    return this.#address && urlOf("tcp", this.#address);
  }

  /**
   * Starts to accept. The relay keeps the process alive unless you called {@linkcode unref}.
   *
   * @returns The relay's address, once every thread listens. A second call returns the same.
   *
   * @throws {SyscallError} `EADDRINUSE`, also for an existing path; `EACCES`, `EADDRNOTAVAIL` and
   * others.
   * @throws {UnsupportedError} When Workers are not permitted.
   * @throws {Error} With `code` `"ENOTFOUND"` and others when a name cannot be resolved.
   */
  listen(): Promise<ServerAddress> {
    if (this.#closing === undefined) return this.#listening ??= this.#listen();
    return Promise.reject(new Error(CLOSED));
  }

  /** How bytes move: `"copy"` without foreign calls or threads, see {@linkcode reason}. */
  get method(): "splice" | "copy" {
    return available() && this.#reason === null ? "splice" : "copy";
  }

  /**
   * Why the runtime's own sockets copy the bytes: foreign calls are unavailable, or the file of sluice's
   * Worker is missing, as in a bundle without `sluice/worker`. `null` while threads of sluice relay.
   */
  get reason(): string | null {
    return this.#reason;
  }

  /** Statistics of the relay. */
  stats(): RelayStats {
    return sumUp(this.#counters);
  }

  /** Keeps the process alive while the relay listens, which is the default. */
  ref(): this {
    this.#referenced = true;
    this.#portable?.ref();
    if (this.#ready && this.#closing === undefined) this.#pool!.ref();
    return this;
  }

  /** Lets the process end while the relay listens. */
  unref(): this {
    this.#referenced = false;
    this.#portable?.unref();
    if (this.#ready && this.#closing === undefined) this.#pool!.unref();
    return this;
  }

  /**
   * Stops accepting, lets open connections end, and resets the remaining ones after `graceMs`.
   *
   * A second call with a shorter time shortens the wait.
   *
   * @param options How long open connections may take.
   * @returns Once everything is closed.
   *
   * @throws {TypeError} When `graceMs` is not a number.
   * @throws {RangeError} When it is negative or not an integer.
   */
  close(options: CloseOptions = {}): Promise<void> {
    const graceMs = graceOf(options, "close a relay");
    const closing = this.#closing ??= this.#close();
    cutAfter(graceMs, closing, () => this.#cut());
    return closing;
  }

  /** Calls {@linkcode close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #listen(): Promise<ServerAddress> {
    const upstreams = await resolveAll(this.#options.upstream);
    const listen = await resolveEndpoint(this.#options.listen);
    this.#throwIfClosed();
    if (!available()) return await this.#listenPortably(listen, upstreams, NO_CALLS);
    try {
      return await this.#listenByThreads(listen, upstreams);
    } catch (cause) {
      if (!isWorkerMissing(cause) || this.#closing !== undefined) throw cause;
      this.#pool = this.#address = undefined;
      const address = await this.#listenPortably(listen, upstreams, cause.message);
      warnOfFallback("relays", cause);
      return address;
    }
  }

  async #listenByThreads(
    listen: SocketAddress,
    upstreams: readonly SocketAddress[],
  ): Promise<ServerAddress> {
    this.#listener = openListener(listen);
    this.#closeListener = closeWithWorker(this.#listener);
    try {
      if (isLoopback(listen)) withoutPacing(this.#listener);
      this.#address = serverAddress(getsockname(this.#listener));
      const pool = this.#pool = startThreads({
        options: this.#options,
        listener: this.#listener,
        upstreams,
        counters: this.#counters,
        ended: (error) => this.#fail(error),
      });
      // The process must not end while a caller awaits this promise.
      pool.ref();
      await pool.ready;
      this.#throwIfClosed();
      this.#ready = true;
      if (!this.#referenced) pool.unref();
      return this.#address;
    } catch (cause) {
      this.#stopListening();
      await this.#pool?.close();
      throw cause;
    }
  }

  async #listenPortably(
    listen: SocketAddress,
    upstreams: readonly SocketAddress[],
    reason: string,
  ): Promise<ServerAddress> {
    this.#reason = reason;
    const portable = new PortableRelay(this.#options, this.#counters[0]!, upstreams);
    this.#portable = portable;
    this.#address = serverAddress(await portable.listen(listen));
    if (!this.#referenced) portable.unref();
    return this.#address;
  }

  #throwIfClosed(): void {
    if (this.#closing !== undefined) throw new Error(CLOSED);
  }

  async #close(): Promise<void> {
    this.#stopListening();
    await this.#listening?.catch(() => {});
    await this.#portable?.close();
    const pool = this.#pool;
    if (pool === undefined) return;
    pool.ref();
    // Rejected if the pool is closed first.
    await pool.call({ type: "drain" } satisfies RelayCommand).catch(() => {});
    await pool.close();
  }

  /** Ends the threads with all their connections, which lets `#close` continue. */
  #cut(): void {
    const end = () => {
      this.#portable?.cut();
      return this.#pool?.close();
    };
    if (this.#listening === undefined) return;
    this.#listening.then(end, end);
  }

  /** All threads see the end of the listener, of which each has a duplicate. */
  #stopListening(): void {
    if (this.#listener < 0) return;
    raw.shutdown(this.#listener, ShutdownHow.RDWR);
    check(this.#closeListener!(), "close", () => "close the listener");
    this.#listener = -1;
    if (this.#address?.family !== "Unix" || this.#address.path.startsWith("\0")) return;
    builtin("fs").rmSync(this.#address.path, { force: true });
  }

  #fail(error: Error): void {
    // Before it listens, errors reject `listen()`, or the runtime's sockets relay.
    if (!this.#ready) return;
    const { onError } = this.#options;
    void this.#listening?.then(() => {
      void this.close();
      if (onError === undefined) throw error;
      onError(error);
    }, () => {});
  }
}
