/** Opens sources of all kinds. @module */

import { isBytes } from "../../bytes.ts";
import { errnoNumber, SyscallError } from "../../errors.ts";
import { describe, type RangeOptions, resolveRange } from "../../options.ts";
import { type BorrowedReading, borrowReading } from "../../runtime/borrow.ts";
import type { BunSocket } from "../../runtime/bun.ts";
import type { DenoConn } from "../../runtime/deno.ts";
import { type FdLike, fdOf } from "../../sys/fd.ts";
import { available, libc } from "../../sys/libc.ts";
import * as raw from "../../sys/raw/mod.ts";
import { closeEnd, type End, isFile, openEnd } from "./endpoint.ts";
import { describeByRuntime, type Opened, openFile } from "./file/open_file.ts";
import { snapshot } from "./file/pseudo_files.ts";

/** Whatever `transfer` can read. */
export type TransferSource = string | URL | FdLike | ByteSource | BunSocket | DenoConn;

/** Whatever yields bytes: a `Readable`, a socket, a `ReadableStream`, a generator. */
export type ByteSource = AsyncIterable<Uint8Array | string>;

/** A connection that the runtime does not read until the input is closed. */
export interface BorrowedInput {
  readonly kind: "borrowed";
  readonly reading: BorrowedReading;
  /** Bytes that the runtime has received, and gets back when the input is closed. */
  rest: Uint8Array;
  close(): void;
}

/**
 * An open source, by how it is read.
 *
 * `"stream"`: an object of the runtime that yields bytes; its owner closes it. `"file"`: a file, or a
 * copy of its content if the kernel generates that on reading. `"positionless"`: a pipe, a socket or
 * a device. `"portable"`: a file, without system calls.
 */
export type Input =
  | BorrowedInput
  | { readonly kind: "stream"; readonly stream: ByteSource; close(): void }
  | { readonly kind: "file"; readonly end: End; close(): void }
  | { readonly kind: "positionless"; readonly end: End; close(): void }
  | { readonly kind: "portable"; readonly fd: number; readonly size: number; close(): void };

/** How to open an input. */
export interface InputWishes {
  /** For error messages: "transfer" or "broadcast". */
  readonly action: string;
  /** Whether to read a connection through its descriptor even if the runtime could read it. */
  readonly borrows: boolean;
  /** Whether the input must be read by system calls. */
  readonly calls?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens an input. A descriptor is borrowed.
 *
 * @throws {TypeError} When the source has the wrong type.
 * @throws {SyscallError} When it cannot be opened or read.
 * @throws {UnsupportedError} When it cannot be read without system calls.
 */
export async function openInput(source: TransferSource, wishes: InputWishes): Promise<Input> {
  const reading = borrowReading(source, wishes.borrows);
  if (reading !== null) return new Borrowed(reading);
  const stream = byteSource(source);
  if (stream !== undefined) return { kind: "stream", stream, close() {} };
  const { fd, close } = await opened(source, wishes);
  try {
    return available() ? await bySystem(fd, close, wishes) : await portable(fd, close, wishes);
  } catch (error) {
    close();
    throw error;
  }
}

class Borrowed implements BorrowedInput {
  readonly kind = "borrowed";
  readonly reading: BorrowedReading;
  rest: Uint8Array;

  constructor(reading: BorrowedReading) {
    this.reading = reading;
    this.rest = reading.ahead;
  }

  close(): void {
    raw.close(this.reading.fd);
    this.reading.giveBack(this.rest);
  }
}

function opened(source: TransferSource, wishes: InputWishes): Opened | Promise<Opened> {
  if (typeof source === "string" || source instanceof URL) return openFile(source);
  const given = descriptorLike(source, wishes.action, "a path, a descriptor or a stream");
  return { fd: fdOf(given, "source"), close() {} };
}

/** `closeOwn` closes the descriptor if sluice opened it. */
async function bySystem(
  fd: number,
  closeOwn: () => void,
  { signal }: InputWishes,
): Promise<Input> {
  const given = await openEnd(fd, "source");
  const kind = isFile(given) ? "file" : "positionless";
  const end = kind === "file" ? await settled(given, signal) : given;
  return { kind, end, close: () => (closeEnd(end), closeOwn()) };
}

/** Without system calls, only a file can be read: a read of anything else could not be cancelled. */
async function portable(
  fd: number,
  closeOwn: () => void,
  { calls, signal }: InputWishes,
): Promise<Input> {
  // Throws an error that names what is missing.
  if (calls) libc();
  const source = await describeByRuntime(fd, undefined, `fd ${fd}`, () => {}, signal);
  const close = () => (source.close(), closeOwn());
  return { kind: "portable", fd: source.fd, size: source.size, close };
}

/** Copies a file to memory if the kernel generates its content on reading; else returns it as it is. */
async function settled(end: End, signal: AbortSignal | undefined): Promise<End> {
  let copy;
  try {
    copy = await snapshot(end.fd, end.status!, signal);
    if (copy === undefined) return end;
  } catch (error) {
    closeEnd(end);
    throw error;
  }
  closeEnd(end);
  return { ...end, given: copy.fd, ...copy, status: undefined, direct: false };
}

/** The bytes behind an object of the runtime, or `undefined` when it is something else. */
export function byteSource(source: unknown): ByteSource | undefined {
  if (typeof source !== "object" || source === null) return undefined;
  if (Symbol.asyncIterator in source) return source as ByteSource;
  // Connections and files of Deno have one of these, and no descriptor to see.
  const { readable } = source as { readable?: unknown };
  return "fd" in source ? undefined : byteSource(readable);
}

/** A number, or an object that may hold a descriptor. The rest is for the message of the `TypeError`. */
export function descriptorLike(value: unknown, action: string, expected: string): FdLike {
  if (typeof value === "number") return value;
  if (typeof value === "object" && value !== null && "fd" in value) return value as FdLike;
  throw new TypeError(`Cannot ${action} ${describe(value)}: expected ${expected}`);
}

/** Names of inputs without positions, for error messages. */
const NAMES = { stream: "the stream", borrowed: "the connection" } as const;

/**
 * The part of an input to read. An input without positions starts where it is and may have no end.
 *
 * @param action For error messages; follows "Cannot".
 *
 * @throws {RangeError} When the range begins behind the end of a file.
 * @throws {SyscallError} `ESPIPE` for an offset into an input without positions.
 */
export function rangeOf(
  input: Input,
  options: RangeOptions,
  action: string,
): { start: number; length: number } {
  if (input.kind !== "file" && input.kind !== "portable") {
    const { start = 0, end, length = Infinity } = options;
    if (start === 0) return { start, length: end === undefined ? length : end + 1 };
    throw noPositions(input.kind === "positionless" ? `fd ${input.end.given}` : NAMES[input.kind]);
  }
  return resolveRange(options, input.kind === "file" ? input.end.size : input.size, action);
}

/** The error for an offset into an end without positions. */
export function noPositions(name: string): SyscallError {
  const action = `transfer from or to an offset: ${name} has no positions`;
  return new SyscallError({ syscall: "lseek", errno: errnoNumber("ESPIPE"), action });
}

/** A stream of Node.js that bytes can be given back to, and whose iterator need not destroy it. */
interface Returnable extends ByteSource {
  iterator?(options: { destroyOnReturn: boolean }): AsyncIterator<Uint8Array | string>;
  unshift?(bytes: Uint8Array): void;
}

/** Reads what a stream yields, and leaves the stream open. */
export class ByteReader {
  readonly #source: Returnable;
  readonly #iterator: AsyncIterator<Uint8Array | string>;

  constructor(source: ByteSource) {
    this.#source = source;
    this.#iterator = this.#source.iterator?.({ destroyOnReturn: false }) ??
      source[Symbol.asyncIterator]();
  }

  /** The next bytes; `null` at the end. */
  async next(): Promise<Uint8Array | null> {
    const { done, value } = await this.#iterator.next();
    return done ? null : bytesOf(value);
  }

  /** Gives unused bytes back, if the stream accepts them. */
  giveBack(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#source.unshift?.(bytes);
  }

  /** Stops reading. Don't wait for it: a stuck generator would never return. */
  end(): void {
    this.#iterator.return?.().catch(() => {});
  }
}

function bytesOf(value: unknown): Uint8Array {
  if (isBytes(value)) return value;
  if (typeof value === "string") return new TextEncoder().encode(value);
  throw new TypeError(`Cannot transfer ${describe(value)}: the source must yield bytes`);
}
