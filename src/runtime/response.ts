/** Which HTTP responses may be finished behind the runtime's back. @module */

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { builtin } from "../builtins.ts";
import { isKnownResponse, type ResponseInternals } from "./internals.ts";
import { isPlain } from "./socket.ts";
import type { RuntimeConnection } from "./types.ts";

/** Whether `target` looks like a response of `node:http` or of `node:http2`. */
export function isResponse(target: object): target is ServerResponse {
  const { writeHead, setHeader, end } = target as Partial<ServerResponse>;
  return [writeHead, setHeader, end].every((method) => typeof method === "function");
}

/** Whether this response has a body at all: those to HEAD, and 204 and 304, have none. */
export function hasBody(res: ServerResponse): boolean {
  return (res as ResponseInternals)._hasBody !== false && res.req?.method !== "HEAD" &&
    res.statusCode !== 204 && res.statusCode !== 304;
}

/** The Content-Length that the peer has been told or will be, or `undefined`. */
export function contentLength(res: ServerResponse): number | undefined {
  const { _header: head } = res as ResponseInternals;
  // What was passed to writeHead() is in the text alone.
  const value = res.headersSent && typeof head === "string"
    ? /\r\ncontent-length: *(\d+) *\r\n/i.exec(head)?.[1]
    : res.getHeader("content-length");
  return value === undefined ? undefined : Number(value);
}

/**
 * Whether the body of this response may bypass the runtime.
 *
 * Not when there is none, when it is patched (compression, test doubles), chunked, counted by the
 * runtime, encrypted, of HTTP/2, or when the runtime shows no descriptor. Ask again once the head
 * has been sent: listeners may change it until then.
 */
export function isEligible(res: ServerResponse): boolean {
  const { OutgoingMessage, ServerResponse } = builtin("http");
  // Where both are one, a patch of ServerResponse.prototype shows as well.
  const { write, end } = OutgoingMessage.prototype;
  if (!(res instanceof ServerResponse) || res.write !== write || res.end !== end) return false;
  const open = !res.writableEnded && !res.destroyed;
  const counted = res.chunkedEncoding || res.hasHeader("transfer-encoding") ||
    res.strictContentLength;
  const socket = res.socket ?? socketAhead(res);
  return open && !counted && isKnownResponse(res) && hasBody(res) && socket !== null &&
    isPlain(socket);
}

/** The socket that a response will get, while another one has it: requests may be pipelined. */
function socketAhead(res: ServerResponse): Socket | null {
  const socket: Socket & { _httpMessage?: unknown } | undefined = res.req?.socket;
  return socket?._httpMessage ? socket : null;
}

/** Cuts a response off in such a way that its peer cannot take it for complete. */
export function cutOff(res: ServerResponse): void {
  const { stream } = res as { stream?: { destroy?(error: Error): void } };
  // A stream of HTTP/2 that is destroyed without an error looks to its peer like an ordinary end.
  // Of the error nobody hears: this API listens to those of its streams, and drops them.
  if (typeof stream?.destroy === "function") stream.destroy(new Error("The response was cut off"));
  else res.destroy();
}

/** What waits for the end of a connection: any number of responses, by one listener. */
const waiting = new WeakMap<Socket, Set<() => void>>();

/** Calls `listener` when a connection closes; the returned function takes that back. */
function onClose(connection: Socket, listener: () => void): () => void {
  let listeners = waiting.get(connection);
  if (listeners === undefined) {
    const added = listeners = new Set();
    waiting.set(connection, added);
    connection.once("close", () => [...added].forEach((each) => each()));
  }
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The socket of a response; waits while it stands behind another one in a pipeline. */
export function socketOf(res: ServerResponse): Promise<Socket | null> {
  if (res.socket !== null) return Promise.resolve(res.socket);
  if (res.destroyed) return Promise.resolve(null);
  return new Promise((resolve) => {
    // Deno tells a waiting response nothing when the connection goes, only its request's socket.
    const { socket: connection } = res.req;
    const settle = () => {
      res.off("socket", settle);
      res.off("close", settle);
      forget();
      resolve(res.socket);
    };
    res.on("socket", settle);
    res.on("close", settle);
    const forget = onClose(connection, settle);
    if (connection.destroyed) settle();
  });
}

/** Passes the head to the socket, unless that has happened; false when the socket has not got it. */
export function sendHead(res: ServerResponse): boolean {
  const internals = res as ResponseInternals;
  if (internals._headerSent !== true) res.flushHeaders();
  return internals._headerSent === true;
}

/**
 * Narrows the runtime connection of a connection to one eligible response on it.
 *
 * It is gone as soon as the response has ended, or has lost its socket: what follows on the
 * connection is the next response.
 */
export function responseConnection(
  res: ServerResponse,
  connection: RuntimeConnection,
): RuntimeConnection {
  const { socket } = res;
  const current = () => !res.writableEnded && res.socket === socket;
  return {
    fd: () => current() ? connection.fd() : -1,
    queued: () => connection.queued(),
    write: (bytes, done) => connection.write!(bytes, done),
    timed: () => connection.timed(),
    touch: () => connection.touch(),
    destroy: () => connection.destroy(),
    release: () => connection.release(),
  };
}
