/** Parses the head of a forwarded response strictly, and writes it anew. @module */

import { Field } from "../parser/field_names.ts";
import { HeadWriter } from "../parser/head_writer.ts";
import { HeaderFields } from "../parser/header_fields.ts";
import { NameTable } from "../parser/name_table.ts";
import {
  CLASS,
  Class,
  CR,
  digit,
  endOfDigits,
  latin1,
  latin1Bytes,
  LF,
  numberOf,
  SP,
} from "../parser/syntax.ts";
import { ACCEL, type Redirection, redirectionOf } from "../response/accel.ts";
import { commonFields } from "../response/response.ts";
import { Chunked, Counted, type Framing } from "./framing.ts";
import { namedByConnection } from "./hop.ts";

/** The head of a response, from the program or from the server itself. */
export interface AnswerHead {
  readonly status: number;
  readonly framing: Framing;
  /** Whether only the end of the connection tells the client where the body ends. */
  readonly untilEnd: boolean;
  /** Protocols that the program requires with 426 (RFC 9110, 15.5.22). */
  readonly required: string | undefined;
  /** The head for the client, without the last lines: the Connection field and the empty line. */
  readonly lines: Uint8Array;
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

/** What happens to a field on its way to the client. */
const Kind = { HOP: 1, LENGTH: 2, DATE: 3, ACCEL: 4 } as const;

const KINDS = new NameTable({
  "connection": Kind.HOP,
  "keep-alive": Kind.HOP,
  "proxy-connection": Kind.HOP,
  "transfer-encoding": Kind.HOP,
  "upgrade": Kind.HOP,
  "content-length": Kind.LENGTH,
  "date": Kind.DATE,
  [ACCEL]: Kind.ACCEL,
});

/** Most fields of a head of 64 KiB: none is shorter than this many bytes. */
const MOST_FIELDS = 64 * 1024 / 4;

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

/** The fields of a response. One object serves a whole thread. */
class ResponseFields extends HeaderFields {
  /** Parses the fields from `start` to the empty line that ends at `end`; false if one is invalid. */
  parse(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes;
    return this.readFields(start, end) === end;
  }
}

const said = new ResponseFields(MOST_FIELDS);
const writer = new HeadWriter();

/**
 * Parses a head whose empty line starts at `end`; `null` if it is invalid or contradicts itself.
 * The lines of the result are valid until the next call. `date` is for a response without one.
 */
export function readResponse(
  bytes: Uint8Array,
  end: number,
  asked: Asked,
  date: Uint8Array,
): ResponseHead | null {
  const lineEnd = endOfStatusLine(bytes, end);
  if (lineEnd < 0 || !said.parse(bytes, lineEnd + 2, end + 4)) return null;
  const status = numberOf(bytes, CODE_START, CODE_END);
  const minor = bytes[MINOR_PLACE]! - ZERO;
  const framing = framingOf(status, minor, asked);
  if (framing === null) return null;
  const named = namedByConnection(said);
  const reusable = minor === 1 && !named?.has("close") && status >= 200 && status !== 204 &&
    status !== 304 && !framing.untilEnd;
  const redirection = (asked.original ?? null) === null ? undefined : redirectionIn(named);
  if (redirection === null) return null;
  const chunked = framing instanceof Chunked;
  writeLines(bytes, lineEnd, { asked, chunked, date, named, status });
  const upgrades = status === 426 && (said.known & Field.UPGRADE) !== 0;
  return {
    status,
    framing,
    untilEnd: framing.untilEnd || (chunked && asked.minor === 0),
    required: upgrades ? said.header("upgrade") : undefined,
    lines: writer.written,
    end: end + 4,
    redirection: status < 200 ? undefined : redirection,
    reusable,
  };
}

const PROTOCOL = latin1Bytes("HTTP/1.");
const MINOR_PLACE = PROTOCOL.length;
const CODE_START = MINOR_PLACE + 2;
const CODE_END = CODE_START + 3;
const ZERO = 0x30;
const ONE = 0x31;

/** End of `HTTP/1.x 200 reason`; -1 if the line is another one. */
function endOfStatusLine(bytes: Uint8Array, end: number): number {
  for (let i = 0; i < PROTOCOL.length; i++) if (bytes[i] !== PROTOCOL[i]) return -1;
  const minor = bytes[MINOR_PLACE];
  if ((minor !== ZERO && minor !== ONE) || bytes[MINOR_PLACE + 1] !== SP) return -1;
  if (bytes[CODE_START] === ZERO) return -1;
  for (let at = CODE_START; at < CODE_END; at++) if (!digit(bytes[at]!)) return -1;
  let at = CODE_END;
  if (at < end && bytes[at] === SP) {
    while (at < end && (CLASS[bytes[at]!]! & Class.VALUE) !== 0) at++;
  }
  return bytes[at] === CR && bytes[at + 1] === LF ? at : -1;
}

/** The file that the program names, without fields that are for its own connection. */
function redirectionIn(named: ReadonlySet<string> | null): Redirection | undefined | null {
  const fields = said.headers().map(([name, value]): [string, string] => [
    name.toLowerCase(),
    value,
  ]);
  return redirectionOf(fields.filter(([name]) => name === "content-length" || !named?.has(name)));
}

/** Writes the status line and all fields but the last: Connection. */
function writeLines(
  bytes: Uint8Array,
  lineEnd: number,
  { asked, chunked, date, named, status }: {
    readonly asked: Asked;
    readonly chunked: boolean;
    readonly date: Uint8Array;
    readonly named: ReadonlySet<string> | null;
    readonly status: number;
  },
): void {
  const accel = (asked.original ?? null) !== null;
  // RFC 9110, 8.6: these have no Content-Length.
  const lengthless = status < 200 || status === 204;
  writer.begin();
  writer.add(VERSION);
  writer.add(bytes, CODE_START, CODE_END);
  writer.add(BLANK);
  if (lineEnd > CODE_END) writer.add(bytes, CODE_END + 1, lineEnd);
  writer.endLine();
  const { count, fields } = said;
  let dated = false;
  for (let place = 0; place < 4 * count; place += 4) {
    const kind = KINDS.find(bytes, fields[place]!, fields[place + 1]!);
    dated ||= kind === Kind.DATE;
    if (kind === Kind.HOP || (kind === Kind.ACCEL && accel)) continue;
    if (kind === Kind.LENGTH ? lengthless : isNamed(named, bytes, place)) continue;
    writer.field(bytes, fields, place);
  }
  if (chunked && asked.minor === 1) writer.add(CHUNKED);
  if (status < 200) return;
  writer.text(commonFields(() => said.headers().map(([name]) => name)));
  if (dated) return;
  writer.add(DATE);
  writer.add(date);
  writer.endLine();
}

const VERSION = latin1Bytes("HTTP/1.1 ");
const BLANK = latin1Bytes(" ");
const CHUNKED = latin1Bytes("Transfer-Encoding: chunked\r\n");
const DATE = latin1Bytes("Date: ");

function isNamed(named: ReadonlySet<string> | null, bytes: Uint8Array, place: number): boolean {
  if (named === null) return false;
  const { fields } = said;
  return named.has(latin1(bytes, fields[place]!, fields[place + 1]!).toLowerCase());
}

/** RFC 9112, 6.3, without the cases in which two parsers could see two different bodies. */
function framingOf(
  status: number,
  version: number,
  { bodiless, minor, upgrade }: Asked,
): Framing | null {
  if (status === 101) return upgrade ? new Counted(Infinity) : null;
  const { known, twice } = said;
  const coded = (known & Field.TRANSFER_ENCODING) !== 0;
  const counted = (known & Field.CONTENT_LENGTH) !== 0;
  if ((twice & (Field.TRANSFER_ENCODING | Field.CONTENT_LENGTH)) !== 0) return null;
  if (coded) {
    if (counted || version === 0) return null;
    if (said.header("transfer-encoding")!.toLowerCase() !== "chunked") return null;
  }
  const length = counted ? lengthIn() : Infinity;
  if (length < 0) return null;
  if (bodiless || status < 200 || status === 204 || status === 304) return new Counted(0);
  // An HTTP/1.0 client does not know chunks (RFC 9112, 6.1).
  return coded ? new Chunked(minor === 0 ? "data" : "all") : new Counted(length);
}

/** The value of Content-Length; -1 if it is not a number. */
function lengthIn(): number {
  const [start, end] = said.place(Field.CONTENT_LENGTH)!;
  return endOfDigits(said.bytes, start, end) === end ? numberOf(said.bytes, start, end) : -1;
}
