/** Parses the head of an HTTP/1.1 request strictly, without the leniences of RFC 9112. @module */

import { equalsIgnoringCase, Field, fieldBit, fieldBitOf, VOID_TWICE } from "./field_names.ts";
import { judge } from "./message_rules.ts";
import { Method, readRequestLine } from "./request_line.ts";
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

/** Limits on the size of a head. */
export interface HeadLimits {
  /** Maximum length of the target in bytes. */
  readonly maxTargetBytes: number;
  /** Maximum length of the whole head in bytes. */
  readonly maxHeadBytes: number;
  /** Maximum number of header fields. */
  readonly maxFields: number;
}

/**
 * The head of one request, as positions in the buffer that it was parsed from; valid until the
 * buffer changes. One object serves a whole thread. It allocates only the strings that you ask for.
 */
export class RequestHead {
  /** The buffer. */
  bytes: Uint8Array = new Uint8Array(0);
  /** First byte of the method. */
  start = 0;
  /** First byte after the head and its empty line. */
  end = 0;
  /** One of {@linkcode Method}. */
  method = 0;
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  /** End of the target's path, which is the part before `?`. */
  pathEnd = 0;
  /** Hash of the path's bytes. */
  pathHash = 0;
  /** Minor version, 0 or 1, of HTTP/1.x. */
  minor = 1;
  /** Whether the client wants to keep the connection. */
  keepAlive = true;
  /** Length of the body in bytes, or {@linkcode CHUNKED}. */
  bodyLength = 0;
  /** Bits of `Field` for the fields present. */
  known = 0;
  /** Bits of the fields that occur twice but may occur once only. */
  twice = 0;
  /** Number of header fields. */
  count = 0;

  readonly #limits: HeadLimits;
  /** Four positions per field: start and end of its name, start and end of its value. */
  readonly fields: Int32Array;
  /** Index of `Host`, or -1. */
  hostField = -1;

  /** Prepares to parse. */
  constructor(limits: HeadLimits) {
    this.#limits = limits;
    this.fields = new Int32Array(4 * limits.maxFields);
  }

  /**
   * Parses the bytes between `start` and `end`.
   *
   * @returns Where the head ends; {@linkcode INCOMPLETE}; or the negated status of the error
   * response.
   */
  parse(bytes: Uint8Array, start: number, end: number): number {
    this.bytes = bytes;
    let at = start;
    // RFC 9112, 2.2: ignore one empty line before a request.
    if (at < end && bytes[at] === CR) {
      if (at + 1 === end) return INCOMPLETE;
      if (bytes[at + 1] !== LF) return -400;
      at += 2;
    }
    this.start = at;
    const line = readRequestLine(this, at, end, this.#limits.maxTargetBytes);
    if (line <= 0) return line === INCOMPLETE ? this.#unfinished(start, end) : line;
    const result = this.#headerFields(line, end);
    if (result === INCOMPLETE) return this.#unfinished(start, end);
    if (result < 0) return result;
    if (result - start > this.#limits.maxHeadBytes) return -431;
    this.end = result;
    return judge(this) || result;
  }

  /** The same head in memory of its own. */
  copy(): RequestHead {
    const head = new RequestHead(this.#limits);
    const bytes = this.bytes.slice(this.start, this.end);
    head.parse(bytes, 0, bytes.length);
    return head;
  }

  /** Discards the last head, whose fields are not reliable; `method`, if known, decides about a body. */
  forget(method: number = Method.OTHER): void {
    this.start =
      this.methodEnd =
      this.targetStart =
      this.pathEnd =
      this.targetEnd =
      this.end =
        0;
    this.method = method === Method.HEAD ? Method.HEAD : Method.OTHER;
    this.minor = 1;
    this.count = this.known = this.twice = 0;
  }

  #unfinished(start: number, end: number): number {
    return end - start > this.#limits.maxHeadBytes ? -431 : INCOMPLETE;
  }

  #headerFields(start: number, end: number): number {
    const { bytes } = this;
    const { fields } = this;
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
      if (count === this.#limits.maxFields) return -431;
      const bit = fieldBit(bytes, name, nameEnd);
      if (bit !== 0) {
        if (bit === Field.HOST) this.hostField = count;
        if ((known & bit) !== 0) twice |= bit;
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

  /** Whether field `index` is the one with this bit. */
  named(index: number, bit: number): boolean {
    const { fields } = this;
    return fieldBit(this.bytes, fields[4 * index]!, fields[4 * index + 1]!) === bit;
  }

  /** The target as it was sent. */
  get target(): string {
    return latin1(this.bytes, this.targetStart, this.targetEnd);
  }

  /** The method as it was sent. */
  get methodName(): string {
    return latin1(this.bytes, this.start, this.methodEnd);
  }

  /** Value of a field by its name in lower case; repeated fields are joined by commas. */
  header(name: string): string | undefined {
    const bit = fieldBitOf(name);
    if (bit !== 0 && ((this.known & bit) === 0 || (this.twice & bit & VOID_TWICE) !== 0)) {
      return undefined;
    }
    const wanted = latin1Bytes(name);
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
    for (let i = 0; i < this.count; i++) {
      if (this.named(i, bit)) return [this.fields[4 * i + 2]!, this.fields[4 * i + 3]!];
    }
    return undefined;
  }
}
