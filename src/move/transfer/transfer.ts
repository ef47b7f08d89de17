/** Moving bytes between any two ends: `transfer`. @module */

import { borrowReading } from "../../runtime/borrow.ts";
import type { BunSocket } from "../../runtime/bun.ts";
import type { DenoConn } from "../../runtime/deno.ts";
import { type Names, ownOptions } from "../../checked.ts";
import { describe } from "../../options.ts";
import { type FdLike, fdOf } from "../../sys/fd.ts";
import { type ByteSource, byteSource, runtimeTarget } from "./runtime_endpoints.ts";
import { openFile } from "../engine/file/open_file.ts";
import { fromDescriptor, fromStream } from "./dispatch.ts";
import { fromBorrowed } from "./connections.ts";
import {
  checkTransfer,
  TRANSFER_OPTIONS,
  type TransferOptions,
  type TransferReport,
} from "./options.ts";

/** Whatever {@linkcode transfer} can read. */
export type TransferSource = string | URL | FdLike | ByteSource | BunSocket | DenoConn;

/** Whatever {@linkcode transfer} can write to. */
export type TransferTarget = FdLike | NodeJS.WritableStream | BunSocket | DenoConn;

/** {@linkcode transfer} by name: its ends and its options in one object. */
export interface TransferRequest extends TransferOptions {
  /** Where the bytes come from. */
  from: TransferSource;
  /** Where they go. */
  to: TransferTarget;
}

/**
 * Moves bytes from one end to another, by the cheapest system call that both allow.
 *
 * Files go to files by splice(2) through a pipe, copy_file_range(2), sendfile(2) or read and write;
 * to pipes by splice(2), to sockets by sendfile(2). Pipes and sockets go anywhere by splice(2), which
 * needs sockets that do not block. What refuses (`EINVAL`, `EXDEV`, `ENOSYS` ...) is followed by the
 * next, which goes on where it stopped; `methods` in the result tells.
 *
 * Connections of the runtime that show their descriptor are written by it, behind what the program
 * has written before; a file goes there as by {@linkcode sendFile}. They are read by it where the runtime
 * can be told to stop at a byte: a `net.Socket` of Node.js that nobody else reads, a socket of Bun's own
 * API, a connection that Deno has accepted. What the runtime has received by then comes first, and
 * afterwards it reads on. Everything else goes through the runtime (`"copy"`): streams, responses, what
 * is encrypted, a `net.Socket` that is read on Bun and Deno.
 *
 * A byte that a peer of a socket has sent as urgent (`MSG_OOB`, see tcp(7)) is left out, as read(2)
 * leaves it out; what follows it is moved.
 *
 * A file is read from `start`, by default from its beginning, and to where it ended when the transfer
 * began; its file position is not used. A pipe, a socket or a stream is read until its end, or until
 * `length` bytes. No end is closed; only an HTTP response is ended.
 *
 * The event loop waits for no disk and for no descriptor, and the flags of descriptors, which others
 * may share, stay as they are. A descriptor that is closed meanwhile ends the transfer with `EBADF`,
 * within about half a second; its number is never used for what is opened next.
 *
 * Two transfers from one pipe or socket at a time get some of the bytes each.
 *
 * @param source A path or `file:` URL; a descriptor, which is borrowed; a stream of Node.js or of the
 * web, a socket, or anything else that yields `Uint8Array`s.
 * @param target A descriptor that is open for writing, which is borrowed; a connection, a response
 * or a writable stream of the runtime.
 * @param options The part to move, and how to watch, slow down and stop it.
 * @returns Once the target has taken the last byte; `bytes` may be fewer than `length`.
 *
 * @throws {TypeError} When an argument is of the wrong kind.
 * @throws {RangeError} When a number is negative, fractional or outside the source.
 * @throws {SyscallError} `EBADF` when a descriptor is not open for this; `EISDIR`; `EINVAL` for what
 * carries no bytes (eventfd, epoll), for overlapping ranges of one file, and when `method` does not
 * suit; `ESPIPE` for an offset where there are none; `EPIPE`, `ECONNRESET` when the reader is gone;
 * `EAGAIN` for a file of the kernel that has nothing to read now, such as `/proc/kmsg`; `EBUSY` for one
 * that only one may open, when it would have to be opened once more not to wait;
 * `ENOSPC`, `EPERM` (sealed), `EIO`; `EFBIG`, in the place of which SIGXFSZ ends Deno.
 * @throws {TruncatedError} When the source, a file, became shorter.
 * @throws {AbortError} When the signal fired; its reason is the `cause`.
 * @throws {UnsupportedError} When `method` cannot be used on these ends.
 * All of the last four carry `bytesMoved`; where the source has no positions, also `bytesHeld`: bytes
 * that were taken from it, did not reach the target and are lost.
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
/** As above, with everything in one object. */
export function transfer(request: TransferRequest): Promise<TransferReport>;
export async function transfer(
  sourceOrRequest: TransferSource | TransferRequest,
  target?: TransferTarget,
  options: TransferOptions = {},
): Promise<TransferReport> {
  if (target === undefined && isRequest(sourceOrRequest)) {
    const { from, to, ...rest } = ownOptions(sourceOrRequest, REQUEST);
    return await start(from, to, rest);
  }
  return await start(sourceOrRequest as TransferSource, target as TransferTarget, options);
}

const REQUEST: Names<TransferRequest> = { ...TRANSFER_OPTIONS, from: true, to: true };

function isRequest(value: unknown): value is TransferRequest {
  return typeof value === "object" && value !== null && "from" in value && "to" in value;
}

async function start(
  source: TransferSource,
  target: TransferTarget,
  options: TransferOptions,
): Promise<TransferReport> {
  const checked = checkTransfer(options);
  const to = runtimeTarget(target) ?? fdOf(descriptorLike(target), "target");
  const reading = borrowReading(source, checked.method !== "copy");
  if (reading !== null) return await fromBorrowed(reading, to, checked);
  const stream = byteSource(source);
  if (stream !== undefined) return await fromStream(stream, to, checked);
  if (typeof source !== "string" && !(source instanceof URL)) {
    return await fromDescriptor(fdOf(descriptorLike(source), "source"), to, checked);
  }
  const { fd, close } = await openFile(source);
  try {
    return await fromDescriptor(fd, to, checked);
  } finally {
    close();
  }
}

function descriptorLike(value: unknown): FdLike {
  if (typeof value === "number") return value;
  if (typeof value === "object" && value !== null && "fd" in value) return value as FdLike;
  throw new TypeError(
    `Cannot transfer from or to ${describe(value)}: expected a descriptor, a stream or, to read ` +
      "from, a path",
  );
}
