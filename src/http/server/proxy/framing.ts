/** Where the body of a message ends: RFC 9112, section 6. @module */

import { CLASS, Class, CR, LF } from "../parser/syntax.ts";

/** Follows a body that is passed on, so that not one byte too many is. */
export interface Framing {
  /** Whether the body has ended. */
  readonly done: boolean;
  /** Whether the end of the connection is the end of the body, rather than of its sender. */
  readonly untilEnd: boolean;
  /** Bytes from here on that need not be looked at; 0 where the next one must be. */
  readonly blind: number;
  /**
   * Bytes that the last {@linkcode Framing.scan} removed: what is to be passed on stands from its
   * `start` to where it ended, less so many bytes.
   */
  readonly removed: number;
  /**
   * Goes over bytes; returns where the body ends, `end` where it does not, -1 where it is none.
   * What is not passed on is overwritten by what follows it.
   */
  scan(bytes: Uint8Array, start: number, end: number): number;
  /** Goes over `count` bytes, at most {@linkcode Framing.blind}, without seeing them. */
  skip(count: number): void;
}

/** A body of a length that is known; `Infinity` is up to the end of the connection. */
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

/** Digits of a chunk's length: 2^48 bytes are more than anybody has. */
const MOST_DIGITS = 12;

/** Bytes of the extensions of one chunk, and of all trailers. */
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
  /** At the beginning of a line behind the last chunk. */
  TRAILER: 7,
  MORE_TRAILER: 8,
  TRAILER_LF: 9,
  LAST_LF: 10,
  DONE: 11,
} as const;

/**
 * What of a body in chunks is passed on: all of it; all but the trailers, for a program that could
 * take them for fields of the head; or the data alone, for a client that knows no chunks.
 */
export type ChunkedParts = "all" | "without trailers" | "data";

/**
 * A body in chunks, as strict as the heads: lines end in CR and LF, and extensions hold nothing that
 * another reader could take for the end of a line.
 */
export class Chunked implements Framing {
  readonly untilEnd = false;
  removed = 0;
  readonly #parts: ChunkedParts;
  #state: number = State.LENGTH;
  /** Digits of the length at hand. */
  #digits = 0;
  /** The length at hand; in the data what is left of it. */
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

  /** Whether the byte that led to this state is passed on. */
  #passes(): boolean {
    if (this.#parts === "all") return true;
    if (this.#parts === "data") return false;
    return this.#state !== State.MORE_TRAILER && this.#state !== State.TRAILER_LF &&
      !(this.#state === State.TRAILER && this.#others > 0);
  }

  /** Takes one byte of what is not data; false where it must not stand there. */
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
        // The first byte of a name; this refuses a folded line.
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
