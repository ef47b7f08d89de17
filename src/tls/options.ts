/** Checks the option `tls`. @module */

import { isBytes } from "../bytes.ts";
import { describe, wholeNumber } from "../options.ts";
import type { VersionName } from "./context.ts";
import { type Pem, pemOf, type PemSource } from "./certificate/pem_source.ts";

export type { PemSource } from "./certificate/pem_source.ts";

/** A certificate and its private key. */
export interface TlsCertificate {
  /**
   * The certificate, followed by those of its issuers: a path, a `file:` URL, or the PEM text
   * itself. You can pass several, with as many keys, for the same hosts: for example, an ECDSA and
   * an RSA certificate.
   */
  cert: PemSource | readonly PemSource[];
  /** The private key, in the same forms. Files are read by OpenSSL and never enter JavaScript. */
  key: PemSource | readonly PemSource[];
  /** Passphrase of an encrypted key. */
  passphrase?: string | Uint8Array | undefined;
  /** File with the OCSP response to staple, as DER. The file is read again by `reload()`. */
  ocsp?: string | URL | undefined;
}

/** Options for HTTPS. */
export interface TlsOptions extends TlsCertificate {
  /**
   * Certificates for further hosts. A client gets the one whose names include the requested host
   * (SNI), wildcards included; otherwise the one above.
   */
  hosts?: readonly TlsCertificate[] | undefined;
  /** Minimum TLS version. @default {"TLSv1.2"} */
  minVersion?: "TLSv1.2" | "TLSv1.3" | undefined;
  /** Maximum TLS version. @default {"TLSv1.3"} */
  maxVersion?: "TLSv1.2" | "TLSv1.3" | undefined;
  /**
   * Ciphers by OpenSSL's names, separated by colons. Names that start with `TLS_` are for TLS 1.3,
   * the others for TLS 1.2. A version without names keeps its defaults: AEAD and forward secrecy
   * only.
   */
  ciphers?: string | undefined;
  /** Certificates of the authorities that sign client certificates. */
  ca?: PemSource | undefined;
  /** Whether to ask clients for a certificate. @default {true if `ca` is given} */
  requestCert?: boolean | undefined;
  /** Whether to refuse a client that is asked for a certificate and has none. @default {true} */
  rejectUnauthorized?: boolean | undefined;
  /** Whether clients may resume sessions by tickets. @default {true} */
  tickets?: boolean | undefined;
  /**
   * How long a ticket is valid, in seconds. The key that encrypts tickets is replaced after the
   * same time, and the previous key stays valid for one more period. @default {43200}
   */
  ticketSeconds?: number | undefined;
  /** Time for the handshake, in milliseconds. @default {10000} */
  handshakeMs?: number | undefined;
  /** Whether to use kernel TLS if the kernel and the library support it. @default {true} */
  kernelTls?: boolean | undefined;
  /**
   * Sends Strict-Transport-Security (RFC 6797) with every response that does not set it itself, so that
   * browsers use `https:` only. A number is the time in seconds; `true` means two years; an object
   * sets `maxAge` in seconds, and more.
   *
   * @default {false}
   */
  hsts?: boolean | number | HstsOptions | undefined;
  /** Another port, which redirects HTTP requests to this server. */
  redirectPort?: number | undefined;
}

/** Parameters of Strict-Transport-Security. */
export interface HstsOptions {
  /** Time in seconds. */
  maxAge: number;
  /** Whether it applies to subdomains too. @default {false} */
  includeSubDomains?: boolean | undefined;
  /** Whether browsers may add the host to their preload lists. @default {false} */
  preload?: boolean | undefined;
}

/** A checked certificate with its key. */
export interface PemPair {
  readonly cert: Pem;
  readonly key: Pem;
  readonly passphrase: Uint8Array | null;
}

/** The checked certificates for one set of hosts. */
export interface HostConfig {
  readonly pairs: readonly PemPair[];
  readonly ocsp: Pem | null;
}

/** Checked {@linkcode TlsOptions} with all defaults filled in. */
export interface TlsConfig {
  readonly hosts: readonly HostConfig[];
  readonly minVersion: VersionName;
  readonly maxVersion: VersionName;
  readonly ciphers: string | null;
  readonly suites: string | null;
  readonly ca: Pem | null;
  readonly requireCert: boolean;
  readonly tickets: boolean;
  readonly ticketSeconds: number;
  readonly handshakeMs: number;
  readonly kernelTls: boolean;
  /** Value of Strict-Transport-Security; `""` for none. */
  readonly hsts: string;
  /** 0 for none. */
  readonly redirectPort: number;
}

const ACTION = "serve HTTPS";
/** One week, the limit of RFC 8446, 4.6.1. */
const MOST_TICKET_SECONDS = 604_800;
const MOST_MS = 86_400_000;
const encoder = new TextEncoder();

/**
 * Checks the option. Opens no file.
 *
 * @throws {TypeError} When a value has the wrong type.
 * @throws {RangeError} When a number is out of range.
 */
export function configureTls(options: TlsOptions): TlsConfig {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot ${ACTION}: tls must be an object, not ${describe(options)}`);
  }
  const { ca, hosts = [] } = options;
  if (!Array.isArray(hosts)) {
    throw new TypeError(`Cannot ${ACTION}: tls.hosts must be an array, not ${describe(hosts)}`);
  }
  const requestCert = flag(options.requestCert, "requestCert", ca !== undefined);
  if (requestCert && ca === undefined) {
    throw new TypeError(
      `Cannot ${ACTION}: tls.requestCert needs tls.ca, who signs the certificates`,
    );
  }
  const minVersion = versionOf(options.minVersion ?? "TLSv1.2", "minVersion");
  const maxVersion = versionOf(options.maxVersion ?? "TLSv1.3", "maxVersion");
  if (minVersion > maxVersion) {
    throw new RangeError(`Cannot ${ACTION}: tls.minVersion is ${minVersion}, above tls.maxVersion`);
  }
  return {
    hosts: [hostOf(options, "tls"), ...hosts.map((host, i) => hostOf(host, `tls.hosts[${i}]`))],
    minVersion,
    maxVersion,
    ...ciphersOf(options.ciphers),
    ca: requestCert ? pemOf(ca, "certificate authority", "tls.ca") : null,
    requireCert: flag(options.rejectUnauthorized, "rejectUnauthorized", true),
    tickets: flag(options.tickets, "tickets", true),
    ticketSeconds: number(options.ticketSeconds ?? 43_200, "ticketSeconds", MOST_TICKET_SECONDS),
    handshakeMs: number(options.handshakeMs ?? 10_000, "handshakeMs", MOST_MS),
    kernelTls: flag(options.kernelTls, "kernelTls", true),
    hsts: hstsOf(options.hsts ?? false),
    redirectPort: options.redirectPort === undefined
      ? 0
      : number(options.redirectPort, "redirectPort", 65_535),
  };
}

function hostOf(options: TlsCertificate, name: string): HostConfig {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot ${ACTION}: ${name} must be an object, not ${describe(options)}`);
  }
  const { ocsp } = options;
  const certs = listOf(options.cert);
  const keys = listOf(options.key);
  if (certs.length !== keys.length || certs.length === 0) {
    throw new TypeError(
      `Cannot ${ACTION}: ${name} has ${certs.length} certificates and ${keys.length} private keys`,
    );
  }
  const passphrase = passphraseOf(options.passphrase, `${name}.passphrase`);
  return {
    pairs: certs.map((cert, i) => ({
      cert: pemOf(cert, "certificate", `${name}.cert`),
      key: pemOf(keys[i], "private key", `${name}.key`),
      passphrase,
    })),
    ocsp: ocsp === undefined ? null : pemOf(ocsp, "OCSP response", `${name}.ocsp`),
  };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

function passphraseOf(value: unknown, name: string): Uint8Array | null {
  if (value === undefined) return null;
  if (typeof value === "string") return encoder.encode(value);
  if (isBytes(value)) return value;
  throw new TypeError(`Cannot ${ACTION}: ${name} must be a string or bytes`);
}

function ciphersOf(value: unknown): { ciphers: string | null; suites: string | null } {
  if (value === undefined) return { ciphers: null, suites: null };
  if (typeof value !== "string" || !/^[\w!@=+:.-]+$/.test(value)) {
    throw new TypeError(
      `Cannot ${ACTION}: tls.ciphers must be a list of names, separated by colons`,
    );
  }
  const names = value.split(":").filter((name) => name !== "");
  const joined = (some: string[]) => some.length === 0 ? null : some.join(":");
  return {
    ciphers: joined(names.filter((name) => !name.startsWith("TLS_"))),
    suites: joined(names.filter((name) => name.startsWith("TLS_"))),
  };
}

/** Two years: more than browsers require for their preload lists. */
const HSTS_SECONDS = 63_072_000;

function hstsOf(value: unknown): string {
  if (value === false) return "";
  if (value === true) return `max-age=${HSTS_SECONDS}`;
  const given = typeof value === "number" ? { maxAge: value } : value as HstsOptions;
  if (typeof given !== "object" || given === null) {
    throw new TypeError(`Cannot ${ACTION}: tls.hsts must be an object, not ${describe(value)}`);
  }
  wholeNumber(given.maxAge, "tls.hsts.maxAge", ACTION);
  if (given.maxAge < 0) throw new RangeError(`Cannot ${ACTION}: tls.hsts.maxAge is negative`);
  const subdomains = flag(given.includeSubDomains, "hsts.includeSubDomains", false);
  const preload = flag(given.preload, "hsts.preload", false);
  return `max-age=${given.maxAge}${subdomains ? "; includeSubDomains" : ""}${
    preload ? "; preload" : ""
  }`;
}

function versionOf(value: unknown, name: string): VersionName {
  if (value === "TLSv1.2" || value === "TLSv1.3") return value;
  throw new TypeError(
    `Cannot ${ACTION}: tls.${name} must be "TLSv1.2" or "TLSv1.3", not ${describe(value)}`,
  );
}

function flag(value: unknown, name: string, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  if (typeof value === "boolean") return value;
  throw new TypeError(
    `Cannot ${ACTION}: tls.${name} must be true or false, not ${describe(value)}`,
  );
}

function number(value: number, name: string, most: number): number {
  wholeNumber(value, `tls.${name}`, ACTION);
  if (value >= 1 && value <= most) return value;
  throw new RangeError(`Cannot ${ACTION}: tls.${name} is ${value}, but must be in 1..${most}`);
}
