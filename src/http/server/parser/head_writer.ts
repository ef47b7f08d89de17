/** Writes heads byte by byte. @module */

import { Cell } from "../../../../ffi/libc/cell.ts";
import { latin1Bytes } from "./syntax.ts";

const FIRST_BYTES = 4096;

/** Shorter pieces are copied in a loop, because a view of the source costs more. */
const SHORT = 48;

const SEPARATOR = latin1Bytes(": ");
const LINE_END = latin1Bytes("\r\n");
const ZERO = 0x30;

/** Memory in which heads are put together, one after the other. */
export class HeadWriter {
  #cell = new Cell(FIRST_BYTES);
  #length = 0;

  /** Number of bytes written since {@linkcode begin}. */
  get length(): number {
    return this.#length;
  }

  /** Where they are, until the next {@linkcode begin} or a longer head. */
  get cell(): Cell {
    return this.#cell;
  }

  /** The bytes written, valid as long. */
  get written(): Uint8Array {
    return this.#cell.bytes.subarray(0, this.#length);
  }

  /** Starts another head; in `cell`, if given. */
  begin(cell?: Cell): void {
    if (cell !== undefined) this.#cell = cell;
    this.#length = 0;
  }

  /** Writes bytes, all or those between `start` and `end`. */
  add(source: Uint8Array, start = 0, end: number = source.length): void {
    const length = end - start;
    const at = this.reserve(length);
    const { bytes } = this.#cell;
    if (length > SHORT) bytes.set(source.subarray(start, end), at);
    else for (let i = 0; i < length; i++) bytes[at + i] = source[start + i]!;
  }

  /** Makes room for bytes that the caller writes into {@linkcode cell}; returns where. */
  reserve(length: number): number {
    const at = this.#length;
    if (at + length > this.#cell.bytes.length) this.#grow(at + length);
    this.#length = at + length;
    return at;
  }

  /** Writes text as Latin-1. */
  text(text: string): void {
    const at = this.reserve(text.length);
    const { bytes } = this.#cell;
    for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
  }

  /** Writes a safe integer that is not negative, in digits. */
  number(value: number): void {
    let digits = 1;
    for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
    const at = this.reserve(digits);
    const { bytes } = this.#cell;
    for (let place = at + digits - 1, rest = value; place >= at; place--) {
      bytes[place] = ZERO + rest % 10;
      rest = Math.floor(rest / 10);
    }
  }

  /** Writes the field at `place` of `fields`: four positions in `source`. */
  field(source: Uint8Array, fields: Int32Array, place: number): void {
    this.add(source, fields[place]!, fields[place + 1]!);
    this.add(SEPARATOR);
    this.add(source, fields[place + 2]!, fields[place + 3]!);
    this.add(LINE_END);
  }

  /** Ends a line. */
  endLine(): void {
    this.add(LINE_END);
  }

  #grow(least: number): void {
    const cell = new Cell(Math.max(least, 2 * this.#cell.bytes.length));
    cell.bytes.set(this.written);
    this.#cell = cell;
  }
}
