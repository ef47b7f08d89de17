/** Writes the body of a response without the runtime. @module */

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import {
  contentLength,
  isEligible,
  responseConnection,
  sendHead,
  socketOf,
} from "../../../runtime/response.ts";
import { socketConnection, takesPlaintext } from "../../../runtime/socket.ts";
import { CorkGuard } from "../../../runtime/tcp.ts";
import type { RuntimeConnection } from "../../../runtime/types.ts";
import { available } from "../../../sys/libc.ts";
import { connectionClosed } from "./closed.ts";

/** A response whose head has been sent, in a cork that its owner ends. */
export interface ResponseBody {
  readonly connection: RuntimeConnection;
  readonly cork: CorkGuard;
  /** Ends the cork, and returns the connection to the runtime. */
  close(): void;
}

/**
 * Sends the head of a response that has its socket.
 *
 * @param suits Whether to accept a body of this promised length. Called once the head is sent,
 * because listeners may change it at the last moment.
 * @returns `null` if the runtime must send the body.
 */
export function openBody(
  res: ServerResponse,
  socket: Socket,
  suits: (promised: number | undefined) => boolean,
): ResponseBody | null {
  const connection = socketConnection(socket);
  const cork = new CorkGuard(connection);
  let body: ResponseBody | null = null;
  const close = () => {
    cork.end();
    connection.release();
  };
  try {
    const headSent = sendHead(res);
    if (headSent && isEligible(res) && suits(contentLength(res))) {
      body = { connection: responseConnection(res, connection), cork, close };
    }
    return body;
  } finally {
    if (body === null) close();
  }
}

/**
 * Calls `write` to send a body of `length` bytes, once the response has its socket.
 *
 * @param wait Waits for the socket; may be aborted.
 * @returns Whether `write` was called; if not, the runtime must send the whole body.
 *
 * @throws {SyscallError} When the connection has closed.
 */
export async function writeBody(
  res: ServerResponse,
  length: number,
  wait: <S>(task: Promise<S>) => Promise<S>,
  write: (body: ResponseBody) => Promise<void>,
): Promise<boolean> {
  if (!available() || !isEligible(res) || contentLength(res) !== length) return false;
  const socket = await wait(socketOf(res));
  if (socket === null || !takesPlaintext(socket)) throw connectionClosed({ syscall: "sendfile" });
  const body = openBody(res, socket, (promised) => promised === length);
  try {
    if (body !== null) await write(body);
    return body !== null;
  } finally {
    body?.close();
  }
}
