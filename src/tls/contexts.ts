/**
 * All contexts of a server: created by the thread that starts it, used by the serving threads.
 * @module
 */

import { addressOf } from "../../ffi/libc/mod.ts";
import { builtin } from "../builtins.ts";
import type { ContextEntry, ContextTable } from "./acceptor.ts";
import { freeContext, makeContext } from "./context.ts";
import {
  type Certificates,
  type Credential,
  loadCertificates,
  loadCredential,
} from "./certificate/credential.ts";
import { calls } from "./library.ts";
import type { HostConfig, TlsConfig } from "./options.ts";
import { type Pem, unusable } from "./certificate/pem_source.ts";
import { TicketKey } from "./ticket_keys.ts";

/** Maximum size of an OCSP response in bytes: it is sent with each handshake. */
const MOST_OCSP_BYTES = 64 * 1024;

/** The loaded certificates for one set of hosts. */
interface Host {
  readonly credentials: readonly Credential[];
  readonly names: readonly string[];
  readonly ocsp: Uint8Array | null;
}

/** A certificate in use. */
export interface CertificateInfo {
  readonly names: readonly string[];
  readonly keyType: string;
  /** When it expires, in milliseconds since the epoch. */
  readonly notAfter: number;
}

/**
 * The contexts that threads choose from, and the loaded files. Each change creates a new table;
 * free the previous one when no thread uses it any more.
 */
export class TlsContexts {
  readonly #config: TlsConfig;
  readonly #kernelTls: boolean;
  #hosts: readonly Host[];
  #clients: Certificates | null;
  #key: TicketKey | null;
  #previousKey: TicketKey | null = null;
  #table: ContextTable;

  /**
   * Loads and checks every file, and creates the contexts.
   *
   * @param kernelTls Whether the kernel can encrypt.
   *
   * @throws {CertificateError} Names the file and the problem.
   * @throws {UnsupportedError} Without OpenSSL.
   */
  constructor(config: TlsConfig, kernelTls: boolean) {
    this.#config = config;
    this.#kernelTls = kernelTls && config.kernelTls;
    this.#hosts = loadHosts(config.hosts);
    this.#clients = null;
    this.#key = null;
    try {
      if (config.ca !== null) this.#clients = loadCertificates(config.ca);
      if (config.tickets) this.#key = new TicketKey();
      this.#table = this.#make();
    } catch (error) {
      this.#freeLoaded(this.#hosts, this.#clients);
      this.#key?.free();
      throw error;
    }
  }

  /** The current table. */
  get table(): ContextTable {
    return this.#table;
  }

  /** The certificates in use. */
  get certificates(): CertificateInfo[] {
    return this.#hosts.flatMap(({ credentials }) =>
      credentials.map(({ keyType, names, notAfter }) => ({ names, keyType, notAfter }))
    );
  }

  /**
   * Reloads every file. If one is invalid, nothing changes.
   *
   * @returns The previous table, to be freed by {@linkcode freeTable}.
   * @throws {CertificateError} As the constructor.
   */
  reload(): ContextTable {
    const hosts = loadHosts(this.#config.hosts);
    const { ca } = this.#config;
    const before = [this.#hosts, this.#clients] as const;
    let clients: Certificates | null = null;
    try {
      clients = ca === null ? null : loadCertificates(ca);
      this.#hosts = hosts;
      this.#clients = clients;
      const old = this.#replace();
      this.#freeLoaded(...before);
      return old;
    } catch (error) {
      [this.#hosts, this.#clients] = before;
      this.#freeLoaded(hosts, clients);
      throw error;
    }
  }

  /**
   * Replaces the ticket key; returns the previous table. Tickets of the previous key stay valid.
   */
  rotate(): ContextTable {
    const before = [this.#previousKey, this.#key] as const;
    const key = new TicketKey();
    try {
      [this.#previousKey, this.#key] = [this.#key, key];
      const old = this.#replace();
      before[0]?.free();
      return old;
    } catch (error) {
      [this.#previousKey, this.#key] = before;
      key.free();
      throw error;
    }
  }

  /** Frees everything; no thread may accept connections any more. */
  close(): void {
    freeTable(this.#table);
    this.#table = { entries: [], previousKey: "", asksClients: false };
    this.#freeLoaded(this.#hosts, this.#clients);
    this.#hosts = [];
    this.#clients = null;
    this.#key?.free();
    this.#previousKey?.free();
  }

  #replace(): ContextTable {
    const old = this.#table;
    this.#table = this.#make();
    return old;
  }

  #make(): ContextTable {
    const entries: ContextEntry[] = [];
    const previousKey = this.#previousKey?.name ?? "";
    try {
      for (const host of this.#hosts) entries.push(this.#entry(host));
    } catch (error) {
      freeTable({ entries });
      throw error;
    }
    return { entries, previousKey, asksClients: this.#clients !== null };
  }

  #entry({ credentials, names, ocsp }: Host): ContextEntry {
    const { ciphers, maxVersion, minVersion, requireCert, suites, ticketSeconds } = this.#config;
    const clients = this.#clients && { authorities: this.#clients, required: requireCert };
    const make = (ticketKey: TicketKey | null, issues: boolean) =>
      makeContext({
        credentials,
        minVersion,
        maxVersion,
        ciphers,
        suites,
        clients,
        ticketKey,
        issuesTickets: issues,
        sessionSeconds: ticketSeconds,
        kernelTls: this.#kernelTls,
      });
    const context = make(this.#key, true);
    try {
      const previous = this.#previousKey === null ? 0n : make(this.#previousKey, false);
      return { names, context, previous, ocsp: duplicate(ocsp), ocspBytes: ocsp?.length ?? 0 };
    } catch (error) {
      freeContext(context);
      throw error;
    }
  }

  #freeLoaded(hosts: readonly Host[], clients: Certificates | null): void {
    for (const { credentials } of hosts) credentials.forEach((credential) => credential.free());
    clients?.free();
  }
}

/** Frees the contexts of a table; contexts in use live until their connections end. */
export function freeTable({ entries }: Pick<ContextTable, "entries">): void {
  const ssl = calls();
  for (const { context, ocsp, previous } of entries) {
    freeContext(context);
    if (previous !== 0n) freeContext(previous);
    if (ocsp !== 0n) ssl.CRYPTO_free(ocsp, 0n, 0);
  }
}

function loadHosts(configs: readonly HostConfig[]): Host[] {
  const hosts: Host[] = [];
  const credentials: Credential[] = [];
  try {
    for (const { ocsp, pairs } of configs) {
      const own = pairs.map((pair) => {
        const credential = loadCredential(pair);
        credentials.push(credential);
        return credential;
      });
      const names = [...new Set(own.flatMap((credential) => credential.names))];
      hosts.push({ credentials: own, names, ocsp: ocsp && readOcsp(ocsp) });
    }
    return hosts;
  } catch (error) {
    for (const credential of credentials) credential.free();
    throw error;
  }
}

/**
 * OCSPResponse is a SEQUENCE that starts with an ENUMERATED of 0, "successful": RFC 6960, 4.2.1.
 */
function readOcsp(pem: Pem): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = pem.bytes ?? new Uint8Array(builtin("fs").readFileSync(pem.path!));
  } catch (cause) {
    throw unusable(pem, (cause as Error).message.split("\n", 1)[0]!, cause);
  }
  if (bytes.length > MOST_OCSP_BYTES) throw unusable(pem, `it has ${bytes.length} bytes`);
  const at = bytes[1]! < 0x80 ? 2 : 2 + (bytes[1]! & 0x7f);
  if (bytes[0] !== 0x30 || bytes[at] !== 0x0a) {
    throw unusable(pem, "it is not an OCSP response in DER");
  }
  if (bytes[at + 2] !== 0) throw unusable(pem, "the responder did not answer the request");
  return bytes;
}

function duplicate(bytes: Uint8Array | null): bigint {
  return bytes === null
    ? 0n
    : BigInt(calls().CRYPTO_memdup(addressOf(bytes), BigInt(bytes.length), 0n, 0));
}
