/** Certificates for the runtime's own HTTPS server, without OpenSSL. @module */

import type { SecureContextOptions } from "node:tls";
import { builtin } from "../builtins.ts";
import type { PemPair, TlsConfig } from "./options.ts";
import { type Pem, unusable } from "./certificate/pem_source.ts";
import { certificateNames } from "./certificate/certificate_names.ts";

/** Settings of the runtime's server. */
export interface PortableTls {
  /** Options of `https.createServer()`. */
  readonly options: SecureContextOptions & {
    readonly ALPNProtocols: string[];
    readonly requestCert: boolean;
    readonly rejectUnauthorized: boolean;
    readonly handshakeTimeout: number;
  };
  /** Host names of the main certificate. */
  readonly names: readonly string[];
  /** Further certificates, with their host names. */
  readonly hosts: readonly {
    readonly names: readonly string[];
    readonly context: SecureContextOptions;
  }[];
}

/**
 * Reads and checks the files, with the same checks as OpenSSL, by the runtime's own cryptography.
 *
 * OCSP responses are not stapled, and tickets use the runtime's own keys.
 *
 * @throws {CertificateError} Names the file and the problem.
 */
export function portableTls(config: TlsConfig, now: number = Date.now()): PortableTls {
  const { ca, ciphers, handshakeMs, maxVersion, minVersion, requireCert, suites } = config;
  const chosen = [suites, ciphers].filter((names) => names !== null).join(":");
  const shared: SecureContextOptions = {
    minVersion,
    maxVersion,
    ...(chosen !== "" && { ciphers: chosen }),
    ...(ca !== null && { ca: authoritiesOf(ca) }),
  };
  const [main, ...others] = config.hosts.map(({ pairs }) => pairs.map((pair) => load(pair, now)));
  const contextOf = (host: typeof main): SecureContextOptions => ({
    ...shared,
    cert: host!.map(({ cert }) => cert),
    key: host!.map(({ key, passphrase }) =>
      passphrase === undefined ? key : { pem: key, passphrase }
    )
      .map((key) => key as string),
  });
  return {
    options: {
      ...contextOf(main),
      ALPNProtocols: ["http/1.1"],
      requestCert: ca !== null,
      rejectUnauthorized: ca !== null && requireCert,
      handshakeTimeout: handshakeMs,
    },
    names: main!.flatMap(({ names }) => names),
    hosts: others.map((host) => ({
      names: host.flatMap(({ names }) => names),
      context: contextOf(host),
    })),
  };
}

interface Loaded {
  readonly cert: string;
  readonly key: string;
  readonly passphrase: string | undefined;
  readonly names: readonly string[];
}

function load({ cert, key, passphrase }: PemPair, now: number): Loaded {
  const { X509Certificate, createPrivateKey } = builtin("crypto");
  const certText = textOf(cert);
  if (!certText.includes("-----BEGIN CERTIFICATE-----")) {
    throw unusable(cert, "it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  }
  const certificate = attempt(cert, "it is malformed", () => new X509Certificate(certText));
  const until = Date.parse(certificate.validTo);
  if (now > until) throw unusable(cert, `it expired on ${iso(until)}`);
  const from = Date.parse(certificate.validFrom);
  if (now < from) throw unusable(cert, `it is not valid before ${iso(from)}`);
  const keyText = textOf(key);
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(keyText)) {
    throw unusable(key, "it holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)");
  }
  if (/ENCRYPTED/.test(keyText) && passphrase === null) {
    throw unusable(key, "it is encrypted, and no passphrase is given (tls.passphrase)");
  }
  const word = passphrase === null ? undefined : new TextDecoder().decode(passphrase);
  const fault = word === undefined ? "it is malformed" : "its passphrase is wrong";
  const own = attempt(
    key,
    fault,
    () => createPrivateKey({ key: keyText, ...(word !== undefined && { passphrase: word }) }),
  );
  if (!certificate.checkPrivateKey(own)) {
    throw unusable(key, `it does not belong to the certificate ${cert.label}`);
  }
  const names = certificateNames(new Uint8Array(certificate.raw));
  return { cert: certText, key: keyText, passphrase: word, names };
}

function attempt<T>(pem: Pem, reason: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw unusable(pem, reason, cause);
  }
}

/**
 * Returns the text of a source with certificates of authorities.
 *
 * @throws {CertificateError} When it holds none, or one is malformed.
 */
export function authoritiesOf(pem: Pem): string {
  const { X509Certificate } = builtin("crypto");
  const text = textOf(pem);
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  if (blocks === null) {
    throw unusable(pem, "it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  }
  for (const block of blocks) attempt(pem, "it is malformed", () => new X509Certificate(block));
  return text;
}

function textOf(pem: Pem): string {
  try {
    return new TextDecoder().decode(pem.bytes ?? builtin("fs").readFileSync(pem.path!));
  } catch (cause) {
    const { message } = cause as Error;
    throw unusable(pem, message.replace(/, \w+ '.*$/s, "").split("\n", 1)[0]!, cause);
  }
}

function iso(time: number): string {
  return new Date(time).toISOString().replace(/\.\d+/, "");
}
