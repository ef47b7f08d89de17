/** Reads and writes the fields of Kafka's protocol, in its old, non-flexible encoding. @module */

import { Buffer } from "node:buffer";
import type { Slice } from "./log/segment.ts";

/** A message that breaks the protocol. */
export class Malformed extends Error {}

/** Reads fields in order. Throws {@linkcode Malformed} where the message ends too early. */
export class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  /** Starts at the first byte. */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int8(): number {
    return this.#take(1).readInt8();
  }

  int16(): number {
    return this.#take(2).readInt16BE();
  }

  int32(): number {
    return this.#take(4).readInt32BE();
  }

  /** Exact up to 2^53, which no offset, timestamp or producer of this broker reaches. */
  int64(): number {
    return readInt64(this.#take(8), 0);
  }

  string(): string {
    const text = this.nullableString();
    if (text === null) throw new Malformed("null in place of a string");
    return text;
  }

  nullableString(): string | null {
    const length = this.int16();
    return length === -1 ? null : this.#take(length).toString();
  }

  /** A view of the message; null reads as empty. */
  bytes(): Buffer {
    const length = this.int32();
    return this.#take(length === -1 ? 0 : length);
  }

  array<T>(item: () => T): T[] {
    return this.nullableArray(item) ?? [];
  }

  nullableArray<T>(item: () => T): T[] | null {
    const count = this.int32();
    if (count === -1) return null;
    // Each item has a byte at least, so a false count cannot make a long loop.
    if (count < 0 || count > this.#bytes.length - this.#at) throw new Malformed(`${count} items`);
    return Array.from({ length: count }, item);
  }

  /** What a request says of each of several partitions, by topic. */
  topics<T>(part: () => T): Topic<T>[] {
    return this.array(() => ({ name: this.string(), parts: this.array(part) }));
  }

  #take(count: number): Buffer {
    const start = this.#at;
    if (count < 0 || count > this.#bytes.length - start) throw new Malformed(`${count} bytes`);
    this.#at += count;
    return this.#bytes.subarray(start, this.#at);
  }
}

/** Something about each of several partitions. */
export type Topic<P> = { readonly name: string; readonly parts: readonly P[] };

/** Answers for all partitions of a request. */
export function eachPart<P, R>(
  topics: readonly Topic<P>[],
  task: (topic: string, part: P) => R | Promise<R>,
): Promise<Topic<R>[]> {
  return Promise.all(topics.map(async ({ name, parts }) => ({
    name,
    parts: await Promise.all(parts.map((part) => task(name, part))),
  })));
}

/** A part of a response: bytes, and the part of a file that follows them. */
export type Piece = { readonly before: Buffer; readonly slice: Slice };

/** Writes the fields of a response, which may contain parts of files. */
export class Writer {
  readonly pieces: Piece[] = [];
  #bytes: number[] = [];
  #total = 0;

  int8(value: number): this {
    this.#bytes.push(value & 255);
    return this;
  }

  int16(value: number): this {
    return this.int8(value >> 8).int8(value);
  }

  int32(value: number): this {
    return this.int16(value >> 16).int16(value);
  }

  /** A number that a client made up may be rounded, but is no error. */
  int64(value: number): this {
    return this.int32(Math.floor(value / 2 ** 32)).int32(value);
  }

  string(text: string | null): this {
    if (text === null) return this.int16(-1);
    const bytes = Buffer.from(text);
    return this.int16(bytes.length).#raw(bytes);
  }

  bytes(bytes: Uint8Array): this {
    return this.int32(bytes.length).#raw(bytes);
  }

  array<T>(items: readonly T[], each: (item: T) => unknown): this {
    this.int32(items.length);
    for (const item of items) each(item);
    return this;
  }

  topics<T>(topics: readonly Topic<T>[], part: (part: T) => unknown): this {
    return this.array(topics, ({ name, parts }) => this.string(name).array(parts, part));
  }

  /** Appends bytes that stay in their file until they are sent. */
  file(slice: Slice): this {
    this.int32(slice.length);
    this.pieces.push({ before: this.#cut(), slice });
    this.#total += slice.length;
    return this;
  }

  /** Ends the message: writes its size at its start, and returns the bytes after the last piece. */
  finish(): Buffer {
    const rest = this.#cut();
    (this.pieces[0]?.before ?? rest).writeInt32BE(this.#total - 4);
    return rest;
  }

  #raw(bytes: Uint8Array): this {
    for (const byte of bytes) this.#bytes.push(byte);
    return this;
  }

  #cut(): Buffer {
    const cut = Buffer.from(this.#bytes);
    this.#total += cut.length;
    this.#bytes = [];
    return cut;
  }
}

/** Reads an int64 as a number. */
export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}
