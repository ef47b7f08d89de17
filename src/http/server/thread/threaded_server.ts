/** A server in threads of sluice: its listener, its threads, and what they need. @module */

import { builtin } from "../../../builtins.ts";
import { getsockname } from "../../../sys/net/sockets.ts";
import { isLoopback, withoutPacing } from "../../../sys/net/loopback.ts";
import { type ServerAddress, serverAddress } from "../../../sys/net/server_address.ts";
import * as raw from "../../../sys/raw/mod.ts";
import type { Command } from "../control/config.ts";
import { EventReader } from "../control/event_reader.ts";
import type { FallbackTls } from "../control/fallback_tls.ts";
import { openToListen, socketIdentity } from "../control/listen.ts";
import type { ServerConfig } from "../control/options.ts";
import { ServerThreads } from "../control/server_threads.ts";
import type { TlsControl } from "../control/tls_control.ts";
import { resolveFallback } from "../proxy/options.ts";
import { landlock } from "./sandbox.ts";

/** Serves in threads that own the connections. */
export class ThreadedServer {
  readonly #config: ServerConfig;
  readonly #counters: Float64Array;
  /** Receives the threads' events. */
  readonly #events: EventReader | undefined;
  #threads: ServerThreads | undefined;
  #tls: TlsControl | undefined;
  #fallbackTls: FallbackTls | undefined;
  /** Distinguishes this server's Unix socket from one that has replaced it. */
  #socketIdentity: string | undefined;
  #serves = false;

  /** Call {@linkcode listen} next. */
  constructor(config: ServerConfig, counters: Float64Array) {
    this.#config = config;
    this.#counters = counters;
    this.#events = config.onRequest && new EventReader(config.onRequest);
  }

  /** Opens the listener and starts the threads, which keep the process alive. */
  async listen(): Promise<ServerAddress> {
    const { fallback, onError, sandbox, tls } = this.#config;
    // Load it only for HTTPS, and before the sandbox, which might forbid reading the module.
    const secure = tls && await import("../control/tls_control.ts");
    if (sandbox) landlock();
    if (tls !== undefined) this.#tls = new secure!.TlsControl(tls);
    let listener = -1;
    try {
      const outward = fallback?.tls && await import("../control/fallback_tls.ts");
      this.#fallbackTls = outward ? new outward.FallbackTls(fallback!.tls!) : undefined;
      const others = fallback && await resolveFallback(fallback, this.#fallbackTls?.context);
      listener = await openToListen(this.#config);
      const address = this.#addressOf(listener);
      this.#threads = new ServerThreads(this.#config, {
        listener,
        fallback: others ?? null,
        counters: this.#counters,
        events: this.#events,
        tls: this.#tls?.data ?? null,
        libssl: (this.#tls ?? this.#fallbackTls)?.libssl,
        // Earlier errors reject `listen()`.
        ended: (error) => this.#serves && onError(error),
      });
      // Otherwise the process might end before the promise settles.
      this.#threads.ref();
      await this.#threads.ready;
      this.#tls?.attach(this.#threads);
      this.#serves = true;
      return address;
    } catch (cause) {
      await this.close();
      throw cause;
    } finally {
      if (listener >= 0) raw.close(listener);
    }
  }

  #addressOf(listener: number): ServerAddress {
    const name = getsockname(listener);
    if (isLoopback(name)) withoutPacing(listener);
    this.#socketIdentity = name.family === "Unix" ? socketIdentity(name.path) : undefined;
    return serverAddress(name);
  }

  /** Empties the caches, and reloads certificates and keys. */
  async reload(): Promise<void> {
    await this.#tls?.reload();
    await this.#fallbackTls?.reload(this.#threads);
    await this.#threads?.call("reload" satisfies Command);
  }

  /** Keeps the process alive until `unref()`. */
  ref(): void {
    this.#threads?.ref();
  }

  /** Lets the process end. */
  unref(): void {
    this.#threads?.unref();
  }

  /** Stops accepting; resolves when no connection is left. */
  async drain(): Promise<void> {
    this.#threads?.ref();
    // Rejected if the pool is closed first.
    await this.#threads?.call("drain" satisfies Command).catch(() => {});
  }

  /** Ends the threads with all their connections. */
  cut(): void {
    void this.#threads?.close();
  }

  /** Ends the threads and frees everything. */
  async close(): Promise<void> {
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
