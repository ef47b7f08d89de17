/** Trusted authorities for TLS to the fallback, loaded by the thread that starts the server. @module */

import { makeClientContext } from "../../../tls/client/client_context.ts";
import type { ServerIdentity } from "../../../tls/client/identity.ts";
import { freeContext } from "../../../tls/context.ts";
import { openssl } from "../../../tls/library.ts";
import type { FallbackCommand } from "./config.ts";
import type { ServerThreads } from "./server_threads.ts";

/** Owns the context that connections to the fallback are made from. */
export class FallbackTls {
  /** `SSL_CTX` */
  context: bigint;
  /** Path of the OpenSSL that has made it. */
  readonly libssl: string | null = openssl().path;
  readonly #server: ServerIdentity;

  /**
   * Reads who is trusted.
   *
   * @throws {CertificateError} Names the file and the problem.
   * @throws {UnsupportedError} Without OpenSSL, or without any authority to trust.
   */
  constructor(server: ServerIdentity) {
    this.#server = server;
    this.context = makeClientContext(server);
  }

  /**
   * Reads again who is trusted, for connections from now on.
   *
   * @throws {CertificateError} When a file cannot be used; then everything stays as it was.
   */
  async reload(threads: ServerThreads | undefined): Promise<void> {
    const context = makeClientContext(this.#server);
    const old = this.context;
    this.context = context;
    await threads?.call({ fallback: context } satisfies FallbackCommand);
    freeContext(old);
  }

  /** Gives it back; call when the threads are gone. A second call does nothing. */
  close(): void {
    if (this.context !== 0n) freeContext(this.context);
    this.context = 0n;
  }
}
