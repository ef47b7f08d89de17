/** Writes heads byte by byte. @module */

import { latin1Bytes } from "./syntax.ts";

const FIRST_BYTES = 4096;

/** Shorter pieces are copied in a loop, because a view of the source costs more. */
const SHORT = 48;

const SEPARATOR = latin1Bytes(": ");
const LINE_END = latin1Bytes("\r\n");

/** Memory in which heads are put together, one after the other. */
export class HeadWriter {
  #bytes: Uint8Array = new Uint8Array(FIRST_BYTES);
  #length = 0;

  /** Bytes written since {@linkcode begin}. */
  get length(): number {
    return this.#length;
  }

  /** The bytes written, valid until the next {@linkcode begin}. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Starts another head. */
  begin(): void {
    this.#length = 0;
  }

  /** A copy of the bytes written. */
  taken(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** Writes bytes, all or those between `start` and `end`. */
  add(source: Uint8Array, start = 0, end: number = source.length): void {
    const at = this.#length;
    const length = end - start;
    if (at + length > this.#bytes.length) this.#grow(at + length);
    const bytes = this.#bytes;
    if (length > SHORT) bytes.set(source.subarray(start, end), at);
    else for (let i = 0; i < length; i++) bytes[at + i] = source[start + i]!;
    this.#length = at + length;
  }

  /** Writes text as Latin-1. */
  text(text: string): void {
    const at = this.#length;
    if (at + text.length > this.#bytes.length) this.#grow(at + text.length);
    const bytes = this.#bytes;
    for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
    this.#length = at + text.length;
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
    const bytes = new Uint8Array(Math.max(least, 2 * this.#bytes.length));
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
  }
}
