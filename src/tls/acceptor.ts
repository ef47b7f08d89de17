/** TLS objects that all connections of one thread share. @module */

import { Cell } from "../../ffi/libc/cell.ts";
import type { OpenSsl } from "../../ffi/libssl/mod.ts";
import * as raw from "../sys/raw/mod.ts";
import { HostTable } from "./certificate/certificate_names.ts";
import { type ClientHello, MOST_HELLO_BYTES } from "./client_hello.ts";
import { calls } from "./library.ts";
import { SharedInput, SharedOutput, type TlsMemory } from "./records/memory.ts";
import { keyName } from "./ticket_keys.ts";
import { SocketLevel, TcpOption } from "../sys/flags/socket.ts";

/** The contexts that a thread chooses from; plain data, to be sent to the thread. */
export interface ContextTable {
  /** The first entry is for clients that request no host, or an unknown one. */
  readonly entries: readonly ContextEntry[];
  /** Name of the previous ticket key, in hexadecimal; `""` for none. */
  readonly previousKey: string;
  /** Whether clients are asked for certificates. */
  readonly asksClients: boolean;
}

/**
 * The contexts for a set of host names. Addresses of OpenSSL's objects are valid in the whole
 * process.
 */
export interface ContextEntry {
  readonly names: readonly string[];
  /** `SSL_CTX` */
  readonly context: bigint;
  /** The same with the previous ticket key; 0 for none. */
  readonly previous: bigint;
  /** OCSP response to staple: address and length in bytes; 0 for none. */
  readonly ocsp: bigint;
  readonly ocspBytes: number;
}

/** Objects of OpenSSL for one connection. */
export interface Opened {
  /** `SSL`, which owns the output. */
  readonly ssl: bigint;
  /** Socket BIO for bytes to send. */
  readonly output: bigint;
}

/** Room for four records of a file, and for two ClientHellos of maximum length. */
const BUFFER_BYTES = 4 * MOST_HELLO_BYTES;

/** The BIO does not close the socket. */
const BIO_NOCLOSE = 0;
const SSL_CTRL_SET_TLSEXT_STATUS_REQ_OCSP_RESP = 71;

/** Creates the TLS side of accepted connections. */
export class TlsAcceptor implements TlsMemory {
  /** The functions of OpenSSL. */
  readonly calls: OpenSsl = calls();
  /** Memory that connections use between two waits. */
  readonly buffer: Cell = new Cell(BUFFER_BYTES);
  /** What OpenSSL reads from. */
  readonly input: SharedInput = new SharedInput(this.calls, this.buffer);
  /** What OpenSSL writes batches to. */
  readonly output: SharedOutput = new SharedOutput(this.calls);
  #hosts: HostTable<ContextEntry>;
  #previousKey: string;
  #asksClients: boolean;

  /** Chooses from `table`, whose contexts must live until another table is set. */
  constructor(table: ContextTable) {
    this.#hosts = hostsOf(table);
    this.#previousKey = table.previousKey;
    this.#asksClients = table.asksClients;
  }

  /** See `TlsMemory`. */
  get asksClients(): boolean {
    return this.#asksClients;
  }

  /** Uses another table from now on; existing connections are not affected. */
  update(table: ContextTable): void {
    this.#hosts = hostsOf(table);
    this.#previousKey = table.previousKey;
    this.#asksClients = table.asksClients;
  }

  /** Creates the `SSL` for a connection whose ClientHello was parsed; `null` if memory runs out. */
  open(fd: number, hello: ClientHello): Opened | null {
    const entry = this.#hosts.find(hello.serverName);
    const opened = openConnection(this, this.#contextOf(entry, hello), fd);
    if (opened === null) return null;
    this.calls.SSL_set_accept_state(opened.ssl);
    if (hello.wantsStatus && entry.ocsp !== 0n) this.#staple(opened.ssl, entry);
    // A response must not wait for the acknowledgement of the session tickets before it.
    raw.setsockopt(fd, SocketLevel.TCP, TcpOption.NODELAY, 1);
    return opened;
  }

  /** Frees its memory; its connections keep what they need. Call once. */
  close(): void {
    this.input.close();
    this.output.close();
  }

  #contextOf({ context, previous }: ContextEntry, { ticketKeys }: ClientHello): bigint {
    if (previous === 0n) return context;
    return ticketKeys.some((ticket) => keyName(ticket) === this.#previousKey) ? previous : context;
  }

  #staple(connection: bigint, { ocsp, ocspBytes }: ContextEntry): void {
    const ssl = this.calls;
    // OpenSSL frees it with the connection.
    const copy = BigInt(ssl.CRYPTO_memdup(ocsp, BigInt(ocspBytes), 0n, 0));
    if (copy === 0n) return;
    const command = SSL_CTRL_SET_TLSEXT_STATUS_REQ_OCSP_RESP;
    ssl.SSL_ctrl(connection, command, BigInt(ocspBytes), copy);
  }
}

/** Creates the objects for a connection on `fd`, which is borrowed; `null` if memory runs out. */
export function openConnection(
  { calls: ssl, input: { bio } }: TlsMemory,
  context: bigint,
  fd: number,
): Opened | null {
  const connection = bio === 0n ? 0n : BigInt(ssl.SSL_new(context));
  if (connection === 0n) return null;
  const output = BigInt(ssl.BIO_new_socket(fd, BIO_NOCLOSE));
  if (output === 0n) {
    ssl.SSL_free(connection);
    return null;
  }
  // SSL_set_bio() takes over a reference.
  ssl.BIO_up_ref(bio);
  ssl.SSL_set_bio(connection, bio, output);
  return { ssl: connection, output };
}

function hostsOf({ entries }: ContextTable): HostTable<ContextEntry> {
  return new HostTable(entries.map((entry) => ({ names: entry.names, value: entry })));
}
