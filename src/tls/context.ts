/** `SSL_CTX`: the state shared by the connections for one set of host names. @module */

import { builtin } from "../builtins.ts";
import { UnsupportedError } from "../errors.ts";
import { alpnCallback } from "./alpn/alpn_callback.ts";
import { type Certificates, type Credential, derOf } from "./certificate/credential.ts";
import { calls, openssl } from "./library.ts";
import { takeReason } from "./openssl_errors.ts";
import { TICKET_KEY_BYTES, type TicketKey } from "./ticket_keys.ts";

/** TLS versions, by their numbers in the protocol. */
export const Version = { "TLSv1.2": 0x0303, "TLSv1.3": 0x0304 } as const;

/** Name of a TLS version. */
export type VersionName = keyof typeof Version;

/** Requirements for client certificates. */
export interface ClientCertificates {
  /** Authorities that may sign them. */
  readonly authorities: Certificates;
  /** Whether to refuse a client without a certificate. */
  readonly required: boolean;
}

/** Settings of a context. */
export interface ContextOptions {
  /** One per kind of key, for example ECDSA and RSA. */
  readonly credentials: readonly Credential[];
  readonly minVersion: VersionName;
  readonly maxVersion: VersionName;
  /** Cipher suites of TLS 1.2, and of TLS 1.3, by OpenSSL's names; `null` for its defaults. */
  readonly ciphers: string | null;
  readonly suites: string | null;
  readonly clients: ClientCertificates | null;
  /** The key that encrypts session tickets; `null` for no tickets. */
  readonly ticketKey: TicketKey | null;
  /** Whether to send new tickets; existing tickets of clients are accepted anyway. */
  readonly issuesTickets: boolean;
  /** How long a session may be resumed, in seconds. */
  readonly sessionSeconds: number;
  /** Whether to use kernel TLS. */
  readonly kernelTls: boolean;
}

/** Options, modes and commands: `openssl/ssl.h`. */
const SSL_OP_ENABLE_KTLS = 1n << 3n;
const SSL_OP_NO_TICKET = 1n << 14n;
const SSL_OP_NO_COMPRESSION = 1n << 17n;
const SSL_OP_CIPHER_SERVER_PREFERENCE = 1n << 22n;
const SSL_OP_NO_RENEGOTIATION = 1n << 30n;
/** A client that prefers ChaCha20 has no AES hardware. */
const SSL_OP_PRIORITIZE_CHACHA = 1n << 21n;
const SSL_MODE_ENABLE_PARTIAL_WRITE = 1n;
const SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER = 2n;
/** Frees the 34 KiB of buffers while a connection is idle. */
const SSL_MODE_RELEASE_BUFFERS = 0x10n;
const SSL_CTRL_MODE = 33;
const SSL_CTRL_SET_SESS_CACHE_MODE = 44;
const SSL_CTRL_SET_TLSEXT_TICKET_KEYS = 59;
const SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB = 63;
const SSL_CTRL_CHAIN_CERT = 89;
const SSL_CTRL_SET_MIN_PROTO_VERSION = 123;
const SSL_CTRL_SET_MAX_PROTO_VERSION = 124;
const SSL_VERIFY_PEER = 1;
const SSL_VERIFY_FAIL_IF_NO_PEER_CERT = 2;
/** One for each connection: docs/decisions/41. */
const TICKETS = 1n;
/** Takes an additional reference. */
const ADD1 = 1n;

/** Mozilla's "intermediate" list of 2025 without finite-field Diffie-Hellman: forward secrecy and AEAD only. */
const TLS12_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20";

const encoder = new TextEncoder();

/**
 * Creates a context. All threads use it: OpenSSL counts its references atomically.
 *
 * @throws {RangeError} When OpenSSL does not know the ciphers.
 * @throws {UnsupportedError} When OpenSSL refuses another setting; the message has its reason.
 */
export function makeContext(options: ContextOptions): bigint {
  const ssl = calls();
  const context = newContext(BigInt(ssl.TLS_server_method()), options);
  try {
    configure(context, options);
    for (const credential of options.credentials) useCredential(context, credential);
    if (options.clients !== null) askClients(context, options.clients);
    return context;
  } catch (error) {
    ssl.SSL_CTX_free(context);
    throw error;
  }
}

/**
 * Creates a context with the settings that servers and clients share: versions, and how records are
 * written.
 *
 * @param method `SSL_METHOD`
 */
export function newContext(
  method: bigint,
  { maxVersion, minVersion }: Pick<ContextOptions, "maxVersion" | "minVersion">,
): bigint {
  const ssl = calls();
  ssl.ERR_clear_error();
  const context = BigInt(ssl.SSL_CTX_new(method));
  if (context === 0n) throw refused("make a TLS context");
  ssl.SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  control(
    context,
    SSL_CTRL_MODE,
    SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS,
  );
  // Sessions live in tickets only: nothing to share, and nothing to fill up.
  control(context, SSL_CTRL_SET_SESS_CACHE_MODE, 0n);
  control(context, SSL_CTRL_SET_MIN_PROTO_VERSION, BigInt(Version[minVersion]));
  control(context, SSL_CTRL_SET_MAX_PROTO_VERSION, BigInt(Version[maxVersion]));
  return context;
}

/** Drops a reference; connections that use the context keep it alive. */
export function freeContext(context: bigint): void {
  calls().SSL_CTX_free(context);
}

function configure(context: bigint, options: ContextOptions): void {
  const ssl = calls();
  const { ciphers, kernelTls, suites, ticketKey } = options;
  let bits = SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;
  if (kernelTls) bits |= SSL_OP_ENABLE_KTLS;
  if (ticketKey === null) bits |= SSL_OP_NO_TICKET;
  ssl.SSL_CTX_set_options(context, bits);
  ssl.SSL_CTX_set_timeout(context, BigInt(options.sessionSeconds));
  if (ssl.SSL_CTX_set_cipher_list(context, text(ciphers ?? TLS12_CIPHERS)) !== 1) {
    throw unknownCiphers(ciphers ?? TLS12_CIPHERS);
  }
  if (suites !== null && ssl.SSL_CTX_set_ciphersuites(context, text(suites)) !== 1) {
    throw unknownCiphers(suites);
  }
  if (ticketKey !== null) setTicketKey(context, ticketKey);
  // For TLS 1.3; OpenSSL's default is 2.
  const issues = ticketKey !== null && options.issuesTickets;
  ssl.SSL_CTX_set_num_tickets(context, issues ? TICKETS : 0n);
  const alpn = alpnCallback();
  if (alpn !== null) ssl.SSL_CTX_set_alpn_select_cb(context, alpn.callback, alpn.argument);
  // The response is set before the handshake starts, so the callback only needs to return 0, which
  // is SSL_TLSEXT_ERR_OK. SSL_is_dtls() does so for TLS, and takes the SSL as its first argument.
  ssl.SSL_CTX_callback_ctrl(
    context,
    SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB,
    openssl().symbol("SSL_is_dtls"),
  );
}

function setTicketKey(context: bigint, { address }: TicketKey): void {
  const set = control(context, SSL_CTRL_SET_TLSEXT_TICKET_KEYS, BigInt(TICKET_KEY_BYTES), address);
  if (set !== 1) throw refused("set the key of session tickets");
}

function useCredential(context: bigint, { certificates, key }: Credential): void {
  const ssl = calls();
  const [own, ...chain] = certificates.addresses;
  if (ssl.SSL_CTX_use_certificate(context, own!) !== 1) throw refused("use a certificate");
  // The chain belongs to the certificate that was set last.
  for (const issuer of chain) {
    if (control(context, SSL_CTRL_CHAIN_CERT, ADD1, issuer) !== 1) throw refused("use a chain");
  }
  if (ssl.SSL_CTX_use_PrivateKey(context, key) !== 1) throw refused("use a private key");
}

function askClients(context: bigint, { authorities, required }: ClientCertificates): void {
  const ssl = calls();
  const { addresses } = authorities;
  const store = BigInt(ssl.SSL_CTX_get_cert_store(context));
  for (const authority of addresses) {
    if (ssl.X509_STORE_add_cert(store, authority) !== 1) throw refused("trust an authority");
    if (ssl.SSL_CTX_add_client_CA(context, authority) !== 1) throw refused("name an authority");
  }
  const mode = required ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_PEER;
  ssl.SSL_CTX_set_verify(context, mode, 0n);
  // Resume a session only while the same authorities are trusted, because resuming shows no
  // certificate.
  const id = sessionIdContext(addresses);
  ssl.SSL_CTX_set_session_id_context(context, id, id.length);
}

/** 32 bytes, the maximum. */
function sessionIdContext(authorities: readonly bigint[]): Uint8Array {
  const hash = builtin("crypto").createHash("sha256");
  for (const authority of authorities) hash.update(derOf(authority));
  return new Uint8Array(hash.digest());
}

function control(context: bigint, command: number, number: bigint, pointer = 0n): number {
  return Number(calls().SSL_CTX_ctrl(context, command, number, pointer));
}

function text(value: string): Uint8Array {
  return encoder.encode(`${value}\0`);
}

function unknownCiphers(ciphers: string): RangeError {
  const reason = takeReason();
  return new RangeError(`Cannot serve HTTPS: tls.ciphers is "${ciphers}": ${reason}`);
}

/** The error for a setting that OpenSSL refuses, with its reason. */
export function refused(action: string): UnsupportedError {
  return new UnsupportedError({ action, reason: takeReason() });
}
