/** Reasons why handshakes and connections fail, for counters and for the log. @module */

import { Lib, type OpenSslError } from "./openssl_errors.ts";

/** Reasons for a failed handshake. */
export const Failure = {
  /** No common TLS version. */
  VERSION: 0,
  /** No common cipher, group or signature algorithm. */
  CIPHER: 1,
  /** No common application protocol (ALPN). */
  PROTOCOL: 2,
  /** The client's certificate is missing or not trusted. */
  CLIENT_CERTIFICATE: 3,
  /** The client sent an alert, usually because it does not trust the server's certificate. */
  ALERT: 4,
  /** The client spoke HTTP without TLS. */
  PLAIN_HTTP: 5,
  /** The handshake took too long. */
  TIMEOUT: 6,
  /** The client disconnected. */
  GONE: 7,
  /** Anything else, such as a malformed message. */
  OTHER: 8,
} as const;

/** Number of reasons. */
export const FAILURES = 9;

/** Reason codes of OpenSSL: `openssl/sslerr.h`. Those of alerts start at 1000. */
const ALERTS = 1000;
const REASONS = new Map<number, number>([
  [258, Failure.VERSION], // unsupported protocol
  [266, Failure.VERSION], // wrong SSL version
  [267, Failure.VERSION], // wrong version number
  [396, Failure.VERSION], // version too low
  [166, Failure.VERSION], // version too high
  [373, Failure.VERSION], // inappropriate fallback
  [193, Failure.CIPHER], // no shared cipher
  [101, Failure.CIPHER], // no suitable key share
  [118, Failure.CIPHER], // no suitable signature algorithm
  [376, Failure.CIPHER], // no shared signature algorithms
  [410, Failure.CIPHER], // no shared groups
  [187, Failure.CIPHER], // no ciphers specified
  [235, Failure.PROTOCOL], // no application protocol
  [134, Failure.CLIENT_CERTIFICATE], // certificate verify failed
  [199, Failure.CLIENT_CERTIFICATE], // peer did not return a certificate
]);

/** The reason for a failed handshake, from the error queue. */
export function failureOf(errors: readonly OpenSslError[]): number {
  for (const { lib, reason } of errors) {
    if (lib !== Lib.SSL) continue;
    const known = REASONS.get(reason);
    if (known !== undefined) return known;
    if (reason >= ALERTS) return Failure.ALERT;
  }
  return Failure.OTHER;
}
