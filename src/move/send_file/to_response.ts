/** Sending to an HTTP response. @module */

import type { ServerResponse } from "node:http";
import {
  contentLength,
  cutOff,
  hasBody,
  isEligible,
  responseConnection,
  sendHead,
  socketOf,
} from "../../runtime/response.ts";
import { isPlain, socketConnection } from "../../runtime/socket.ts";
import { CorkGuard } from "../../runtime/tcp.ts";
import { mediaType } from "../../media_types.ts";
import { available } from "../../sys/libc.ts";
import { connectionClosed } from "../engine/connection_closed.ts";
import { streamSink } from "../engine/portable_copy.ts";
import type { TransferProgress } from "../engine/progress.ts";
import { copyRest, type FileRange, sendRange } from "./send_loop.ts";
import type { Sender, SendFileOptions, SendMethod } from "./send_file.ts";

/** Sends the body of a response and ends it. */
export const sendToResponse: Sender<ServerResponse> = async (res, file, options, progress) => {
  if (res.writableEnded || res.destroyed) throw connectionClosed({ syscall: "sendfile" });
  const added = setHeaders(res, file);
  if (!hasBody(res) || file.length === 0) {
    res.end();
    return "none";
  }
  try {
    const method = await sendBody(res, file, options, progress);
    res.end();
    return method;
  } catch (error) {
    if (res.headersSent) cutOff(res);
    // Another answer can still be sent, and should not carry what was said of this file.
    else added.forEach((name) => res.removeHeader(name));
    throw error;
  }
};

/** Describes the file, as far as the response does not say more already; returns what was added. */
function setHeaders(
  res: ServerResponse,
  file: { path: string | undefined; length: number },
): string[] {
  if (res.headersSent) return [];
  const added = res.hasHeader("content-type") ? [] : ["Content-Type"];
  if (added.length > 0) res.setHeader("Content-Type", mediaType(file.path ?? ""));
  res.setHeader("Content-Length", file.length);
  return [...added, "Content-Length"];
}

async function sendBody(
  res: ServerResponse,
  file: FileRange,
  options: SendFileOptions,
  progress: TransferProgress,
): Promise<SendMethod> {
  const sink = streamSink(res);
  const eligible = () => isEligible(res) && contentLength(res) === file.length;
  if (options.stability === "copy" || !available() || !eligible()) {
    return await copyRest(file, file.start, sink, progress);
  }
  const socket = await progress.unlessAborted(socketOf(res));
  if (socket === null || !isPlain(socket)) throw connectionClosed({ syscall: "sendfile" });
  const connection = socketConnection(socket);
  const cork = new CorkGuard(connection);
  try {
    const headSent = sendHead(res);
    // Listeners may have changed the head at the last moment.
    return headSent && eligible()
      ? await sendRange(responseConnection(res, connection), file, options, progress, sink, cork)
      : await copyRest(file, file.start, sink, progress);
  } finally {
    cork.end();
    connection.release();
  }
}
