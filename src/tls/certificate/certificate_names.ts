/** Host names of certificates, and finding the certificate for a host. @module */

import { der, type DerValue, oid, readDer, Tag } from "./der.ts";

/** Context-specific tags: of the extensions in a certificate, and of names in subjectAltName. */
const EXTENSIONS = 0xa3;
const DNS_NAME = 0x82;
const SUBJECT_ALT_NAME = oid("2.5.29.17");
const COMMON_NAME = oid("2.5.4.3");

/**
 * Host names of a certificate in lower case, wildcards such as `"*.example.com"` included: those in
 * subjectAltName or, without that extension, the common name (RFC 6125). Addresses are omitted,
 * because clients send no SNI for them.
 *
 * @param certificate The certificate, as DER.
 */
export function certificateNames(certificate: Uint8Array): string[] {
  const tbs = readDer(readDer(readDer(certificate)[0]!.body)[0]!.body);
  const extensions = tbs.find(({ tag }) => tag === EXTENSIONS);
  const alternative = extensions && alternativeName(readDer(extensions.body)[0]!);
  if (alternative !== undefined) {
    return readDer(alternative).filter(({ tag }) => tag === DNS_NAME).map(({ body }) => text(body));
  }
  // version, serialNumber, signature, issuer, validity, subject: the version may be absent.
  const subject = tbs.filter(({ tag }) => tag === Tag.SEQUENCE)[3];
  return subject === undefined ? [] : commonNames(subject);
}

/** The content of subjectAltName. */
function alternativeName(extensions: DerValue): Uint8Array | undefined {
  for (const { body } of readDer(extensions.body)) {
    const [id, ...rest] = readDer(body);
    if (id === undefined || !is(id, SUBJECT_ALT_NAME)) continue;
    // A flag for "critical" may precede it.
    return readDer(rest.at(-1)!.body)[0]?.body;
  }
  return undefined;
}

function commonNames(subject: DerValue): string[] {
  const attributes = readDer(subject.body).flatMap(({ body }) => readDer(body));
  return attributes.map(({ body }) => readDer(body)).filter(([id]) => id && is(id, COMMON_NAME))
    .map(([, value]) => text(value!.body));
}

function is({ tag, body }: DerValue, expected: Uint8Array): boolean {
  const found = der(tag, body);
  return found.length === expected.length && found.every((byte, at) => byte === expected[at]);
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).toLowerCase();
}

/**
 * Finds the entry for a host: one with exactly its name, else with a matching wildcard (RFC 6125: a
 * wildcard stands for one label), else the first entry.
 */
export class HostTable<T> {
  readonly #default: T;
  readonly #hosts = new Map<string, T>();

  /** Takes at least one entry; of two with the same name, the first counts. */
  constructor(entries: readonly { readonly names: readonly string[]; readonly value: T }[]) {
    this.#default = entries[0]!.value;
    for (const { names, value } of entries) {
      for (const name of names) {
        if (!this.#hosts.has(name)) this.#hosts.set(name, value);
      }
    }
  }

  /** Value for `host`, which is in lower case. */
  find(host: string): T {
    return this.#hosts.get(host) ?? this.#hosts.get(wildcard(host)) ?? this.#default;
  }

  /** Whether any entry names `host`. */
  has(host: string): boolean {
    return this.#hosts.has(host) || this.#hosts.has(wildcard(host));
  }
}

function wildcard(host: string): string {
  const dot = host.indexOf(".");
  return dot < 0 ? "" : `*${host.slice(dot)}`;
}
