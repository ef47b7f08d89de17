/** Reads heads of HTTP/1.1 requests: RFC 9112, strictly. @module */

import type { Request } from "./answer.ts";

/** A request on a connection that the example reads itself. */
export interface Head extends Request {
  /** Whether another request may follow: the client wants it, and this one has no body. */
  readonly keepAlive: boolean;
}

/** Status for a malformed request. */
export type Refusal = 400 | 431 | 505;

/** Most bytes of a head, as in Node.js. */
const MOST_BYTES = 16 * 1024;

/** Time limit for a complete head, in milliseconds, however slowly it drips in. */
const HEAD_MS = 30_000;

const REQUEST_LINE = /^([\w!#$%&'*+\-.^`|~]+) ([!-~]+) HTTP\/(\d)\.(\d)$/;
const NAME = /^[\w!#$%&'*+\-.^`|~]+$/;
// deno-lint-ignore no-control-regex -- a bare CR or LF ends a line for some readers only
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;

/**
 * Yields the requests of a connection on demand. The socket holds back clients that pipeline. Ends
 * with the connection, after a rejection, or after the last request.
 */
export async function* readHeads(
  chunks: AsyncIterator<Uint8Array>,
  tooSlow: () => void,
): AsyncGenerator<Head | Refusal, void> {
  const decoder = new TextDecoder("latin1");
  let text = "";
  for (;;) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let end: number;
    try {
      for (let from = 0; (end = text.indexOf("\r\n\r\n", from)) < 0;) {
        if (text.length > MOST_BYTES) return yield 431;
        if (text !== "") timer ??= setTimeout(tooSlow, HEAD_MS);
        from = Math.max(0, text.length - 3);
        const { done, value } = await chunks.next();
        if (done) return;
        text += decoder.decode(value);
      }
    } finally {
      clearTimeout(timer);
    }
    const head = end > MOST_BYTES ? 431 : parseHead(text.slice(0, end));
    text = text.slice(end + 4);
    yield head;
    if (typeof head === "number" || !head.keepAlive) return;
  }
}

/** Parses a head without its final empty line. */
export function parseHead(text: string): Head | Refusal {
  // RFC 9112, 2.2: servers ignore an empty line before a request.
  const [requestLine, ...fields] = text.replace(/^\r\n/, "").split("\r\n");
  const match = REQUEST_LINE.exec(requestLine!);
  if (match === null) return 400;
  const [, method = "", target = "", major, minor] = match;
  if (major !== "1") return 505;

  const headers = new Map<string, string>();
  for (const field of fields) {
    const colon = field.indexOf(":");
    // Also rejects a space before the colon and folded lines: neither is part of a name.
    if (!NAME.test(field.slice(0, colon)) || CONTROL.test(field)) return 400;
    const name = field.slice(0, colon).toLowerCase();
    const before = headers.get(name);
    const value = field.slice(colon + 1).trim();
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }

  const host = headers.get("host");
  if (host === undefined ? minor !== "0" : /[\s,/?#@]/.test(host)) return 400;
  const length = headers.get("content-length") ?? "0";
  const coded = headers.has("transfer-encoding");
  if (!/^\d+$/.test(length) || (coded && headers.has("content-length"))) return 400;

  const options = (headers.get("connection") ?? "").toLowerCase().split(",").map((o) => o.trim());
  const wanted = minor === "0" ? options.includes("keep-alive") : !options.includes("close");
  // A body is not read. Its bytes could be taken for the next request.
  const keepAlive = wanted && !coded && Number(length) === 0;
  return { method, target, keepAlive, header: (name) => headers.get(name) };
}
