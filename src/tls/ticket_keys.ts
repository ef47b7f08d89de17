/**
 * Keys that encrypt session tickets.
 *
 * A ticket holds the secrets of a session. Whoever has the key can read sessions resumed by it (TLS
 * 1.2) or their early secrets (TLS 1.3). So keys are replaced, and the previous one stays valid for
 * one more period, so that clients can still resume.
 *
 * @module
 */

import { addressOf } from "../../ffi/libc/mod.ts";
import { UnsupportedError } from "../errors.ts";
import { calls } from "./library.ts";
import { takeReason } from "./openssl_errors.ts";

/** Length of a key for `SSL_CTX_set_tlsext_ticket_keys()` in bytes: name 16, HMAC 32, AES 32. */
export const TICKET_KEY_BYTES = 80;

/** Bytes at the start of a key, and of each ticket, that name the key. */
export const KEY_NAME_BYTES = 16;

/** Creates a key. Its name is also random. */
export function newTicketKey(): Uint8Array {
  const key = new Uint8Array(TICKET_KEY_BYTES);
  const ssl = calls();
  ssl.ERR_clear_error();
  if (ssl.RAND_bytes(addressOf(key), key.length) === 1) return key;
  throw new UnsupportedError({ action: "make a key for session tickets", reason: takeReason() });
}

/** Name of a key, or of the key that encrypted a ticket. */
export function keyName(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < KEY_NAME_BYTES; at++) text += bytes[at]!.toString(16).padStart(2, "0");
  return text;
}
