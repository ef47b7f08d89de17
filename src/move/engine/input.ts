/** Opens sources of all kinds. @module */

import { AbortError, errnoNumber, SyscallError } from "../../errors.ts";
import { describe, type RangeOptions, resolveRange } from "../../options.ts";
import { type BorrowedReading, borrowReading } from "../../runtime/borrow.ts";
import type { BunSocket } from "../../runtime/bun.ts";
import type { DenoConn } from "../../runtime/deno.ts";
import { type FdLike, fdOf } from "../../sys/fd.ts";
import { FileType } from "../../sys/file/statx.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import { available, libc } from "../../sys/libc.ts";
import * as raw from "../../sys/raw/mod.ts";
import { ready } from "../../threads/poll/poll_ready.ts";
import { closeEnd, type End, isFile, openEnd } from "./endpoint.ts";
import { describeByRuntime, type Opened, openFile } from "./file/open_file.ts";
import { snapshot } from "./file/pseudo_files.ts";
import { blobInput, bodyReader } from "./web/body.ts";
import { byteReader, type OpenReader } from "./web/byte_reader.ts";
import {
  type ByteSource,
  isWebBlob,
  isWebBody,
  isWebReadable,
  type WebBlob,
  type WebBody,
  type WebReadable,
} from "./web/shapes.ts";

/** Whatever `transfer` can read. */
export type TransferSource =
  | string
  | URL
  | FdLike
  | ByteSource
  | WebReadable
  | WebBlob
  | WebBody
  | BunSocket
  | DenoConn;

/** A connection that the runtime does not read until the input is closed. */
export interface BorrowedInput {
  readonly kind: "borrowed";
  readonly reading: BorrowedReading;
  /** Bytes that the runtime has received, and gets back when the input is closed. */
  rest: Uint8Array;
  close(): void;
}

/** A stream of the runtime or of the web. */
export interface StreamInput {
  readonly kind: "stream";
  readonly open: OpenReader;
  /** Size of a `Blob`; `undefined` without positions. */
  readonly size: number | undefined;
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
  | StreamInput
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
  const stream = streamOf(source);
  if (stream !== undefined) return { kind: "stream", ...stream };
  const { fd, close } = await opened(source, wishes);
  try {
    if (!available()) return await portable(fd, close, wishes);
    return await bySystem(fd, close, wishes, isPath(source));
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

function isPath(source: TransferSource): source is string | URL {
  return typeof source === "string" || source instanceof URL;
}

/**
 * Waits for the first writer of a named pipe that sluice has opened, as open(2) does. A pipe without
 * a writer would look as if it had ended. poll(2) tells the two apart: it reports POLLHUP only if a
 * writer has closed.
 */
async function writerOf(pipe: End, signal: AbortSignal | undefined): Promise<void> {
  try {
    await ready(pipe.fd, PollEvent.IN, { signal });
  } catch (error) {
    closeEnd(pipe);
    throw signal?.aborted ? new AbortError(0, signal.reason) : error;
  }
}

function opened(source: TransferSource, wishes: InputWishes): Opened | Promise<Opened> {
  if (isPath(source)) return openFile(source);
  const given = descriptorLike(source, wishes.action, "a path, a descriptor or a stream");
  return { fd: fdOf(given, "source"), close() {} };
}

/** `closeOwn` closes the descriptor if sluice opened it, as `own` says. */
async function bySystem(
  fd: number,
  closeOwn: () => void,
  { signal }: InputWishes,
  own: boolean,
): Promise<Input> {
  const given = await openEnd(fd, "source");
  if (own && given.type === FileType.FIFO) await writerOf(given, signal);
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

/** What yields the bytes behind an object of the runtime, or `undefined` when it is something else. */
function streamOf(source: unknown): Omit<StreamInput, "kind"> | undefined {
  if (typeof source !== "object" || source === null) return undefined;
  const rest = { size: undefined, close() {} };
  if (isWebReadable(source) || Symbol.asyncIterator in source) {
    return { open: (_, length) => byteReader(source as ByteSource, length), ...rest };
  }
  if (isWebBody(source)) return { open: () => bodyReader(source), ...rest };
  if (isWebBlob(source)) return blobInput(source);
  // Connections and files of Deno have one of these, and no descriptor to see.
  const { readable } = source as { readable?: unknown };
  return "fd" in source ? undefined : streamOf(readable);
}

/** A number, or an object that may hold a descriptor. The rest is for the message of the `TypeError`. */
export function descriptorLike(value: unknown, action: string, expected: string): FdLike {
  if (typeof value === "number") return value;
  if (typeof value === "object" && value !== null && "fd" in value) return value as FdLike;
  throw new TypeError(`Cannot ${action} ${describe(value)}: expected ${expected}`);
}

/** Names an input without positions, for error messages. */
function nameOf({ kind }: Input): string {
  return kind === "borrowed" ? "the connection" : "the stream";
}

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
  const size = input.kind === "file" ? input.end.size : "size" in input ? input.size : undefined;
  if (size === undefined) {
    const { start = 0, end, length = Infinity } = options;
    if (start === 0) return { start, length: end === undefined ? length : end + 1 };
    throw noPositions(input.kind === "positionless" ? `fd ${input.end.given}` : nameOf(input));
  }
  return resolveRange(options, size, action);
}

/** The error for an offset into an end without positions. */
export function noPositions(name: string): SyscallError {
  const action = `transfer from or to an offset: ${name} has no positions`;
  return new SyscallError({ syscall: "lseek", errno: errnoNumber("ESPIPE"), action });
}
