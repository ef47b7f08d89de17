/** The sendfile loop as a promise, with a copy as fallback. @module */

import { CorkGuard } from "../../runtime/tcp.ts";
import type { RuntimeConnection } from "../../runtime/types.ts";
import { isLocal } from "../../threads/blocking/files.ts";
import type { Sink } from "../engine/connection/sink.ts";
import { copyRange } from "../engine/portable_copy.ts";
import type { TransferProgress } from "../engine/progress.ts";
import { sendBytes } from "../engine/connection/output.ts";
import { pumpFile } from "../engine/sendfile_loop.ts";
import type { Call, FileRange, SendFileOptions, SendMethod } from "./types.ts";

/**
 * Sends header, file and trailer to a connection in one cork; destroys the connection if that fails
 * halfway.
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
    if (header !== undefined) await sendBytes(connection, header, progress, true);
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

/** Sends the file alone, by sendfile; if that is refused, copies the rest. */
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
  // If another machine holds the file, even cached pages may be validated with it.
  if (file.remote ?? !isLocal(file.fd)) return await copyRest(file, file.start, sink, progress);
  const { fd, start, length } = file;
  const window = options.chunkSize;
  const encrypted = options.kernelTls === true && connection.kernelTls === true;
  const method = call?.method ?? (encrypted ? "ktls-sendfile" : "sendfile");
  const move = call?.move;
  const what = { file: fd, start, length, connection, progress, cork, window, move, method };
  const position = await pumpFile(what, true);
  if (position < start + length) return await copyRest(file, position, sink, progress);
  return method;
}

/** Copies the rest of a file from `from` on. */
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
