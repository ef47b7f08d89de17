/** Writes the body of a response without the runtime. @module */

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { bunConnectionOf, mayBypassBun, writeByBun } from "../../../runtime/bun_response.ts";
import {
  contentLength,
  isEligible,
  isUncounted,
  responseConnection,
  sendHead,
  socketOf,
} from "../../../runtime/response.ts";
import { socketConnection, takesPlaintext } from "../../../runtime/socket.ts";
import { CorkGuard } from "../../../runtime/tcp.ts";
import type { RuntimeConnection } from "../../../runtime/types.ts";
import { available } from "../../../sys/libc.ts";
import { connectionClosed } from "./closed.ts";
import { streamSink } from "./sink.ts";

/** A response whose head has been sent, in a cork that its owner ends. */
export interface ResponseBody {
  readonly connection: RuntimeConnection;
  readonly cork: CorkGuard;
  /** Writes bytes through the runtime, between two others. */
  write(bytes: Uint8Array): Promise<void>;
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
      const { write } = streamSink(res);
      body = { connection: responseConnection(res, connection), cork, write, close };
    }
    return body;
  } finally {
    if (body === null) close();
  }
}

/**
 * Whether a body of this length may bypass the runtime: by {@linkcode openBody} if the response is
 * eligible, otherwise by {@linkcode openOnBun}.
 */
export function mayBypass(res: ServerResponse, length: number): boolean {
  return isEligible(res) || (isUncounted(res) && mayBypassBun(res, length));
}

/**
 * Sends the head of a response of Bun with a body of `length` bytes, before it returns, and waits until
 * Bun has passed it on.
 *
 * @returns `null` if Bun must send the body; the head may have been sent.
 */
export async function openOnBun(
  res: ServerResponse,
  length: number,
): Promise<ResponseBody | null> {
  if (!mayBypass(res, length) || contentLength(res) !== length) return null;
  const connection = await bunConnectionOf(res, length);
  if (connection === null) return null;
  const cork = new CorkGuard(connection);
  const close = () => {
    cork.end();
    connection.release();
  };
  const write = (bytes: Uint8Array) => writeByBun(connection, bytes);
  // Listeners may have changed the head.
  if (isUncounted(res) && contentLength(res) === length) return { connection, cork, write, close };
  close();
  return null;
}

/** Waits for a task; may be aborted. */
type Wait = <S>(task: Promise<S>) => Promise<S>;

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
  wait: Wait,
  write: (body: ResponseBody) => Promise<void>,
): Promise<boolean> {
  if (!available() || contentLength(res) !== length) return false;
  const body = isEligible(res)
    ? await openNow(res, length, wait)
    : await openWhileWaiting(res, length, wait);
  try {
    if (body !== null) await write(body);
    return body !== null;
  } finally {
    body?.close();
  }
}

async function openNow(
  res: ServerResponse,
  length: number,
  wait: Wait,
): Promise<ResponseBody | null> {
  const socket = await wait(socketOf(res));
  if (socket === null || !takesPlaintext(socket)) throw connectionClosed({ syscall: "sendfile" });
  return openBody(res, socket, (promised) => promised === length);
}

async function openWhileWaiting(
  res: ServerResponse,
  length: number,
  wait: Wait,
): Promise<ResponseBody | null> {
  const opening = openOnBun(res, length);
  try {
    return await wait(opening);
  } catch (error) {
    opening.then((late) => late?.close(), () => {});
    throw error;
  }
}
