/** The hashes of passwords in a htpasswd file that can be checked with `node:crypto`. @module */

import { concat } from "../../../bytes.ts";
import { builtin } from "../../../builtins.ts";

const encoder = new TextEncoder();

/** Alphabet of the base 64 of crypt(3). */
const DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Length of a SHA-1 digest, in bytes. */
const SHA1_BYTES = 20;

const APR1 = /^\$apr1\$([./0-9A-Za-z]{1,8})\$[./0-9A-Za-z]{22}$/;
const SHA1 = /^\{SS?HA\}[A-Za-z0-9+/]{27,}={0,2}$/;

/** Whether {@linkcode matches} can check a hash: `$apr1$`, `{SHA}` or `{SSHA}`. */
export function isKnownHash(hash: string): boolean {
  return APR1.test(hash) || SHA1.test(hash);
}

/** Whether a password has this hash. The comparison takes the same time wherever they differ. */
export function matches(password: Uint8Array, hash: string): boolean {
  const salt = APR1.exec(hash)?.[1];
  if (salt !== undefined) {
    return equalInConstantTime(encoder.encode(apr1(password, salt)), encoder.encode(hash));
  }
  const known = Uint8Array.from(atob(hash.slice(hash.indexOf("}") + 1)), codeOf);
  const digest = sha1(concat([password, known.subarray(SHA1_BYTES)]));
  return equalInConstantTime(digest, known.subarray(0, SHA1_BYTES));
}

/** Whether bytes are equal; also takes the same time if they are not. */
export function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && builtin("crypto").timingSafeEqual(a, b);
}

/** SHA-256 of bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return builtin("crypto").createHash("sha256").update(bytes).digest();
}

function sha1(bytes: Uint8Array): Uint8Array {
  return builtin("crypto").createHash("sha1").update(bytes).digest();
}

function md5(...parts: readonly Uint8Array[]): Uint8Array {
  return builtin("crypto").createHash("md5").update(concat(parts)).digest();
}

function codeOf(character: string): number {
  return character.charCodeAt(0);
}

/** Apache's variant of MD5 crypt: `apr_md5_encode` in apr-util. */
function apr1(password: Uint8Array, salt: string): string {
  const salted = encoder.encode(salt);
  const inner = md5(password, salted, password);
  const begin = [password, encoder.encode("$apr1$"), salted];
  for (let left = password.length; left > 0; left -= 16) begin.push(inner.subarray(0, left));
  for (let bits = password.length; bits > 0; bits >>= 1) {
    begin.push((bits & 1) !== 0 ? new Uint8Array(1) : password.subarray(0, 1));
  }
  let digest = md5(...begin);
  for (let round = 0; round < 1000; round++) {
    const odd = (round & 1) !== 0;
    digest = md5(
      odd ? password : digest,
      round % 3 !== 0 ? salted : NOTHING,
      round % 7 !== 0 ? password : NOTHING,
      odd ? digest : password,
    );
  }
  const at = (index: number) => digest[index]!;
  let text = "";
  for (const [a, b, c] of [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]] as const) {
    text += digits((at(a) << 16) | (at(b) << 8) | at(c), 4);
  }
  return `$apr1$${salt}$${text}${digits(at(11), 2)}`;
}

const NOTHING = new Uint8Array(0);

/** The lowest digits first. */
function digits(value: number, count: number): string {
  let text = "";
  for (let i = 0; i < count; i++) text += DIGITS[(value >> (6 * i)) & 63];
  return text;
}
