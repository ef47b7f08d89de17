/** HTTPS in the thread that starts a server: certificates and ticket keys. @module */

import { probeSockets } from "../../../probe/sockets.ts";
import type { ContextTable } from "../../../tls/acceptor.ts";
import { freeTable, TlsContexts } from "../../../tls/contexts.ts";
import { openssl, tlsLibrary } from "../../../tls/library.ts";
import type { TlsConfig } from "../../../tls/options.ts";
import type { TlsCommand, TlsData } from "./config.ts";
import type { ServerThreads } from "./server_threads.ts";

/** Owns the contexts of a server, and tells its threads about new ones. */
export class TlsControl {
  /** Path of the OpenSSL that makes the contexts. */
  readonly libssl: string | null = openssl().path;
  readonly #config: TlsConfig;
  readonly #contexts: TlsContexts;
  readonly #kernel: boolean;
  #threads: ServerThreads | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #last: Promise<void> = Promise.resolve();
  #closed = false;

  /**
   * Loads and checks the certificates.
   *
   * @throws {CertificateError} Names the file and the problem.
   * @throws {UnsupportedError} Without OpenSSL; names the package to install.
   */
  constructor(config: TlsConfig) {
    this.#config = config;
    const kernel = tlsLibrary().kernelTls && probeSockets().ktls.state === "works";
    this.#kernel = kernel && config.kernelTls;
    this.#contexts = new TlsContexts(config, kernel);
  }

  /** Data for the threads. */
  get data(): TlsData {
    const { handshakeMs, hsts } = this.#config;
    return { table: this.#contexts.table, handshakeMs, hsts, kernel: this.#kernel };
  }

  /** Registers the threads; from now on they are told about changes. */
  attach(threads: ServerThreads): void {
    this.#threads = threads;
    if (!this.#config.tickets) return;
    const rotate = () => void this.#change(() => this.#contexts.rotate()).catch(() => {});
    this.#timer = setInterval(rotate, this.#config.ticketSeconds * 1000);
    this.#timer.unref();
  }

  /**
   * Reloads all files. Existing connections keep their certificates.
   *
   * @throws {CertificateError} When a file is invalid; then nothing changes.
   */
  reload(): Promise<void> {
    return this.#change(() => this.#contexts.reload());
  }

  /** Runs changes one after the other: a table is freed once all threads have stopped using it. */
  #change(change: () => ContextTable): Promise<void> {
    const done = this.#last.then(async () => {
      if (this.#closed || this.#threads === undefined) return;
      const old = change();
      await this.#threads.call({ tls: this.#contexts.table } satisfies TlsCommand);
      freeTable(old);
    });
    this.#last = done.catch(() => {});
    return done;
  }

  /** Frees everything; call when the threads have ended. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#last;
    this.#contexts.close();
  }
}
