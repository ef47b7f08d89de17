/** HTTPS as the thread that started a server sees it: certificates, and the keys of tickets. @module */

import { probeSockets } from "../../../probe/sockets.ts";
import type { ContextTable } from "../../../tls/acceptor.ts";
import { freeTable, TlsContexts } from "../../../tls/contexts.ts";
import { tlsLibrary } from "../../../tls/library.ts";
import type { TlsConfig } from "../../../tls/options.ts";
import type { TlsCommand, TlsData } from "./config.ts";
import type { ServerThreads } from "./server_threads.ts";

/** Owns the contexts of a server, and tells its threads of new ones. */
export class TlsControl {
  readonly #config: TlsConfig;
  readonly #contexts: TlsContexts;
  #threads: ServerThreads | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #last: Promise<void> = Promise.resolve();
  #closed = false;

  /**
   * Loads and checks the certificates.
   *
   * @throws {CertificateError} Names the file and what is wrong.
   * @throws {UnsupportedError} Without OpenSSL; names the package to install.
   */
  constructor(config: TlsConfig) {
    this.#config = config;
    const kernel = tlsLibrary().kernelTls && probeSockets().ktls.state === "works";
    this.#contexts = new TlsContexts(config, kernel);
  }

  /** What the threads are given. */
  get data(): TlsData {
    const { handshakeMs, hsts } = this.#config;
    return { table: this.#contexts.table, handshakeMs, hsts };
  }

  /** The threads have begun to serve: from now on they are told of changes. */
  attach(threads: ServerThreads): void {
    this.#threads = threads;
    if (!this.#config.tickets) return;
    const rotate = () => void this.#change(() => this.#contexts.rotate()).catch(() => {});
    this.#timer = setInterval(rotate, this.#config.ticketSeconds * 1000);
    this.#timer.unref();
  }

  /**
   * Reads all files again. Connections that exist go on with what they have.
   *
   * @throws {CertificateError} When a file cannot be used; then everything stays as it was.
   */
  reload(): Promise<void> {
    return this.#change(() => this.#contexts.reload());
  }

  /** One change after the other: a table is freed when all threads have left it. */
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

  /** Gives everything back; call when the threads are gone. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#last;
    this.#contexts.close();
  }
}
