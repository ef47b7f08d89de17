/** Finds the header fields that the server uses among the bytes of a head. @module */

import { latin1Bytes } from "./syntax.ts";

/** Bits of `RequestHead.known`. */
export const Field = {
  HOST: 0x1,
  CONNECTION: 0x2,
  CONTENT_LENGTH: 0x4,
  TRANSFER_ENCODING: 0x8,
  EXPECT: 0x10,
  UPGRADE: 0x20,
  ACCEPT_ENCODING: 0x40,
  RANGE: 0x80,
  IF_RANGE: 0x100,
  IF_MATCH: 0x200,
  IF_NONE_MATCH: 0x400,
  IF_MODIFIED_SINCE: 0x800,
  IF_UNMODIFIED_SINCE: 0x1000,
  ACCEPT: 0x2000,
} as const;

/** Fields that can turn a 200 into another status. */
export const CONDITIONAL: number = Field.RANGE | Field.IF_RANGE | Field.IF_MATCH |
  Field.IF_NONE_MATCH | Field.IF_MODIFIED_SINCE | Field.IF_UNMODIFIED_SINCE;

/** Fields that make the message ambiguous if they occur twice: the request is rejected. */
export const ONCE: number = Field.HOST | Field.CONTENT_LENGTH | Field.TRANSFER_ENCODING;

/**
 * Single-value fields that are ignored if they occur twice. `Range: bytes=0-1` and `Range: 5-6`
 * must not be read as one list.
 */
export const VOID_TWICE: number = Field.RANGE | Field.IF_RANGE | Field.IF_MODIFIED_SINCE |
  Field.IF_UNMODIFIED_SINCE;

interface Known {
  readonly name: Uint8Array;
  readonly bit: number;
}

/** Indexed by the length of the name. */
const BY_LENGTH: Known[][] = [];

for (const [key, bit] of Object.entries(Field)) {
  const name = latin1Bytes(key.toLowerCase().replaceAll("_", "-"));
  (BY_LENGTH[name.length] ??= []).push({ name, bit });
}

/** Length of the longest name. */
const LONGEST = BY_LENGTH.length - 1;

/** Bit of the field with this name, in any case; 0 for other fields. */
export function fieldBit(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length > LONGEST) return 0;
  const candidates = BY_LENGTH[length];
  if (candidates === undefined) return 0;
  for (let i = 0; i < candidates.length; i++) {
    const { name, bit } = candidates[i]!;
    if (equalsIgnoringCase(bytes, start, name)) return bit;
  }
  return 0;
}

/** Bit of a field by its name in lower case. */
export function fieldBitOf(name: string): number {
  const bytes = latin1Bytes(name);
  return fieldBit(bytes, 0, bytes.length);
}

/** Whether `bytes` contains `text` at `start`, ignoring case; `text` is in lower case. */
export function equalsIgnoringCase(bytes: Uint8Array, start: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) {
    const byte = bytes[start + i]!;
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (lower !== text[i]) return false;
  }
  return true;
}
