/** Loads and checks a certificate, its chain and its key before a server listens. @module */

import { addressOf } from "../../../ffi/libc/mod.ts";
import { Cell } from "../../../ffi/libc/cell.ts";
import { certificateNames } from "./certificate_names.ts";
import { calls, openssl } from "../library.ts";
import { Lib, takeErrors } from "../openssl_errors.ts";
import { type Pem, unusable, withBio } from "./pem_source.ts";

const encoder = new TextEncoder();
const NO_PASSPHRASE = new Uint8Array(1);

/** `PEM_R_NO_START_LINE`: no further block of this kind. */
const NO_START_LINE = 108;

/** Enough bytes for `struct tm`. */
const TM_BYTES = 64;

/** `X509` objects that are freed together. */
export class Certificates {
  /** Addresses, in the order of the file. */
  readonly addresses: readonly bigint[];

  constructor(addresses: readonly bigint[]) {
    this.addresses = addresses;
  }

  /** Frees the memory. Contexts that use the certificates keep them. */
  free(): void {
    for (const address of this.addresses) calls().X509_free(address);
  }
}

/** A usable certificate. Owns memory of OpenSSL. */
export interface Credential {
  /** The server's own certificate, followed by those of its issuers. */
  readonly certificates: Certificates;
  /** `EVP_PKEY` */
  readonly key: bigint;
  /** Kind of the key by OpenSSL's name, such as `"RSA"` or `"EC"`. */
  readonly keyType: string;
  /** Host names of the certificate. */
  readonly names: readonly string[];
  /** The server's own certificate, as DER. */
  readonly der: Uint8Array;
  /** When the certificate expires, in milliseconds since the epoch. */
  readonly notAfter: number;
  /** Frees the memory. Contexts that use the credential keep what they need. */
  free(): void;
}

/** Sources of a credential. */
export interface CredentialSource {
  readonly cert: Pem;
  readonly key: Pem;
  /** Passphrase of the key; `null` for none. */
  readonly passphrase: Uint8Array | null;
}

/**
 * Loads a credential and checks that both files are readable, that the key belongs to the
 * certificate, and that the certificate is currently valid.
 *
 * @throws {CertificateError} Names the file and the problem.
 */
export function loadCredential(source: CredentialSource, now: number = Date.now()): Credential {
  const { cert, key: keyPem, passphrase } = source;
  const certificates = loadCertificates(cert);
  let key = 0n;
  const free = () => {
    certificates.free();
    if (key !== 0n) calls().EVP_PKEY_free(key);
  };
  try {
    const own = certificates.addresses[0]!;
    const notAfter = checkDates(cert, own, now);
    key = loadKey(keyPem, passphrase);
    checkPair(cert, keyPem, certificates, key);
    const der = derOf(own);
    return {
      certificates,
      key,
      keyType: typeOf(key),
      names: certificateNames(der),
      der,
      notAfter,
      free,
    };
  } catch (error) {
    free();
    throw error;
  }
}

/**
 * Loads every certificate of a PEM file.
 *
 * @throws {CertificateError} When there is none, or one is malformed.
 */
export function loadCertificates(pem: Pem): Certificates {
  const ssl = calls();
  const addresses: bigint[] = [];
  ssl.ERR_clear_error();
  withBio(pem, (bio) => {
    for (;;) {
      const address = BigInt(ssl.PEM_read_bio_X509(bio, 0n, 0n, NO_PASSPHRASE));
      if (address === 0n) break;
      addresses.push(address);
    }
  });
  const certificates = new Certificates(addresses);
  const error = takeErrors().find(({ lib, reason }) => lib !== Lib.PEM || reason !== NO_START_LINE);
  if (addresses.length > 0 && error === undefined) return certificates;
  certificates.free();
  throw unusable(
    pem,
    error === undefined
      ? "it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
      : `it is malformed (${error.text})`,
  );
}

function checkDates(pem: Pem, certificate: bigint, now: number): number {
  const ssl = calls();
  const notBefore = timeOf(BigInt(ssl.X509_get0_notBefore(certificate)));
  const notAfter = timeOf(BigInt(ssl.X509_get0_notAfter(certificate)));
  if (now > notAfter) throw unusable(pem, `it expired on ${iso(notAfter)}`);
  if (now < notBefore) throw unusable(pem, `it is not valid before ${iso(notBefore)}`);
  return notAfter;
}

function iso(time: number): string {
  return new Date(time).toISOString().replace(/\.\d+/, "");
}

/** Milliseconds since the epoch. */
function timeOf(address: bigint): number {
  const tm = new Uint8Array(TM_BYTES);
  if (calls().ASN1_TIME_to_tm(address, tm) !== 1) return NaN;
  const [seconds, minutes, hours, day, month, year] = new Int32Array(tm.buffer);
  return Date.UTC(year! + 1900, month!, day!, hours!, minutes!, seconds!);
}

function loadKey(pem: Pem, passphrase: Uint8Array | null): bigint {
  const ssl = calls();
  // Without a passphrase, OpenSSL would ask on the terminal.
  const word = passphrase === null ? NO_PASSPHRASE : new Uint8Array(passphrase.length + 1);
  if (passphrase !== null) word.set(passphrase);
  ssl.ERR_clear_error();
  try {
    const read = (bio: bigint) => BigInt(ssl.PEM_read_bio_PrivateKey(bio, 0n, 0n, word));
    const key = withBio(pem, read);
    if (key !== 0n) return key;
  } finally {
    word.fill(0);
  }
  const [error] = takeErrors();
  throw unusable(pem, keyFault(pem, passphrase !== null, error?.text ?? "no reason given"));
}

/** Finds out why there is no key, by reading the file again; it is not a pipe then. */
function keyFault(pem: Pem, hasPassphrase: boolean, text: string): string {
  const blocks = blocksOf(pem);
  const block = blocks.find(({ name }) => name.endsWith("PRIVATE KEY"));
  if (block === undefined) {
    const others = blocks.map(({ name }) => name.toLowerCase());
    const found = others.length > 0 ? `; it holds: ${others.join(", ")}` : "";
    return `it holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)${found}`;
  }
  if (!block.encrypted) return `it is malformed (${text})`;
  return hasPassphrase
    ? "its passphrase is wrong"
    : "it is encrypted, and no passphrase is given (tls.passphrase)";
}

/** The PEM blocks of a source, by name. */
function blocksOf(pem: Pem): { name: string; encrypted: boolean }[] {
  const ssl = calls();
  const out = new Cell(4 * 8);
  const blocks: { name: string; encrypted: boolean }[] = [];
  withBio(pem, (bio) => {
    const { address, view } = out;
    while (ssl.PEM_read_bio(bio, address, address + 8n, address + 16n, address + 24n) === 1) {
      const name = view.getBigUint64(0, true);
      const header = view.getBigUint64(8, true);
      const text = openssl().text(name);
      blocks.push({ name: text, encrypted: /ENCRYPTED/.test(`${text} ${openssl().text(header)}`) });
      ssl.CRYPTO_free(name, 0n, 0);
      ssl.CRYPTO_free(header, 0n, 0);
      ssl.CRYPTO_clear_free(view.getBigUint64(16, true), view.getBigUint64(24, true), 0n, 0);
    }
  });
  ssl.ERR_clear_error();
  return blocks;
}

function checkPair(cert: Pem, keyPem: Pem, { addresses }: Certificates, key: bigint): void {
  const ssl = calls();
  if (ssl.X509_check_private_key(addresses[0]!, key) === 1) return;
  const place = addresses.findIndex((other) => ssl.X509_check_private_key(other, key) === 1);
  ssl.ERR_clear_error();
  if (place > 0) {
    throw unusable(cert, `the server's own certificate must come first; it is number ${place + 1}`);
  }
  throw unusable(keyPem, `it does not belong to the certificate ${cert.label}`);
}

const KEY_TYPES = ["RSA", "EC", "ED25519", "ED448", "RSA-PSS"];

function typeOf(key: bigint): string {
  const is = (name: string) => calls().EVP_PKEY_is_a(key, encoder.encode(`${name}\0`)) === 1;
  return KEY_TYPES.find(is) ?? "unknown";
}

/** The certificate as DER. */
export function derOf(certificate: bigint): Uint8Array {
  const ssl = calls();
  const length = ssl.i2d_X509(certificate, 0n);
  const target = new Uint8Array(length);
  const pointer = new Cell(8);
  pointer.view.setBigUint64(0, addressOf(target), true);
  ssl.i2d_X509(certificate, pointer.address);
  return target;
}
