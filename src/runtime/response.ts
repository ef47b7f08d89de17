/** Decides which HTTP responses sluice may finish without the runtime. @module */

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { builtin } from "../builtins.ts";
import { isKnownResponse, type ResponseInternals } from "./internals.ts";
import { takesPlaintext } from "./socket.ts";
import type { RuntimeConnection } from "./types.ts";

/** Whether `target` looks like a response of `node:http` or of `node:http2`. */
export function isResponse(target: object): target is ServerResponse {
  const { writeHead, setHeader, end } = target as Partial<ServerResponse>;
  return [writeHead, setHeader, end].every((method) => typeof method === "function");
}

/** Whether this response has a body: responses to HEAD, and 204 and 304, have none. */
export function hasBody(res: ServerResponse): boolean {
  return (res as ResponseInternals)._hasBody !== false && res.req?.method !== "HEAD" &&
    res.statusCode !== 204 && res.statusCode !== 304;
}

/**
 * Whether a part of the body may have been written. Node.js and Deno tell a head that only waits;
 * elsewhere, such a head counts as sent.
 */
export function isBegun(res: ServerResponse): boolean {
  return isKnownResponse(res) ? (res as ResponseInternals)._headerSent === true : res.headersSent;
}

/**
 * Whether the program has asked for HTTP chunks, or for trailers, which only chunks carry. A
 * Content-Length would contradict that.
 */
export function wantsChunks(res: ServerResponse): boolean {
  return res.hasHeader("transfer-encoding") || res.hasHeader("trailer");
}

/** Whether a response may not announce a length: RFC 9110, 8.6, forbids it for 204. */
export function hasNoLength(res: ServerResponse): boolean {
  return wantsChunks(res) || res.statusCode === 204;
}

/** The Content-Length that the peer gets, or `undefined`. */
export function contentLength(res: ServerResponse): number | undefined {
  const { _header: head } = res as ResponseInternals;
  // Headers passed to writeHead() are in this text only.
  const value = res.headersSent && typeof head === "string"
    ? /\r\ncontent-length: *(\d+) *\r\n/i.exec(head)?.[1]
    : res.getHeader("content-length");
  const length = value === undefined || wantsChunks(res) ? NaN : Number(value);
  return Number.isNaN(length) ? undefined : length;
}

/**
 * Whether the body of this response may bypass the runtime.
 *
 * It may not if there is no body, or if the response is patched (compression, test doubles),
 * chunked, counted by the runtime, encrypted by it or HTTP/2, or if the runtime hides the descriptor
 * (see bun_response.ts).
 * Check again once the head has been sent: listeners may change the response until then.
 */
export function isEligible(res: ServerResponse): boolean {
  const { OutgoingMessage, ServerResponse } = builtin("http");
  // If both are the same function, a patch of ServerResponse.prototype shows as well.
  const { write, end } = OutgoingMessage.prototype;
  if (!(res instanceof ServerResponse) || res.write !== write || res.end !== end) return false;
  const socket = res.socket ?? socketAhead(res);
  return isUncounted(res) && isKnownResponse(res) && socket !== null && takesPlaintext(socket);
}

/** Whether the response is open, has a body, and nothing between it and the connection counts that. */
export function isUncounted(res: ServerResponse): boolean {
  const open = !res.writableEnded && !res.destroyed;
  const counted = res.chunkedEncoding || res.hasHeader("transfer-encoding") ||
    res.strictContentLength;
  return open && !counted && hasBody(res);
}

/** The socket that a response will get once the responses before it are done (pipelining). */
function socketAhead(res: ServerResponse): Socket | null {
  const socket: Socket & { _httpMessage?: unknown } | undefined = res.req?.socket;
  return socket?._httpMessage ? socket : null;
}

/** Aborts a response so that its peer cannot mistake it for complete. */
export function cutOff(res: ServerResponse): void {
  const { stream } = res as { stream?: { destroy?(error: Error): void } };
  // An HTTP/2 stream destroyed without an error looks complete to its peer. No code sees the error:
  // the compatibility API listens to errors of its streams and drops them.
  if (typeof stream?.destroy === "function") stream.destroy(new Error("The response was cut off"));
  else res.destroy();
}

/**
 * Listeners for the end of a connection: any number of responses, with one listener on the socket.
 */
const waiting = new WeakMap<Socket, Set<() => void>>();

/** Calls `listener` when a connection closes. Returns a function that unregisters it. */
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

/** The socket of a response; waits while earlier responses of a pipeline use it. */
export function socketOf(res: ServerResponse): Promise<Socket | null> {
  if (res.socket !== null) return Promise.resolve(res.socket);
  if (res.destroyed) return Promise.resolve(null);
  return new Promise((resolve) => {
    // On Deno, a waiting response gets no event when the connection closes; its request's socket
    // does.
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

/**
 * Passes the head to the socket, unless that has happened. Returns false if the socket lacks it.
 */
export function sendHead(res: ServerResponse): boolean {
  const internals = res as ResponseInternals;
  if (internals._headerSent !== true) res.flushHeaders();
  return internals._headerSent === true;
}

/**
 * Restricts the runtime connection of a socket to one eligible response.
 *
 * The connection counts as closed once the response has ended or lost its socket: later bytes
 * belong to the next response.
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
    kernelTls: connection.kernelTls,
    write: (bytes, done) => connection.write!(bytes, done),
    listener: (use) => connection.listener(use),
    timed: () => connection.timed(),
    touch: () => connection.touch(),
    destroy: () => connection.destroy(),
    release: () => connection.release(),
  };
}
