/** Finds the end of a message body: RFC 9112, section 6. @module */

import { CLASS, Class, CR, LF } from "../parser/syntax.ts";

/** Follows a forwarded body, so that no byte too many is forwarded. */
export interface Framing {
  /** Whether the body has ended. */
  readonly done: boolean;
  /** Whether the end of the connection ends the body, instead of cutting it off. */
  readonly untilEnd: boolean;
  /** Number of following bytes that need no parsing; 0 if the next one must be parsed. */
  readonly blind: number;
  /**
   * Bytes removed by the last {@linkcode Framing.scan}: the bytes to forward lie from its `start`
   * to the end that it returned, minus this count.
   */
  readonly removed: number;
  /**
   * Parses bytes; returns where the body ends, `end` if it continues, -1 if it is malformed.
   * Removed bytes are overwritten by the ones that follow.
   */
  scan(bytes: Uint8Array, start: number, end: number): number;
  /** Skips `count` bytes, at most {@linkcode Framing.blind}, without parsing. */
  skip(count: number): void;
}

/** A body of known length; `Infinity` means up to the end of the connection. */
export class Counted implements Framing {
  readonly untilEnd: boolean;
  readonly removed = 0;
  #left: number;

  constructor(length: number) {
    this.#left = length;
    this.untilEnd = length === Infinity;
  }

  get done(): boolean {
    return this.#left === 0;
  }

  get blind(): number {
    return this.#left;
  }

  scan(_bytes: Uint8Array, start: number, end: number): number {
    const taken = Math.min(end - start, this.#left);
    this.#left -= taken;
    return start + taken;
  }

  skip(count: number): void {
    this.#left -= count;
  }
}

/** Maximum digits of a chunk's length: up to 2^48 bytes. */
const MOST_DIGITS = 12;

/** Maximum bytes of one chunk's extensions, and of all trailers. */
const MOST_OTHERS = 8192;

const State = {
  /** Before the first digit of a length. */
  LENGTH: 0,
  MORE_LENGTH: 1,
  EXTENSION: 2,
  LENGTH_LF: 3,
  DATA: 4,
  DATA_CR: 5,
  DATA_LF: 6,
  /** At the start of a line after the last chunk. */
  TRAILER: 7,
  MORE_TRAILER: 8,
  TRAILER_LF: 9,
  LAST_LF: 10,
  DONE: 11,
} as const;

/**
 * Parts of a chunked body to forward: all; all except the trailers, which a program could mistake
 * for fields of the head; or only the data, for a client that does not know chunks.
 */
export type ChunkedParts = "all" | "without trailers" | "data";

/**
 * A chunked body, parsed as strictly as heads: lines end in CR and LF, and extensions contain
 * nothing that another parser could take for the end of a line.
 */
export class Chunked implements Framing {
  readonly untilEnd = false;
  removed = 0;
  readonly #parts: ChunkedParts;
  #state: number = State.LENGTH;
  /** Number of digits of the current length. */
  #digits = 0;
  /** The current length; within the data, the rest of it. */
  #left = 0;
  #others = 0;

  constructor(parts: ChunkedParts = "all") {
    this.#parts = parts;
  }

  get done(): boolean {
    return this.#state === State.DONE;
  }

  get blind(): number {
    return this.#state === State.DATA ? this.#left : 0;
  }

  skip(count: number): void {
    this.#left -= count;
    if (this.#left === 0) this.#state = State.DATA_CR;
  }

  scan(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    let kept = start;
    while (at < end && this.#state !== State.DONE) {
      if (this.#state === State.DATA) {
        const count = Math.min(this.#left, end - at);
        this.skip(count);
        if (kept < at) bytes.copyWithin(kept, at, at + count);
        at += count;
        kept += count;
        continue;
      }
      const byte = bytes[at++]!;
      if (!this.#step(byte)) return -1;
      if (this.#passes()) bytes[kept++] = byte;
    }
    this.removed = at - kept;
    return at;
  }

  /** Whether to forward the byte that led to this state. */
  #passes(): boolean {
    if (this.#parts === "all") return true;
    if (this.#parts === "data") return false;
    return this.#state !== State.MORE_TRAILER && this.#state !== State.TRAILER_LF &&
      !(this.#state === State.TRAILER && this.#others > 0);
  }

  /** Parses one byte outside of the data; false if it is invalid there. */
  #step(byte: number): boolean {
    switch (this.#state) {
      case State.LENGTH:
        this.#left = this.#digits = this.#others = 0;
        this.#state = State.MORE_LENGTH;
        return this.#digit(byte);
      case State.MORE_LENGTH:
        if (byte === CR) return this.#go(State.LENGTH_LF);
        if (byte === SEMICOLON) return this.#go(State.EXTENSION);
        return this.#digit(byte);
      case State.EXTENSION:
        return byte === CR ? this.#go(State.LENGTH_LF) : this.#other(byte);
      case State.LENGTH_LF:
        this.#others = 0;
        return byte === LF && this.#go(this.#left > 0 ? State.DATA : State.TRAILER);
      case State.DATA_CR:
        return byte === CR && this.#go(State.DATA_LF);
      case State.DATA_LF:
        return byte === LF && this.#go(State.LENGTH);
      case State.TRAILER:
        if (byte === CR) return this.#go(State.LAST_LF);
        // The first byte of a name; this rejects folded lines.
        return (CLASS[byte]! & Class.TOKEN) !== 0 && this.#other(byte) &&
          this.#go(State.MORE_TRAILER);
      case State.MORE_TRAILER:
        return byte === CR ? this.#go(State.TRAILER_LF) : this.#other(byte);
      case State.TRAILER_LF:
        return byte === LF && this.#go(State.TRAILER);
      default:
        return byte === LF && this.#go(State.DONE);
    }
  }

  #go(state: number): true {
    this.#state = state;
    return true;
  }

  #digit(byte: number): boolean {
    const value = digitOf(byte);
    this.#left = this.#left * 16 + value;
    return value >= 0 && ++this.#digits <= MOST_DIGITS;
  }

  #other(byte: number): boolean {
    return (CLASS[byte]! & Class.VALUE) !== 0 && ++this.#others <= MOST_OTHERS;
  }
}

const SEMICOLON = 0x3b;

/** Value of a hexadecimal digit, or -1. */
function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
