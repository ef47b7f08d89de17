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

/** A key, in memory of OpenSSL: its secret part never enters JavaScript. */
export class TicketKey {
  /** The name in hexadecimal. It is random, and public: each ticket starts with it. */
  readonly name: string;
  #address: bigint;

  /** @throws {UnsupportedError} When OpenSSL has no memory or no random numbers. */
  constructor() {
    const ssl = calls();
    const bytes = new Uint8Array(TICKET_KEY_BYTES);
    ssl.ERR_clear_error();
    let made = ssl.RAND_bytes(addressOf(bytes), KEY_NAME_BYTES) === 1;
    this.name = keyName(bytes);
    this.#address = BigInt(ssl.CRYPTO_memdup(addressOf(bytes), BigInt(bytes.length), 0n, 0));
    const secret = this.#address + BigInt(KEY_NAME_BYTES);
    made &&= this.#address !== 0n &&
      ssl.RAND_bytes(secret, TICKET_KEY_BYTES - KEY_NAME_BYTES) === 1;
    if (made) return;
    const reason = takeReason();
    this.free();
    throw new UnsupportedError({ action: "make a key for session tickets", reason });
  }

  /** Address of its {@linkcode TICKET_KEY_BYTES} bytes, until {@linkcode free}. */
  get address(): bigint {
    return this.#address;
  }

  /** Erases the key. Contexts keep their copies. A second call does nothing. */
  free(): void {
    if (this.#address === 0n) return;
    calls().CRYPTO_clear_free(this.#address, BigInt(TICKET_KEY_BYTES), 0n, 0);
    this.#address = 0n;
  }
}

/** Name of a key, or of the key that encrypted a ticket. */
export function keyName(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < KEY_NAME_BYTES; at++) text += bytes[at]!.toString(16).padStart(2, "0");
  return text;
}
