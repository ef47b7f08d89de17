/** The body of a response, to be written behind the runtime's back. @module */

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import {
  contentLength,
  isEligible,
  responseGuest,
  sendHead,
  socketOf,
} from "../../guest/response.ts";
import { isPlain, socketGuest } from "../../guest/socket.ts";
import { Burst } from "../../guest/tcp.ts";
import type { Guest } from "../../guest/types.ts";
import { available } from "../../sys/libc.ts";
import { connectionClosed } from "../closed.ts";

/** A response whose head is on its way, in a burst that its owner ends. */
export interface ResponseBody {
  readonly guest: Guest;
  readonly burst: Burst;
  /** Ends the burst, and gives the connection back. */
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
  const connection = socketGuest(socket);
  const burst = new Burst(connection);
  let body: ResponseBody | null = null;
  const close = () => {
    burst.end();
    connection.release();
  };
  try {
    sendHead(res);
    if (isEligible(res) && suits(contentLength(res))) {
      body = { guest: responseGuest(res, connection), burst, close };
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
