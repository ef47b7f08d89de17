/** Sends a file to an HTTP response. @module */

import type { ServerResponse } from "node:http";
import { useKernelTls } from "../../runtime/kernel_tls/server.ts";
import { cutOff, hasBody, hasNoLength } from "../../runtime/response.ts";
import { mediaType } from "../../media_types.ts";
import { connectionClosed } from "../engine/connection/closed.ts";
import { streamSink } from "../engine/connection/sink.ts";
import { PromisedLength } from "../engine/connection/promised.ts";
import { writeBody } from "../engine/connection/response_body.ts";
import { copyRange } from "../engine/portable_copy.ts";
import type { TransferProgress } from "../engine/progress.ts";
import { sendRange } from "./send_loop.ts";
import type { FileRange, Sender, SendFileOptions } from "./types.ts";

/** Sends the body of a response and ends it. */
export const sendToResponse: Sender<ServerResponse> = async (res, file, options, progress) => {
  if (res.writableEnded || res.destroyed) throw connectionClosed({ syscall: "sendfile" });
  if (res.headersSent) new PromisedLength(res).expect(file.length);
  const added = setHeaders(res, file);
  if (!hasBody(res) || file.length === 0) {
    res.end();
    return;
  }
  try {
    await sendBody(res, file, options, progress);
    res.end();
  } catch (error) {
    if (res.headersSent) cutOff(res);
    // Another response may follow, and must not carry headers about this file.
    else added.forEach((name) => res.removeHeader(name));
    throw error;
  }
};

/** Sets headers that describe the file unless the response has them; returns the names added. */
function setHeaders(
  res: ServerResponse,
  file: { path: string | undefined; length: number },
): string[] {
  if (res.headersSent) return [];
  const added = res.hasHeader("content-type") ? [] : ["Content-Type"];
  if (added.length > 0) res.setHeader("Content-Type", mediaType(file.path ?? ""));
  if (hasNoLength(res)) return added;
  res.setHeader("Content-Length", file.length);
  return [...added, "Content-Length"];
}

async function sendBody(
  res: ServerResponse,
  file: FileRange,
  options: SendFileOptions,
  progress: TransferProgress,
): Promise<void> {
  const sink = streamSink(res);
  if (options.kernelTls === true) await progress.unlessAborted(useKernelTls(res));
  const sent = options.stability !== "copy" && await writeBody(
    res,
    file.length,
    (task) => progress.unlessAborted(task),
    ({ connection, cork }) => sendRange(connection, file, options, progress, sink, cork),
  );
  if (!sent) await copyRange(file.fd, file, sink, progress);
}
