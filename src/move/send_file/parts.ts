/** Sending a body that is made of parts of a file and bytes of our own. @module */

import type { ServerResponse } from "node:http";
import {
  contentLength,
  cutOff,
  isEligible,
  responseConnection,
  sendHead,
  socketOf,
} from "../../runtime/response.ts";
import { isPlain, socketConnection } from "../../runtime/socket.ts";
import { CorkGuard } from "../../runtime/tcp.ts";
import type { RuntimeConnection } from "../../runtime/types.ts";
import { available } from "../../sys/libc.ts";
import { connectionClosed } from "../engine/connection_closed.ts";
import { copyRange, type Sink, streamSink, taken } from "../engine/portable_copy.ts";
import { TransferProgress } from "../engine/progress.ts";
import { sendRange } from "./send_loop.ts";

/** A part of a file, or bytes. */
export type BodyPart = Uint8Array | { readonly start: number; readonly length: number };

/**
 * Sends a body of several parts, such as `multipart/byteranges`, and ends the response.
 *
 * The response carries a Content-Length of all of them together. When that cannot be kept, the
 * connection is destroyed.
 *
 * @param file Descriptor of the file; borrowed.
 * @param length Bytes of all parts.
 */
export async function sendParts(
  res: ServerResponse,
  file: number,
  parts: readonly BodyPart[],
  length: number,
): Promise<void> {
  if (res.writableEnded || res.destroyed) throw connectionClosed({ syscall: "sendfile" });
  const progress = new TransferProgress({}, length);
  const sink = streamSink(res);
  let failure: Error | undefined;
  try {
    if (!(available() && await sendDirectly(res, file, parts, length, sink, progress))) {
      for (const part of parts) {
        if (part instanceof Uint8Array) await taken(sink.write(part), progress);
        else await copyRange(file, part, sink, progress);
      }
    }
    res.end();
  } catch (error) {
    failure = error as Error;
    if (res.headersSent) cutOff(res);
    throw error;
  } finally {
    progress.publish(failure);
  }
}

/** By the descriptor of the connection; `false`, with nothing sent, where that may not be used. */
async function sendDirectly(
  res: ServerResponse,
  file: number,
  parts: readonly BodyPart[],
  length: number,
  sink: Sink,
  progress: TransferProgress,
): Promise<boolean> {
  const eligible = () => isEligible(res) && contentLength(res) === length;
  if (!eligible()) return false;
  const socket = await socketOf(res);
  if (socket === null || !isPlain(socket)) throw connectionClosed({ syscall: "sendfile" });
  const connection = socketConnection(socket);
  const cork = new CorkGuard(connection);
  try {
    sendHead(res);
    // Listeners may have changed the head at the last moment.
    if (!eligible()) return false;
    const runtimeConnection: RuntimeConnection = responseConnection(res, connection);
    for (const part of parts) {
      // By the runtime's own write: nothing of ours may be left waiting for more at the end.
      if (part instanceof Uint8Array) await taken(sink.write(part), progress);
      else await sendRange(runtimeConnection, { fd: file, ...part }, {}, progress, sink, cork);
    }
    return true;
  } finally {
    cork.end();
    connection.release();
  }
}
