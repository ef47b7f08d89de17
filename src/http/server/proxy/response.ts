/** The head of an answer that is passed on: read strictly, and written anew. @module */

import { latin1, latin1Bytes } from "../parser/syntax.ts";
import { Chunked, Counted, type Framing } from "./framing.ts";

/** An answer's head. */
export interface ResponseHead {
  readonly status: number;
  readonly framing: Framing;
  /** For the client, but for the last lines: what becomes of the connection, and an empty one. */
  readonly text: string;
  /** Where the body begins. */
  readonly end: number;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t -~\x80-\xff]*))?$/;
const NAME = /^[\w!#$%&'*+\-.^`|~]+$/;
// deno-lint-ignore no-control-regex -- what is left in a line that ends in CR and LF
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;
const LENGTH = /^\d{1,15}$/;

/** Fields of one hop. */
const OF_THIS_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** What was asked. */
export interface Asked {
  /** Whether it was HEAD: the answer has no body. */
  readonly bodiless: boolean;
  /** 0 or 1, of HTTP/1.x: the client's version. */
  readonly minor: number;
  /** Whether it was for a WebSocket. */
  readonly upgrade: boolean;
  /** The date, for an answer that has none. */
  readonly date: Uint8Array;
}

/** Where the empty line that ends a head begins, or -1. */
export function endOfHead(bytes: Uint8Array, from: number): number {
  for (let at = Math.max(0, from); at + 3 < bytes.length; at++) {
    if (bytes[at] === 13 && bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) {
      return at;
    }
  }
  return -1;
}

/** Reads a head whose empty line begins at `end`; `null` for what is none, or contradicts itself. */
export function readResponse(bytes: Uint8Array, end: number, asked: Asked): ResponseHead | null {
  const [first = "", ...rest] = latin1(bytes, 0, end).split("\r\n");
  const line = STATUS_LINE.exec(first);
  if (line === null) return null;
  const [, minor, code, reason = ""] = line;
  const status = Number(code);
  const fields: [lower: string, name: string, value: string][] = [];
  for (const text of rest) {
    const colon = text.indexOf(":");
    const name = text.slice(0, Math.max(0, colon));
    const value = text.slice(colon + 1).trim();
    if (!NAME.test(name) || CONTROL.test(value)) return null;
    fields.push([name.toLowerCase(), name, value]);
  }
  const valuesOf = (wanted: string) =>
    fields.filter(([lower]) => lower === wanted).map((f) => f[2]);
  const framing = framingOf(status, asked, {
    lengths: valuesOf("content-length"),
    codings: valuesOf("transfer-encoding"),
    minor: Number(minor),
  });
  if (framing === null) return null;
  const dropped = new Set(
    valuesOf("connection").join(",").toLowerCase().split(",").map((option) => option.trim()),
  );
  dropped.delete("content-length");
  let text = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (const [lower, name, value] of fields) {
    if (!OF_THIS_HOP.has(lower) && !dropped.has(lower)) text += `${name}: ${value}\r\n`;
  }
  if (framing instanceof Chunked) text += "Transfer-Encoding: chunked\r\n";
  if (status >= 200 && valuesOf("date").length === 0) {
    text += `Date: ${latin1(asked.date, 0, asked.date.length)}\r\n`;
  }
  return { status, framing, text, end: end + 4 };
}

/** RFC 9112, 6.3, without the cases in which two readers could see two bodies. */
function framingOf(
  status: number,
  { bodiless, minor, upgrade }: Asked,
  said: {
    readonly lengths: readonly string[];
    readonly codings: readonly string[];
    readonly minor: number;
  },
): Framing | null {
  const { codings, lengths } = said;
  if (status === 101) return upgrade ? new Counted(Infinity) : null;
  if (codings.length > 0) {
    if (lengths.length > 0 || said.minor === 0 || minor === 0) return null;
    if (codings.length > 1 || codings[0]!.toLowerCase() !== "chunked") return null;
  }
  if (lengths.length > 1 || !lengths.every((length) => LENGTH.test(length))) return null;
  if (bodiless || status < 200 || status === 204 || status === 304) return new Counted(0);
  if (codings.length > 0) return new Chunked();
  return new Counted(lengths.length === 0 ? Infinity : Number(lengths[0]));
}

/** The whole head; `null` for that of an interim answer, which says nothing of the connection. */
export function clientHead(
  text: string,
  connection: "close" | "keep-alive" | "upgrade" | null,
): Uint8Array {
  if (connection === null) return latin1Bytes(`${text}\r\n`);
  const last = connection === "upgrade"
    ? "Connection: Upgrade\r\nUpgrade: websocket"
    : `Connection: ${connection}`;
  return latin1Bytes(`${text}${last}\r\n\r\n`);
}
