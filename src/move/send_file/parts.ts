/** Sends a body made of parts of a file and bytes from memory. @module */

import type { ServerResponse } from "node:http";
import { cutOff } from "../../runtime/response.ts";
import { withBody } from "../engine/connection/claim.ts";
import { connectionClosed } from "../engine/connection/closed.ts";
import { streamSink, taken } from "../engine/connection/sink.ts";
import { copyRange } from "../engine/portable_copy.ts";
import { type ResponseBody, writeBody } from "../engine/connection/response_body.ts";
import { TransferProgress } from "../engine/progress.ts";
import { sendRange } from "./send_loop.ts";

/** A part of a file, or bytes. */
export type BodyPart = Uint8Array | { readonly start: number; readonly length: number };

/** Responses of which sluice has written on the descriptor of the connection. */
const written = new WeakSet<ServerResponse>();

/** Whether a part of the file has left by a system call of sluice, and not by the runtime's writes. */
export function isSentBySystem(res: ServerResponse): boolean {
  return written.has(res);
}

/**
 * Sends a body of several parts, such as `multipart/byteranges`, and ends the response.
 *
 * The response carries a Content-Length of all parts together. If that cannot be kept, the
 * connection is destroyed.
 *
 * @param file The file; borrowed. If `remote` is missing, its mount is looked up.
 * @param length Bytes of all parts.
 *
 * @throws {SyscallError} `EBUSY` when another operation is sending to the response.
 */
export function sendParts(
  res: ServerResponse,
  file: { readonly fd: number; readonly remote?: boolean | undefined },
  parts: readonly BodyPart[],
  length: number,
): Promise<void> {
  return withBody(res, () => sendAllParts(res, file, parts, length));
}

async function sendAllParts(
  res: ServerResponse,
  file: { readonly fd: number; readonly remote?: boolean | undefined },
  parts: readonly BodyPart[],
  length: number,
): Promise<void> {
  if (res.writableEnded || res.destroyed) throw connectionClosed({ syscall: "sendfile" });
  const progress = new TransferProgress({}, length, "sendFile");
  const sink = streamSink(res);
  const sendAll = async (body: ResponseBody | null): Promise<void> => {
    for (const part of parts) {
      // Through the runtime's own write, so that no bytes of ours wait in a cork at the end.
      if (part instanceof Uint8Array) await taken((body ?? sink).write(part), progress);
      else if (body === null) await copyRange(file.fd, part, sink, progress);
      else {
        written.add(res);
        await sendRange(body.connection, { ...file, ...part }, {}, progress, sink, body.cork);
      }
    }
  };
  await progress.run(async () => {
    try {
      if (!await writeBody(res, length, (task) => task, sendAll)) await sendAll(null);
      res.end();
    } catch (error) {
      if (res.headersSent) cutOff(res);
      throw error;
    }
  });
}
