/** Parses the head of a forwarded response strictly, and writes it anew. @module */

import { trimBlanks } from "../../rules/blanks.ts";
import { latin1, latin1Bytes } from "../parser/syntax.ts";
import { ACCEL, type Redirection, redirectionOf } from "../response/accel.ts";
import { commonFields } from "../response/response.ts";
import { Chunked, Counted, type Framing } from "./framing.ts";

/** The head of a response, from the program or from the server itself. */
export interface AnswerHead {
  readonly status: number;
  readonly framing: Framing;
  /** Whether only the end of the connection tells the client where the body ends. */
  readonly untilEnd: boolean;
  /** Protocols that the program requires with 426 (RFC 9110, 15.5.22). */
  readonly required: string | undefined;
  /** Text for the client, without the last lines: the Connection field and the empty line. */
  readonly text: string;
}

/** A parsed head. */
export interface ResponseHead extends AnswerHead {
  /** Where the body starts. */
  readonly end: number;
  /** The file to send instead. */
  readonly redirection: Redirection | undefined;
  /**
   * Whether the connection may carry another request after the body. False without a body that is
   * framed by the response itself: some programs send one with 204 and 304 all the same.
   */
  readonly reusable: boolean;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t -~\x80-\xff]*))?$/;
const NAME = /^[\w!#$%&'*+\-.^`|~]+$/;
// deno-lint-ignore no-control-regex -- what is left in a line that ends in CR and LF
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;
const LENGTH = /^\d{1,15}$/;

/** Hop-by-hop fields. */
const OF_THIS_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** The request of a response. */
export interface Asked {
  /** Whether it was HEAD, so that the response has no body. */
  readonly bodiless: boolean;
  /** Minor version of the client's HTTP/1.x: 0 or 1. */
  readonly minor: number;
  /** Whether it asked for a WebSocket. */
  readonly upgrade: boolean;
  /** Head of the request, if the response may name a file to send instead. */
  readonly original?: Uint8Array | null;
  /** Date for a response without one. */
  readonly date: Uint8Array;
}

/** Position of the empty line that ends a head, or -1. */
export function endOfHead(bytes: Uint8Array, from: number): number {
  for (let at = Math.max(0, from); at + 3 < bytes.length; at++) {
    if (bytes[at] === 13 && bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) {
      return at;
    }
  }
  return -1;
}

/**
 * Parses a head whose empty line starts at `end`; `null` if it is invalid or contradicts itself.
 */
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
    const value = trimBlanks(text.slice(colon + 1));
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
    valuesOf("connection").join(",").toLowerCase().split(",").map(trimBlanks),
  );
  const reusable = minor === "1" && !dropped.has("close") && status >= 200 && status !== 204 &&
    status !== 304 && !framing.untilEnd;
  dropped.delete("content-length");
  const said = fields.filter(([lower]) => !dropped.has(lower));
  const accel = (asked.original ?? null) !== null;
  const redirection = accel ? redirectionOf(said.map(([lower, , v]) => [lower, v])) : undefined;
  if (redirection === null) return null;
  if (accel) dropped.add(ACCEL);
  // RFC 9110, 8.6: these have no Content-Length.
  if (status < 200 || status === 204) dropped.add("content-length");
  let text = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (const [lower, name, value] of fields) {
    if (!OF_THIS_HOP.has(lower) && !dropped.has(lower)) text += `${name}: ${value}\r\n`;
  }
  const chunked = framing instanceof Chunked;
  if (chunked && asked.minor === 1) text += "Transfer-Encoding: chunked\r\n";
  if (status >= 200) text += commonFields(fields.map(([lower]) => lower));
  if (status >= 200 && valuesOf("date").length === 0) {
    text += `Date: ${latin1(asked.date, 0, asked.date.length)}\r\n`;
  }
  const upgrades = valuesOf("upgrade");
  return {
    status,
    framing,
    untilEnd: framing.untilEnd || (chunked && asked.minor === 0),
    required: status === 426 && upgrades.length > 0 ? upgrades.join(", ") : undefined,
    text,
    end: end + 4,
    redirection: status < 200 ? undefined : redirection,
    reusable,
  };
}

/** RFC 9112, 6.3, without the cases in which two parsers could see two different bodies. */
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
    if (lengths.length > 0 || said.minor === 0) return null;
    if (codings.length > 1 || codings[0]!.toLowerCase() !== "chunked") return null;
  }
  if (lengths.length > 1 || !lengths.every((length) => LENGTH.test(length))) return null;
  if (bodiless || status < 200 || status === 204 || status === 304) return new Counted(0);
  // An HTTP/1.0 client does not know chunks (RFC 9112, 6.1).
  if (codings.length > 0) return new Chunked(minor === 0 ? "data" : "all");
  return new Counted(lengths.length === 0 ? Infinity : Number(lengths[0]));
}

/**
 * Completes a head.
 *
 * @param connection Value of the Connection field; `null` for an interim response, which has none.
 */
export function clientHead(
  text: string,
  connection: "close" | "keep-alive" | "upgrade" | null,
  required?: string,
): Uint8Array {
  if (connection === null) return latin1Bytes(`${text}\r\n`);
  const last = connection === "upgrade"
    ? "Connection: Upgrade\r\nUpgrade: websocket"
    : required === undefined
    ? `Connection: ${connection}`
    : `Connection: ${connection}, upgrade\r\nUpgrade: ${required}`;
  return latin1Bytes(`${text}${last}\r\n\r\n`);
}
