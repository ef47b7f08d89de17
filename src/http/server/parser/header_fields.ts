/** Parses header fields strictly, without the leniences of RFC 9112. @module */

import { Field, fieldBit, fieldBitOf, VOID_TWICE } from "./field_names.ts";
import { equalsIgnoringCase } from "./name_table.ts";
import {
  CLASS,
  Class,
  COLON,
  CR,
  HTAB,
  INCOMPLETE,
  latin1,
  latin1Bytes,
  LF,
  SP,
} from "./syntax.ts";

/** Number of fields for which there is room at first. */
const FEW = 32;

/**
 * The fields of one head, as positions in the buffer that they were parsed from; valid until the
 * buffer changes. It allocates only the strings that you ask for.
 */
export class HeaderFields {
  /** The buffer. */
  bytes: Uint8Array = new Uint8Array(0);
  /** Number of header fields. */
  count = 0;
  /** Bits of `Field` for the fields present. */
  known = 0;
  /** Bits of the fields that occur twice but may occur once only. */
  twice = 0;
  /** Index of `Host`, or -1. */
  hostField = -1;
  /** Index of the first field with each bit, by the number of the bit; valid if it is known. */
  readonly #first = new Int32Array(32);
  /** Four positions per field: start and end of its name, start and end of its value. */
  fields: Int32Array;
  readonly #most: number;

  /** Reads at most `most` fields. */
  constructor(most: number) {
    this.#most = most;
    this.fields = new Int32Array(4 * Math.min(FEW, most));
  }

  /**
   * Parses the fields between `start` and `end`, up to the empty line.
   *
   * @returns Where the empty line ends; {@linkcode INCOMPLETE}; or the negated status of the error
   * response.
   */
  protected readFields(start: number, end: number): number {
    const { bytes } = this;
    let { fields } = this;
    const first = this.#first;
    let count = 0;
    let known = 0;
    let twice = 0;
    this.hostField = -1;
    let at = start;
    for (;;) {
      if (at >= end) return INCOMPLETE;
      if (bytes[at] === CR) {
        if (at + 1 === end) return INCOMPLETE;
        if (bytes[at + 1] !== LF) return -400;
        break;
      }
      const name = at;
      while (at < end && (CLASS[bytes[at]!]! & Class.TOKEN) !== 0) at++;
      if (at === end) return INCOMPLETE;
      // This also rejects folded lines and a space before the colon: neither can be part of a name.
      if (at === name || bytes[at] !== COLON) return -400;
      const nameEnd = at++;
      while (at < end && (bytes[at] === SP || bytes[at] === HTAB)) at++;
      const value = at;
      while (at < end && (CLASS[bytes[at]!]! & Class.VALUE) !== 0) at++;
      if (at + 1 >= end) {
        if (at < end && bytes[at] !== CR) return -400;
        return INCOMPLETE;
      }
      // All other bytes here are control characters: a bare CR or LF ends a line for some parsers
      // only.
      if (bytes[at] !== CR || bytes[at + 1] !== LF) return -400;
      let valueEnd = at;
      while (valueEnd > value && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) {
        valueEnd--;
      }
      at += 2;
      if (count === this.#most) return -431;
      if (4 * count === fields.length) fields = this.#grow();
      const bit = fieldBit(bytes, name, nameEnd);
      if (bit !== 0) {
        if (bit === Field.HOST) this.hostField = count;
        if ((known & bit) !== 0) twice |= bit;
        else first[31 - Math.clz32(bit)] = count;
        known |= bit;
      }
      const place = 4 * count++;
      fields[place] = name;
      fields[place + 1] = nameEnd;
      fields[place + 2] = value;
      fields[place + 3] = valueEnd;
    }
    this.count = count;
    this.known = known;
    this.twice = twice;
    return at + 2;
  }

  #grow(): Int32Array {
    const { fields } = this;
    this.fields = new Int32Array(Math.min(2 * fields.length, 4 * this.#most));
    this.fields.set(fields);
    return this.fields;
  }

  /** Whether field `index` is the one with this bit. */
  named(index: number, bit: number): boolean {
    const { fields } = this;
    return fieldBit(this.bytes, fields[4 * index]!, fields[4 * index + 1]!) === bit;
  }

  /** Value of a field by its name in lower case; repeated fields are joined by commas. */
  header(name: string): string | undefined {
    const { bit, bytes: wanted } = wantedField(name);
    if (bit !== 0 && ((this.known & bit) === 0 || (this.twice & bit & VOID_TWICE) !== 0)) {
      return undefined;
    }
    const { fields } = this;
    let joined: string | undefined;
    for (let place = 0; place < 4 * this.count; place += 4) {
      const start = fields[place]!;
      if (fields[place + 1]! - start !== wanted.length) continue;
      if (!equalsIgnoringCase(this.bytes, start, wanted)) continue;
      const value = latin1(this.bytes, fields[place + 2]!, fields[place + 3]!);
      joined = joined === undefined ? value : `${joined}, ${value}`;
    }
    return joined;
  }

  /** All fields in message order, with names as sent. */
  headers(): [name: string, value: string][] {
    const { fields } = this;
    return Array.from({ length: this.count }, (_, i) => [
      latin1(this.bytes, fields[4 * i]!, fields[4 * i + 1]!),
      latin1(this.bytes, fields[4 * i + 2]!, fields[4 * i + 3]!),
    ]);
  }

  /** Position of a field's value, `[start, end]`, at its first occurrence. */
  place(bit: number): readonly [number, number] | undefined {
    if ((this.known & bit) === 0) return undefined;
    const at = 4 * this.#first[31 - Math.clz32(bit)]!;
    return [this.fields[at + 2]!, this.fields[at + 3]!];
  }
}

interface WantedField {
  readonly bit: number;
  readonly bytes: Uint8Array;
}

/** Names that the server asks for again and again. */
const wantedFields = new Map<string, WantedField>();

/** More than the server has; a program may ask for any. */
const MOST_WANTED = 64;

function wantedField(name: string): WantedField {
  let found = wantedFields.get(name);
  if (found === undefined) {
    found = { bit: fieldBitOf(name), bytes: latin1Bytes(name) };
    if (wantedFields.size < MOST_WANTED) wantedFields.set(name, found);
  }
  return found;
}
