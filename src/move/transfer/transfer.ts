/** Moves bytes between any two ends: `transfer`. @module */

import { type Names, ownOptions } from "../../checked.ts";
import type { BunSocket } from "../../runtime/bun.ts";
import type { DenoConn } from "../../runtime/deno.ts";
import { fdIn, type FdLike } from "../../sys/fd.ts";
import { runtimeTarget } from "../engine/connection/sink.ts";
import { openInput, rangeOf, type TransferSource } from "../engine/input.ts";
import { TransferProgress } from "../engine/progress.ts";
import type { BunWebSocket, WebSocketLike, WebWritable } from "../engine/connection/web_targets.ts";
import { follow } from "../follow/follow.ts";
import { move } from "./methods.ts";
import {
  checkTransfer,
  TRANSFER_OPTIONS,
  type TransferOptions,
  type TransferReport,
} from "./options.ts";

/** Whatever {@linkcode transfer} can write to. */
export type TransferTarget =
  | FdLike
  | NodeJS.WritableStream
  | WebWritable
  | WebSocketLike
  | BunWebSocket
  | BunSocket
  | DenoConn;

/** {@linkcode transfer} by name: source, target and options in one object. */
export interface TransferRequest extends TransferOptions {
  /** Source of the bytes. */
  from: TransferSource;
  /** Target of the bytes. */
  to: TransferTarget;
}

/**
 * Moves bytes from one end to another, by the cheapest system call that both allow.
 *
 * From a file to a file, it uses splice(2) through a pipe, copy_file_range(2), sendfile(2) or read
 * and write; to a pipe, splice(2); to a socket, sendfile(2). From pipes and sockets, it uses
 * splice(2), which needs non-blocking sockets. If a call refuses (`EINVAL`, `EXDEV`, `ENOSYS` and
 * others), the next one continues at the same byte; the result's `methods` lists all that were
 * used.
 *
 * A connection of the runtime that exposes its descriptor is written through it, after everything
 * that you have written before; a file goes there as by {@linkcode sendFile}. A connection is read
 * through its descriptor if the runtime can stop at an exact byte: a `net.Socket` of Node.js that
 * nothing else reads, a socket of Bun's own API, a connection that Deno has accepted. Bytes that
 * the runtime has already received come first, and afterwards the runtime reads again. Everything
 * else goes through the runtime (`"copy"`): streams, responses, encrypted connections, `Blob`s,
 * bodies, WebSockets, and reading a `net.Socket` on Bun and Deno.
 *
 * A `WritableStream` of the web is locked meanwhile; each chunk has memory of its own, and the next
 * one follows when the stream has taken it. A WebSocket gets binary messages of at most 64 KiB, and
 * at most 576 KiB wait in it. The file behind a `Blob`, also of `Bun.file()`, is copied: pass its
 * path for sendfile(2).
 *
 * A named pipe that you pass by its path is opened as open(2) does it: the transfer waits for the
 * first writer. A response with a Content-Length gets exactly as many bytes, or is cut off.
 *
 * A byte that a socket's peer has sent as urgent (`MSG_OOB`, see tcp(7)) is skipped, as read(2)
 * skips it; the bytes after it are moved.
 *
 * A file is read from `start`, by default its beginning, to its end at the start of the transfer;
 * its file position is not used. A pipe, a socket or a stream is read to its end, or for `length`
 * bytes. Neither end is closed; only an HTTP response is ended, and the body of a `Request` or a
 * `Response` that is not read to its end is cancelled. A stream of Node.js and a byte stream of the
 * web yield no more than `length` bytes; of other streams, the rest of the last chunk is lost.
 *
 * The event loop waits for no disk and no descriptor. The flags of descriptors, which others may
 * share, stay unchanged. If you close a descriptor meanwhile, the transfer ends with `EBADF` within
 * about half a second; it never uses the number for a file opened later.
 *
 * Two simultaneous transfers from one pipe or socket each get some of the bytes.
 *
 * @param source A path or `file:` URL; a borrowed descriptor; a stream of Node.js or of the web, a
 * socket, or anything else that yields `Uint8Array`s; a `Blob`; a `Request` or `Response`.
 * @param target A borrowed descriptor open for writing; a connection, a response or a writable
 * stream of the runtime; a `WritableStream`, or an object that has one as `writable`; a WebSocket
 * of the web, of the package ws, or of `Bun.serve()`.
 * @param options The part to move, progress, rate limit and signal.
 * @returns Once the target has taken the last byte; `bytes` may be fewer than `length`.
 *
 * @throws {TypeError} When an argument has the wrong type, or when a stream is locked, yields no
 * bytes, or takes back the memory of a chunk.
 * @throws {RangeError} When a number is negative, fractional or outside the source.
 * @throws {SyscallError} `EBADF` when a descriptor is not open for this; `EISDIR`; `EINVAL` for
 * descriptors that carry no bytes (eventfd, epoll), for overlapping ranges of one file, and when
 * `method` does not fit; `ESPIPE` for an offset on an end without positions; `EPIPE`, `ECONNRESET`
 * when the reader has closed; `EAGAIN` for a file of the kernel that has nothing to read
 * now, such as `/proc/kmsg`; `EBUSY` for one that allows one reader only and would block; `ENOSPC`,
 * `EPERM` (sealed), `EIO`; `EMSGSIZE` when a response has promised another length by its
 * Content-Length, `EBUSY` when another operation is sending to it; `EFBIG` (on Deno, SIGXFSZ ends the
 * process instead).
 * @throws {TruncatedError} When the source, a file or a `Blob` of one, was truncated.
 * @throws {AbortError} When the signal fired; its reason is the `cause`.
 * @throws {UnsupportedError} When `method` cannot be used on these ends. The last four errors carry
 * `bytesMoved`. If the source has no positions, they also carry `bytesHeld`: bytes taken from it
 * that did not reach the target and are lost.
 *
 * @example Store an upload without reading it
 * ```ts ignore
 * const { bytes } = await transfer(pipe.readFd, file.fd, { signal, maxRate: 10_000_000 });
 * ```
 *
 * @see {@link https://man7.org/linux/man-pages/man2/splice.2.html}
 * @see {@link https://man7.org/linux/man-pages/man2/copy_file_range.2.html}
 */
export function transfer(
  source: TransferSource,
  target: TransferTarget,
  options?: TransferOptions,
): Promise<TransferReport>;
/** The same, with everything in one object. */
export function transfer(request: TransferRequest): Promise<TransferReport>;
export async function transfer(
  sourceOrRequest: TransferSource | TransferRequest,
  target?: TransferTarget,
  options: TransferOptions = {},
): Promise<TransferReport> {
  if (target !== undefined || !isRequest(sourceOrRequest)) {
    return await start(sourceOrRequest as TransferSource, target as TransferTarget, options);
  }
  const { from, to, ...rest } = ownOptions(sourceOrRequest, REQUEST);
  return await start(from, to, rest);
}

const REQUEST: Names<TransferRequest> = { ...TRANSFER_OPTIONS, from: true, to: true };

function isRequest(value: unknown): value is TransferRequest {
  return typeof value === "object" && value !== null && "from" in value && "to" in value;
}

async function start(
  source: TransferSource,
  target: TransferTarget,
  given: TransferOptions,
): Promise<TransferReport> {
  const options = checkTransfer(given);
  const { method = "auto", signal } = options;
  const to = runtimeTarget(target) ??
    fdIn(target, "target", "transfer to", "a descriptor or a stream");
  if (options.follow === true) return await follow(source, to, options, "transfer");
  const input = await openInput(source, {
    action: "transfer",
    borrows: method !== "copy",
    calls: method !== "auto" && method !== "copy",
    signal,
  });
  try {
    const range = rangeOf(input, options, "transfer bytes");
    const progress = new TransferProgress(options, range.length, "transfer", source);
    return await progress.report(() => move(input, to, { ...range, options, progress }));
  } finally {
    input.close();
  }
}
