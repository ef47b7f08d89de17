/** The sendfile loop as a promise, with a copy as fallback. @module */

import { CorkGuard } from "../../runtime/tcp.ts";
import type { RuntimeConnection } from "../../runtime/types.ts";
import { isLocal } from "../../threads/blocking/files.ts";
import type { Sink } from "../engine/connection/sink.ts";
import { copyRange } from "../engine/portable_copy.ts";
import type { TransferProgress } from "../engine/progress.ts";
import { sendBytes } from "../engine/connection/output.ts";
import { pumpFile } from "../engine/sendfile_loop.ts";
import type { Call, FileRange, SendFileOptions } from "./types.ts";

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
): Promise<void> {
  const { header, trailer, stability } = options;
  const cork = new CorkGuard(connection);
  try {
    if (header !== undefined) await sendBytes(connection, header, progress, true);
    if (stability === "copy") await copyRange(file.fd, file, sink, progress);
    else await sendRange(connection, file, options, progress, sink, cork, call);
    if (trailer !== undefined) await sendBytes(connection, trailer, progress);
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
): Promise<void> {
  if (file.length === 0) return;
  // If another machine holds the file, even cached pages may be validated with it.
  if (file.remote ?? !isLocal(file.fd)) return await copyRange(file.fd, file, sink, progress);
  const { fd, start, length } = file;
  const window = options.chunkSize;
  const encrypted = options.kernelTls === true && connection.kernelTls === true;
  const method = call?.method ?? (encrypted ? "ktls-sendfile" : "sendfile");
  const move = call?.move;
  const what = { file: fd, start, length, connection, progress, cork, window, move, method };
  const position = await pumpFile(what, true);
  const rest = { start: position, length: start + length - position };
  if (rest.length > 0) await copyRange(fd, rest, sink, progress);
}
