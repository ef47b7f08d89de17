/** Reads the error queue of OpenSSL. @module */

import { calls } from "./library.ts";

/** An entry of the error queue: `openssl/err.h`. */
export interface OpenSslError {
  /** Number of the part of OpenSSL, such as {@linkcode Lib.SSL}; 2 for errno. */
  readonly lib: number;
  /** Number of the reason within that library part. */
  readonly reason: number;
  /** OpenSSL's text for the reason, such as `"no shared cipher"`. */
  readonly text: string;
}

/** Parts of OpenSSL. */
export const Lib = { SYSTEM: 2, PEM: 9, SSL: 20 } as const;

/** Reasons are below this bit, and the number of the part is above it. */
const LIB_SHIFT = 23;
const LIB_MASK = 0xff;
const REASON_MASK = 0x7f_ffff;
const SYSTEM_FLAG = 0x8000_0000;

/** Maximum number of entries; OpenSSL keeps 16. */
const MOST_ENTRIES = 16;
const TEXT_BYTES = 256;

const decoder = new TextDecoder();

/** Empties the error queue of this thread and returns its entries, oldest first. */
export function takeErrors(): OpenSslError[] {
  const ssl = calls();
  const target = new Uint8Array(TEXT_BYTES);
  const errors: OpenSslError[] = [];
  for (let left = MOST_ENTRIES; left > 0; left--) {
    const error = Number(ssl.ERR_get_error());
    if (error === 0) break;
    ssl.ERR_error_string_n(BigInt(error), target, BigInt(TEXT_BYTES));
    // "error:0A0000C1:SSL routines::no shared cipher"
    const text = decoder.decode(target.subarray(0, target.indexOf(0)));
    const system = error >= SYSTEM_FLAG;
    errors.push({
      lib: system ? Lib.SYSTEM : (error >> LIB_SHIFT) & LIB_MASK,
      reason: system ? error % SYSTEM_FLAG : error & REASON_MASK,
      text: text.slice(text.lastIndexOf(":") + 1),
    });
  }
  return errors;
}

/** Empties the error queue; returns OpenSSL's text for the first error. */
export function takeReason(): string {
  const errors = takeErrors();
  return errors[0]?.text ?? "OpenSSL gives no reason";
}
