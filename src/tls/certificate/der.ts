/** The Distinguished Encoding Rules (X.690), as far as certificates need them. @module */

import { concat } from "../../bytes.ts";

/** Tags of values. */
export const Tag = {
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OID: 0x06,
  UTF8: 0x0c,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

/** A value within encoded bytes. */
export interface DerValue {
  readonly tag: number;
  /** The content, without tag and length. */
  readonly body: Uint8Array;
}

/**
 * Reads the consecutive values in `bytes`.
 *
 * @throws {RangeError} When a length is invalid, or exceeds the bytes.
 */
export function readDer(bytes: Uint8Array): DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at]!;
    let length = bytes[at + 1] ?? -1;
    at += 2;
    if (length > 0x80 && length <= 0x84) {
      const end = at + (length & 0x7f);
      for (length = 0; at < end; at++) length = length * 256 + (bytes[at] ?? Infinity);
    } else if (length >= 0x80) length = -1;
    if (length < 0 || at + length > bytes.length) {
      throw new RangeError("Cannot read DER: a length exceeds the value");
    }
    values.push({ tag, body: bytes.subarray(at, at + length) });
    at += length;
  }
  return values;
}

/** Encodes a value that consists of `parts`. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = parts.length === 0 ? new Uint8Array() : concat(parts);
  const { length } = body;
  if (length < 0x80) return concat([Uint8Array.of(tag, length), body]);
  const digits: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
  return concat([Uint8Array.of(tag, 0x80 | digits.length, ...digits), body]);
}

/** Encodes an object identifier, such as `"2.5.29.17"`. */
export function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc % 128];
    for (let high = Math.floor(arc / 128); high > 0; high = Math.floor(high / 128)) {
      digits.unshift(0x80 | high % 128);
    }
    bytes.push(...digits);
  }
  return der(Tag.OID, Uint8Array.from(bytes));
}
