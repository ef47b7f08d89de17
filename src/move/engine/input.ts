/** Opens sources of all kinds. @module */

import { AbortError, errnoNumber, SyscallError } from "../../errors.ts";
import { type RangeOptions, resolveRange } from "../../options.ts";
import type { BunSocket } from "../../runtime/bun.ts";
import type { DenoConn } from "../../runtime/deno.ts";
import { type BorrowedInput, borrowReading } from "../../runtime/reading/borrow.ts";
import {
  type ByteSource,
  type StreamInput,
  streamOf,
  type WebBlob,
  type WebBody,
  type WebReadable,
} from "../../runtime/reading/readers.ts";
import { fdIn, type FdLike } from "../../sys/fd.ts";
import { FileType } from "../../sys/file/statx.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import { available, libc } from "../../sys/libc.ts";
import { type Opened, openFile } from "../../threads/blocking/opening.ts";
import { ready } from "../../threads/poll/poll_ready.ts";
import { closeEnd, type End, goBuffered, isFile, openEnd } from "./endpoint.ts";
import { describeByRuntime } from "./file/open_file.ts";
import { snapshot } from "./file/pseudo_files.ts";

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
  /** Whether a file that is open with `O_DIRECT` is read through the page cache. */
  readonly buffered?: boolean;
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
  if (typeof source === "string" || source instanceof URL) {
    const { fd, close } = await openFile(source);
    return await fromDescriptor(fd, close, wishes);
  }
  const input = borrowReading(source, wishes.borrows) ?? streamOf(source);
  if (input !== undefined) return input;
  const fd = fdIn(source, "source", wishes.action, "a path, a descriptor or a stream");
  return await fromDescriptor(fd, undefined, wishes);
}

/** `close` closes a descriptor that sluice has opened; one of the caller stays open. */
async function fromDescriptor(
  fd: number,
  close: Close | undefined,
  wishes: InputWishes,
): Promise<Input> {
  try {
    return await (available() ? bySystem : portable)(fd, close, wishes);
  } catch (error) {
    close?.();
    throw error;
  }
}

type Close = Opened["close"];

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

async function bySystem(
  fd: number,
  close: Close | undefined,
  { buffered, signal }: InputWishes,
): Promise<Input> {
  const given = await openEnd(fd, "source");
  if (close !== undefined && given.type === FileType.FIFO) await writerOf(given, signal);
  const kind = isFile(given) ? "file" : "positionless";
  const end = kind === "file" ? await settled(given, signal) : given;
  if (buffered) goBuffered(end, "source");
  return { kind, end, close: () => (closeEnd(end), close?.()) };
}

/** Without system calls, only a file can be read: a read of anything else could not be cancelled. */
async function portable(
  fd: number,
  close: Close | undefined,
  { calls, signal }: InputWishes,
): Promise<Input> {
  // Throws an error that names what is missing.
  if (calls) libc();
  const source = await describeByRuntime(fd, undefined, `fd ${fd}`, () => close?.(), signal);
  return { kind: "portable", fd: source.fd, size: source.size, close: source.close };
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
