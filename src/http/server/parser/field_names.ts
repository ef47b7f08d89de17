/** Finds the header fields that the server uses among the bytes of a head. @module */

import { NameTable } from "./name_table.ts";
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

const NAMES = new NameTable(
  Object.fromEntries(
    Object.entries(Field).map(([key, bit]) => [key.toLowerCase().replaceAll("_", "-"), bit]),
  ),
);

/** Bit of the field with this name, in any case; 0 for other fields. */
export function fieldBit(bytes: Uint8Array, start: number, end: number): number {
  return NAMES.find(bytes, start, end);
}

/** Bit of a field by its name in lower case. */
export function fieldBitOf(name: string): number {
  const bytes = latin1Bytes(name);
  return NAMES.find(bytes, 0, bytes.length);
}
