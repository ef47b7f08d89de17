/** A pump as a promise, with the copy that takes over where sendfile(2) refuses. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { errnoName, SyscallError } from "../../errors.ts";
import { CorkGuard } from "../../runtime/tcp.ts";
import type { RuntimeConnection } from "../../runtime/types.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import * as raw from "../../sys/raw/mod.ts";
import { isLocal } from "../../threads/blocking/files.ts";
import { ready } from "../../threads/poll/poll_ready.ts";
import { connectionClosed } from "../engine/connection_closed.ts";
import { copyRange, type Sink, taken } from "../engine/portable_copy.ts";
import type { TransferProgress } from "../engine/progress.ts";
import { type Move, Pump } from "../engine/sendfile_loop.ts";
import type { SendFileOptions, SendMethod } from "./send_file.ts";

const { DONTWAIT, NOSIGNAL, MORE } = platform.message;

/** What sendfile(2) says of a file or a target that it cannot do: a copy can. See sendfile(2), NOTES. */
export const UNSUPPORTED: ReadonlySet<string> = new Set([
  "EINVAL", // the file cannot be mapped (procfs, FUSE), or the target appends
  "ENOSYS", // an emulated kernel
  "EOPNOTSUPP", // network file systems
  "EPERM", // seccomp
  "EOVERFLOW", // network file systems, large offsets
]);

/** The part of a file to send. */
export interface FileRange {
  readonly fd: number;
  readonly start: number;
  readonly length: number;
}

/** The system call to use instead of sendfile(2), and what it is called in the result. */
export interface Call {
  readonly move: Move;
  readonly method: SendMethod;
}

/**
 * Sends header, file and trailer to a connection in one corked cork, and destroys its connection when
 * that fails half-way.
 */
export async function sendToConnection(
  connection: RuntimeConnection,
  file: FileRange,
  options: SendFileOptions,
  progress: TransferProgress,
  sink: Sink,
  call?: Call,
): Promise<SendMethod> {
  const { header, trailer, stability } = options;
  const cork = new CorkGuard(connection);
  try {
    if (header !== undefined) await sendBytes(connection, header, progress);
    const method = stability === "copy"
      ? await copyRest(file, file.start, sink, progress)
      : await sendRange(connection, file, options, progress, sink, cork, call);
    if (trailer !== undefined) await sendBytes(connection, trailer, progress);
    return method;
  } catch (error) {
    if (progress.bytes > 0 || header !== undefined) connection.destroy();
    throw error;
  } finally {
    cork.end();
  }
}

/** Sends the file alone, by sendfile and, from where that refuses, by copying. */
export async function sendRange(
  connection: RuntimeConnection,
  file: FileRange,
  options: SendFileOptions,
  progress: TransferProgress,
  sink: Sink,
  cork: CorkGuard,
  call?: Call,
): Promise<SendMethod> {
  if (file.length === 0) return "none";
  // Even what is in the page cache may be asked for again where another machine has the file.
  if (!isLocal(file.fd)) return await copyRest(file, file.start, sink, progress);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { start, length } = file;
  const window = options.chunkSize;
  const { move, method } = call ?? {};
  const pump = new Pump(
    { file: file.fd, start, length, connection, progress, cork, window, move, method },
    (end) => end === undefined ? resolve() : reject(end),
  );
  try {
    pump.start();
    await promise;
    return method ?? "sendfile";
  } catch (error) {
    if (!(error instanceof SyscallError && UNSUPPORTED.has(error.code))) throw error;
    return await copyRest(file, pump.position, sink, progress);
  } finally {
    await pump.idle;
  }
}

/** Copies what is left of a file from `from` on. */
export async function copyRest(
  file: FileRange,
  from: number,
  sink: Sink,
  progress: TransferProgress,
): Promise<SendMethod> {
  if (file.length === 0) return "none";
  const length = file.start + file.length - from;
  await copyRange(file.fd, { start: from, length }, sink, progress);
  return "copy";
}

/**
 * Sends bytes of our own ahead of what follows: straight to the kernel where nothing is queued, by
 * the runtime where something is, or where the socket is full.
 */
export async function sendBytes(
  connection: RuntimeConnection,
  bytes: Uint8Array,
  progress: TransferProgress,
): Promise<void> {
  while (bytes.length > 0) {
    const fd = connection.fd();
    if (fd < 0) throw connectionClosed({ syscall: "send", bytesMoved: progress.bytes });
    if (!connection.queued()) bytes = bytes.subarray(sendNow(fd, bytes, progress));
    if (bytes.length === 0) return;
    if (connection.write !== null) return await taken(writeAll(connection, bytes), progress);
    await taken(ready(fd, PollEvent.OUT), progress);
  }
}

/** Bytes that every pipe with a free slot takes: see pipe(7), "PIPE_BUF". */
const PIPE_BUF = 4096;

/** How many bytes the kernel takes without waiting. */
function sendNow(fd: number, bytes: Uint8Array, { bytes: bytesMoved }: TransferProgress): number {
  let sent = raw.send(fd, bytes, DONTWAIT | NOSIGNAL | MORE);
  if (errnoName(-sent) === "ENOTSOCK") {
    if (raw.poll(fd, PollEvent.OUT, 0) === 0) return 0;
    sent = raw.write(fd, bytes.subarray(0, PIPE_BUF));
  }
  if (sent >= 0) return sent;
  const code = errnoName(-sent);
  if (code === "EAGAIN" || code === "EINTR") return 0;
  throw code === "EPIPE" || code === "ECONNRESET"
    ? connectionClosed({ syscall: "send", code, bytesMoved })
    : new SyscallError({
      syscall: "send",
      errno: -sent,
      action: `send bytes to fd ${fd}`,
      bytesMoved,
    });
}

function writeAll(connection: RuntimeConnection, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.write!(bytes, (error) => error ? reject(error) : resolve());
  });
}
