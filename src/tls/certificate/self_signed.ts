/** Creates self-signed certificates for development: X.509 version 3, ECDSA on P-256. @module */

import { builtin } from "../../builtins.ts";
import { parseIpv4, parseIpv6 } from "../../sys/net/ip.ts";
import { der, oid, Tag } from "./der.ts";

/** A certificate and its key, as PEM. */
export interface SelfSigned {
  readonly cert: string;
  readonly key: string;
}

const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";
const COMMON_NAME = "2.5.4.3";
const ORGANISATION = "2.5.4.10";
const KEY_USAGE = "2.5.29.15";
const SUBJECT_ALT_NAME = "2.5.29.17";
const BASIC_CONSTRAINTS = "2.5.29.19";
const EXTENDED_KEY_USAGE = "2.5.29.37";
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";

/** Tags of this context: RFC 5280, 4.1 and 4.2.1.6. */
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
const DNS_NAME = 0x82;
const IP_ADDRESS = 0x87;

const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
/** First year that UTCTime cannot represent. */
const UTC_TIME_END = 2050;

const DAY_MS = 86_400_000;
const encoder = new TextEncoder();

/**
 * Creates a key and a certificate for host names and addresses.
 *
 * Uses the runtime's own cryptography, so it works without OpenSSL.
 *
 * @param names Host names, and numeric addresses; at least one.
 * @param days Validity in days. It starts an hour ago, because clocks differ.
 */
export function selfSigned(
  names: readonly string[],
  days: number,
  now: number = Date.now(),
): SelfSigned {
  const { generateKeyPairSync, sign } = builtin("crypto");
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = der(Tag.SEQUENCE, oid(ECDSA_WITH_SHA256));
  const body = der(
    Tag.SEQUENCE,
    der(VERSION, der(Tag.INTEGER, Uint8Array.of(2))),
    der(Tag.INTEGER, serialNumber()),
    algorithm,
    distinguishedName(names[0]!),
    der(Tag.SEQUENCE, time(now - DAY_MS / 24), time(now + days * DAY_MS)),
    distinguishedName(names[0]!),
    new Uint8Array(publicKey.export({ type: "spki", format: "der" })),
    der(EXTENSIONS, extensions(names)),
  );
  const signature = new Uint8Array(sign("sha256", body, privateKey));
  const bits = der(Tag.BIT_STRING, Uint8Array.of(0), signature);
  return {
    cert: pem("CERTIFICATE", der(Tag.SEQUENCE, body, algorithm, bits)),
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}

/** 16 random bytes that form a positive number: RFC 5280, 4.1.2.2. */
function serialNumber(): Uint8Array {
  const bytes = new Uint8Array(builtin("crypto").randomBytes(16));
  // Neither negative, nor with leading zeros.
  bytes[0] = bytes[0]! & 0x7f | 0x40;
  return bytes;
}

function distinguishedName(name: string): Uint8Array {
  const attribute = (type: string, value: string) =>
    der(Tag.SET, der(Tag.SEQUENCE, oid(type), der(Tag.UTF8, encoder.encode(value))));
  return der(
    Tag.SEQUENCE,
    attribute(ORGANISATION, "sluice, for development"),
    // RFC 5280, A.1: at most 64 characters.
    attribute(COMMON_NAME, name.slice(0, 64)),
  );
}

function time(ms: number): Uint8Array {
  const date = new Date(ms);
  const digits = date.toISOString().replace(/\.\d+|[-:T]/g, "");
  return date.getUTCFullYear() < UTC_TIME_END
    ? der(UTC_TIME, encoder.encode(digits.slice(2)))
    : der(GENERALIZED_TIME, encoder.encode(digits));
}

function extensions(names: readonly string[]): Uint8Array {
  const critical = der(0x01, Uint8Array.of(0xff));
  const extension = (id: string, value: Uint8Array, ...flags: Uint8Array[]) =>
    der(Tag.SEQUENCE, oid(id), ...flags, der(Tag.OCTET_STRING, value));
  return der(
    Tag.SEQUENCE,
    extension(SUBJECT_ALT_NAME, der(Tag.SEQUENCE, ...names.map(generalName))),
    // Not a certificate authority: clients that trust it trust this server only.
    extension(BASIC_CONSTRAINTS, der(Tag.SEQUENCE), critical),
    // digitalSignature; seven unused bits.
    extension(KEY_USAGE, der(Tag.BIT_STRING, Uint8Array.of(7, 0x80)), critical),
    extension(EXTENDED_KEY_USAGE, der(Tag.SEQUENCE, oid(SERVER_AUTH))),
  );
}

function generalName(name: string): Uint8Array {
  const address = parseIpv4(name) ?? parseIpv6(name);
  return address === undefined ? der(DNS_NAME, encoder.encode(name)) : der(IP_ADDRESS, address);
}

function pem(label: string, bytes: Uint8Array): string {
  const base64 = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  const lines = base64.match(/.{1,64}/g)!.join("\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
