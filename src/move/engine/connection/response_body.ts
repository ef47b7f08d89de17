/** The body of a response, to be written behind the runtime's back. @module */

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import {
  contentLength,
  isEligible,
  responseConnection,
  sendHead,
  socketOf,
} from "../../../runtime/response.ts";
import { isPlain, socketConnection } from "../../../runtime/socket.ts";
import { CorkGuard } from "../../../runtime/tcp.ts";
import type { RuntimeConnection } from "../../../runtime/types.ts";
import { available } from "../../../sys/libc.ts";
import { connectionClosed } from "./closed.ts";

/** A response whose head is on its way, in a cork that its owner ends. */
export interface ResponseBody {
  readonly connection: RuntimeConnection;
  readonly cork: CorkGuard;
  /** Ends the cork, and gives the connection back. */
  close(): void;
}

/**
 * Sends the head of a response that has its socket.
 *
 * @param suits Whether a body may follow whose promised length is this; asked once the head is sent,
 * for listeners may change it at the last moment.
 * @returns `null` where the runtime has to send the body.
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
 * Has `write` send a body of `length` bytes, once the response has its socket.
 *
 * @param wait Waits for the socket, and may be cut short.
 * @returns What `write` returns; `undefined`, with no byte of the body sent, where the runtime has to
 * send it.
 *
 * @throws {SyscallError} When the connection is gone.
 */
export async function writeBody<T>(
  res: ServerResponse,
  length: number,
  wait: <S>(task: Promise<S>) => Promise<S>,
  write: (body: ResponseBody) => Promise<T>,
): Promise<T | undefined> {
  if (!available() || !isEligible(res) || contentLength(res) !== length) return undefined;
  const socket = await wait(socketOf(res));
  if (socket === null || !isPlain(socket)) throw connectionClosed({ syscall: "sendfile" });
  const body = openBody(res, socket, (promised) => promised === length);
  try {
    return body === null ? undefined : await write(body);
  } finally {
    body?.close();
  }
}
