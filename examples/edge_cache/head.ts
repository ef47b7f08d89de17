/** Parses the heads of requests and responses, strictly. @module */

/** Most bytes of a head. */
export const MOST_HEAD: number = 16 * 1024;

/** Header fields by lower-case name; several of one name are joined with commas. */
export type Fields = Map<string, string>;

/** The head of a request. */
export interface RequestHead {
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  readonly fields: Fields;
  readonly keepAlive: boolean;
  /** Bytes of the head. */
  readonly length: number;
}

/** The head of a response. */
export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly fields: Fields;
  /** Names and values in the order of arrival, without those of the connection itself. */
  readonly lines: readonly (readonly [name: string, value: string])[];
  readonly length: number;
}

/** Rejects a head, with the status to answer. */
export class BadHead extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const REQUEST_LINE = /^([A-Z]{1,20}) (\/[\x21-\x7e]*) HTTP\/1\.([01])$/;
const STATUS_LINE = /^HTTP\/1\.[01] ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/;
// deno-lint-ignore no-control-regex -- they could end a line for the next reader
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/;

/** Fields that belong to one connection (RFC 9110, section 7.6.1). */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Parses the head of a request; returns `null` while it is incomplete. */
export function parseRequest(bytes: Buffer): RequestHead | null {
  const head = split(bytes);
  if (head === null) return null;
  const match = REQUEST_LINE.exec(head.first);
  if (match === null) throw new BadHead(400, "malformed request line");
  const { fields, lines } = fieldsOf(head.lines);
  // A body that is not read would be taken for the next request.
  const length = fields.get("content-length");
  if (fields.has("transfer-encoding")) throw new BadHead(400, "requests have no body here");
  if (length !== undefined && length !== "0") throw new BadHead(413, "requests have no body here");
  if (lines.filter(([name]) => name.toLowerCase() === "host").length > 1) {
    throw new BadHead(400, "several hosts");
  }
  const connection = (fields.get("connection") ?? "").toLowerCase();
  const keepAlive = match[3] === "1" ? !connection.includes("close") : connection === "keep-alive";
  return { method: match[1]!, target: match[2]!, fields, keepAlive, length: head.length };
}

/** Parses the head of a response to a request by HTTP/1.0. */
export function parseResponse(bytes: Buffer): ResponseHead | null {
  const head = split(bytes);
  if (head === null) return null;
  const match = STATUS_LINE.exec(head.first);
  if (match === null) throw new BadHead(502, "malformed status line");
  const { fields, lines } = fieldsOf(head.lines);
  if (fields.has("transfer-encoding")) throw new BadHead(502, "HTTP/1.0 has no transfer encodings");
  const length = fields.get("content-length");
  if (length !== undefined && !/^\d{1,15}$/.test(length)) throw new BadHead(502, "bad length");
  return {
    status: Number(match[1]),
    reason: match[2] ?? "",
    fields,
    lines: forwardable(fields, lines),
    length: head.length,
  };
}

/** Removes the fields that belong to one connection. */
export function forwardable(
  fields: Fields,
  lines: Iterable<readonly [string, string]>,
): [string, string][] {
  const named = (fields.get("connection") ?? "").toLowerCase().split(",").map((s) => s.trim());
  const dropped = new Set([...HOP_BY_HOP, ...named]);
  return [...lines].filter(([name]) => !dropped.has(name.toLowerCase())) as [string, string][];
}

function split(bytes: Buffer): { first: string; lines: string[]; length: number } | null {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) {
    if (bytes.length >= MOST_HEAD) throw new BadHead(431, "head too long");
    return null;
  }
  const text = bytes.toString("latin1", 0, end);
  if (CONTROL.test(text)) throw new BadHead(400, "control characters");
  const [first = "", ...lines] = text.split("\r\n");
  return { first, lines, length: end + 4 };
}

function fieldsOf(texts: readonly string[]): { fields: Fields; lines: [string, string][] } {
  const fields: Fields = new Map();
  const lines: [string, string][] = [];
  for (const text of texts) {
    const match = FIELD.exec(text);
    if (match === null) throw new BadHead(400, "malformed field");
    const [, name, value] = match as unknown as [string, string, string];
    const key = name.toLowerCase();
    const before = fields.get(key);
    if (before !== undefined && key === "content-length" && before !== value) {
      throw new BadHead(400, "two lengths");
    }
    const alone = before === undefined || key === "content-length";
    fields.set(key, alone ? value : `${before}, ${value}`);
    lines.push([name, value]);
  }
  return { fields, lines };
}
