/** The client's side of TLS, for the connections that a thread makes. @module */

import { addressOf } from "../../../ffi/libc/mod.ts";
import { Cell } from "../../../ffi/libc/cell.ts";
import type { OpenSsl } from "../../../ffi/libssl/mod.ts";
import { openConnection } from "../acceptor.ts";
import { Failure } from "../failure.ts";
import { openssl } from "../library.ts";
import { RECORD_BYTES, SharedInput, SharedOutput, type TlsMemory } from "../records/memory.ts";
import { TlsSession } from "../session.ts";
import { identityFault, isAddress, type ServerIdentity } from "./identity.ts";

const SSL_CTRL_SET_TLSEXT_HOSTNAME = 55;
const TLSEXT_NAMETYPE_host_name = 0n;
/** Both sides have ended: `SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN`. */
const SHUTDOWN = 3;
/** Rejects partial wildcards such as `f*o.example.org`: RFC 9525, 6.3. */
const X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS = 4;

const encoder = new TextEncoder();

/** The server that connections go to: plain data, for threads. */
export interface DialTls extends ServerIdentity {
  /** `SSL_CTX` */
  readonly context: bigint;
}

/**
 * Starts TLS sessions as a client. It keeps one ticket for the next connection, which then needs no
 * certificates. Each ticket is used once, so an observer cannot link connections by it (RFC 8446, C.4).
 */
export class TlsDialer implements TlsMemory {
  readonly calls: OpenSsl = openssl().calls;
  readonly buffer: Cell = new Cell(4 * RECORD_BYTES);
  readonly input: SharedInput = new SharedInput(this.calls, this.buffer);
  readonly output: SharedOutput = new SharedOutput(this.calls);
  readonly asksClients = false;
  readonly #server: ServerIdentity;
  #context: bigint;
  /** `SSL` of the connections that may leave a ticket. */
  readonly #open = new WeakMap<TlsSession, bigint>();
  /** `SSL_SESSION` with the ticket, or 0. */
  #kept = 0n;

  /** `context` must live until {@linkcode TlsDialer.update} replaces it. */
  constructor({ context, ...server }: DialTls) {
    this.#server = server;
    this.#context = context;
  }

  /** Uses another context from now on. */
  update(context: bigint): void {
    this.#context = context;
    // Its server was verified by other authorities.
    this.#forget();
  }

  /** Frees its memory; its connections keep what they need. Call once. */
  close(): void {
    this.#forget();
    this.input.close();
    this.output.close();
  }

  /**
   * Keeps the ticket of a connection for the next one. Call it before the session is freed, and only
   * if this context verified the server.
   */
  keep(session: TlsSession, context: bigint): void {
    const connection = this.#open.get(session);
    if (connection === undefined || context !== this.#context) return;
    const ssl = this.calls;
    // Without this, SSL_free() forbids to resume where no close_notify was sent.
    ssl.SSL_set_shutdown(connection, SHUTDOWN);
    const given = BigInt(ssl.SSL_get1_session(connection));
    if (given === 0n) return;
    if (ssl.SSL_SESSION_is_resumable(given) === 1) {
      this.#forget();
      this.#kept = given;
    } else ssl.SSL_SESSION_free(given);
  }

  /** The context of new connections. */
  get context(): bigint {
    return this.#context;
  }

  #forget(): void {
    if (this.#kept !== 0n) this.calls.SSL_SESSION_free(this.#kept);
    this.#kept = 0n;
  }

  /** Starts a session on a connected socket, which is borrowed; `null` if memory runs out. */
  connect(fd: number): TlsSession | null {
    const ssl = this.calls;
    const opened = openConnection(this, this.#context, fd);
    if (opened === null) return null;
    const { serverName, verify } = this.#server;
    const name = encoder.encode(`${serverName}\0`);
    ssl.SSL_set_connect_state(opened.ssl);
    ssl.SSL_set_hostflags(opened.ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const named = isAddress(serverName) || Number(
          ssl.SSL_ctrl(
            opened.ssl,
            SSL_CTRL_SET_TLSEXT_HOSTNAME,
            TLSEXT_NAMETYPE_host_name,
            addressOf(name),
          ),
        ) === 1;
    if (named && (!verify || ssl.SSL_set1_host(opened.ssl, name) === 1)) {
      // If OpenSSL refuses it, it makes a full handshake.
      if (this.#kept !== 0n) ssl.SSL_set_session(opened.ssl, this.#kept);
      this.#forget();
      const session = new TlsSession({ memory: this, opened }, fd);
      this.#open.set(session, opened.ssl);
      return session;
    }
    ssl.SSL_free(opened.ssl);
    return null;
  }

  /** The reason why the handshake of a session failed. */
  reasonOf(session: TlsSession): string {
    const { detail, failure, verifyError } = session;
    if (failure === Failure.GONE) return "it closed the connection during the TLS handshake";
    if (verifyError === 0) return `the TLS handshake failed: ${detail || "no reason given"}`;
    const text = openssl().text(
      BigInt(this.calls.X509_verify_cert_error_string(BigInt(verifyError))),
    );
    return identityFault(text, this.#server);
  }
}
