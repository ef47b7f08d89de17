/** The byte classes of HTTP/1.1 syntax (RFC 9110, RFC 9112). @module */

/** Returned for a head that is not complete yet. */
export const INCOMPLETE = 0;

export const CR = 0x0d;
export const LF = 0x0a;
export const SP = 0x20;
export const HTAB = 0x09;
export const COLON = 0x3a;
export const QUESTION = 0x3f;

/** Bits of {@linkcode CLASS}. */
export const Class = {
  /** `tchar`: methods and field names. */
  TOKEN: 1,
  /** A target: visible ASCII without `#`, which no request target may contain. */
  TARGET: 2,
  /** `field-vchar`, space and tab: the bytes of a field value. */
  VALUE: 4,
  /** The bytes of a `Host` value: names, addresses and a port. */
  HOST: 8,
} as const;

/** Bits of {@linkcode Class} for each byte. */
export const CLASS: Uint8Array = classify();

function classify(): Uint8Array {
  const table = new Uint8Array(256);
  const mark = (characters: string, bit: number) => {
    for (const character of characters) table[character.charCodeAt(0)]! |= bit;
  };
  const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  mark(`${alphanumeric}!#$%&'*+-.^_\`|~`, Class.TOKEN);
  // RFC 3986, 3.2.2, without the comma, which would make one field of two hosts, and without
  // percent-encoding, which some servers behind this one decode and others do not.
  mark(`${alphanumeric}-._~:[]!$&'()*+;=`, Class.HOST);
  for (let byte = 0x21; byte <= 0x7e; byte++) table[byte]! |= Class.TARGET | Class.VALUE;
  table["#".charCodeAt(0)]! &= ~Class.TARGET;
  // obs-text is opaque: sluice never interprets it.
  for (let byte = 0x80; byte <= 0xff; byte++) table[byte]! |= Class.VALUE;
  table[SP]! |= Class.VALUE;
  table[HTAB]! |= Class.VALUE;
  return table;
}

const FROM_CHAR_CODE_LIMIT = 256;

/** Up to this length, pieces of four characters are joined faster than a list is converted. */
const SHORT = 16;

/** Decodes bytes as Latin-1, one character each. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= SHORT) return short(bytes, start, end);
  let text = "";
  // TextDecoder is slower for short strings, and its "latin1" is windows-1252.
  for (let at = start; at < end; at += FROM_CHAR_CODE_LIMIT) {
    const part = bytes.subarray(at, Math.min(end, at + FROM_CHAR_CODE_LIMIT));
    text += String.fromCharCode.apply(null, part as unknown as number[]);
  }
  return text;
}

function short(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  let at = start;
  for (; at + 4 <= end; at += 4) {
    text += String.fromCharCode(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!);
  }
  for (; at < end; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}

/** Encodes text as Latin-1, one byte per character. */
export function latin1Bytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** Whether a byte is one of 0 to 9. */
export function digit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** A number with at most this many digits is a safe integer. */
export const MOST_DIGITS = 15;

/** End of the digits from `start` on; -1 if there are none, or more than {@linkcode MOST_DIGITS}. */
export function endOfDigits(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && digit(bytes[at]!)) at++;
  return at === start || at - start > MOST_DIGITS ? -1 : at;
}

/** The number that digits write. */
export function numberOf(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) value = value * 10 + bytes[at]! - 0x30;
  return value;
}
