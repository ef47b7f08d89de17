/** Checks what the fields of a request say about the message; rejects contradictions. @module */

import { Field, ONCE } from "./field_names.ts";
import { equalsIgnoringCase } from "./name_table.ts";
import { isAuthority } from "../../rules/authority.ts";
import { trimBlanks } from "../../rules/blanks.ts";
import { splitTarget } from "../../rules/target.ts";
import { Method } from "./request_line.ts";
import {
  CLASS,
  Class,
  COLON,
  digit,
  latin1,
  latin1Bytes,
  MOST_DIGITS,
  numberOf,
} from "./syntax.ts";

/** Value of `bodyLength` for a body in chunks. */
export const CHUNKED = -1;

/** The head, as far as it has been read. */
export interface Message {
  readonly bytes: Uint8Array;
  readonly fields: Int32Array;
  readonly count: number;
  readonly known: number;
  readonly twice: number;
  readonly hostField: number;
  readonly minor: number;
  readonly method: number;
  readonly methodName: string;
  readonly target: string;
  readonly targetStart: number;
  keepAlive: boolean;
  bodyLength: number;
  named(index: number, bit: number): boolean;
}

const KEEP_ALIVE = latin1Bytes("keep-alive");
const CLOSE = latin1Bytes("close");
const CHUNKED_CODING = latin1Bytes("chunked");

/** Checks the fields; returns 0, or the negated status of the error response. */
export function judge(head: Message): number {
  const { known, minor } = head;
  head.bodyLength = 0;
  head.keepAlive = minor === 1;
  if ((head.twice & ONCE) !== 0) return -400;
  if (head.bytes[head.targetStart] !== SLASH && !validTarget(head)) return -400;
  if (head.hostField < 0 ? minor === 1 : !validHost(head)) return -400;
  if ((known & Field.CONNECTION) !== 0) connection(head);
  if ((known & (Field.CONTENT_LENGTH | Field.TRANSFER_ENCODING)) === 0) return 0;
  return body(head);
}

/** Checks that the form of the target fits the method: RFC 9112, 3.2. */
function validTarget({ method, methodName, target }: Message): boolean {
  if (target === "*") return method === Method.OPTIONS;
  // The authority form. No tunnel is opened: the response is 405.
  if (methodName === "CONNECT") return isAuthority(target);
  return splitTarget(target) !== 400;
}

/** A name or an address, in brackets if it has colons, and an optional port. */
function validHost({ bytes, fields, hostField }: Message): boolean {
  const start = fields[4 * hostField + 2]!;
  const end = fields[4 * hostField + 3]!;
  if (bytes[start] === OPENING) return isAuthority(latin1(bytes, start, end));
  let at = start;
  for (; at < end && bytes[at] !== COLON; at++) {
    const byte = bytes[at]!;
    if ((CLASS[byte]! & Class.HOST) === 0 || byte === OPENING || byte === CLOSING) return false;
  }
  for (at++; at < end; at++) if (!digit(bytes[at]!)) return false;
  return true;
}

const OPENING = 0x5b;
const CLOSING = 0x5d;
const SLASH = 0x2f;

function connection(head: Message): void {
  for (let i = 0; i < head.count; i++) {
    if (!head.named(i, Field.CONNECTION)) continue;
    const start = head.fields[4 * i + 2]!;
    const end = head.fields[4 * i + 3]!;
    const { length } = KEEP_ALIVE;
    // The usual value.
    if (end - start === length && equalsIgnoringCase(head.bytes, start, KEEP_ALIVE)) {
      head.keepAlive = true;
    } else if (end - start === CLOSE.length && equalsIgnoringCase(head.bytes, start, CLOSE)) {
      head.keepAlive = false;
      return;
    } else {
      const options = latin1(head.bytes, start, end).toLowerCase().split(",");
      const trimmed = options.map(trimBlanks);
      if (trimmed.includes("keep-alive")) head.keepAlive = true;
      if (trimmed.includes("close")) {
        head.keepAlive = false;
        return;
      }
    }
  }
}

/** RFC 9112, 6.3: reject two lengths, and unknown codings, whose end cannot be found. */
function body(head: Message): number {
  const coded = (head.known & Field.TRANSFER_ENCODING) !== 0;
  if (coded && ((head.known & Field.CONTENT_LENGTH) !== 0 || head.minor === 0)) return -400;
  const wanted = coded ? Field.TRANSFER_ENCODING : Field.CONTENT_LENGTH;
  for (let i = 0; i < head.count; i++) {
    if (!head.named(i, wanted)) continue;
    const start = head.fields[4 * i + 2]!;
    const length = head.fields[4 * i + 3]! - start;
    if (coded) {
      const { length: wantedLength } = CHUNKED_CODING;
      if (length !== wantedLength || !equalsIgnoringCase(head.bytes, start, CHUNKED_CODING)) {
        return -400;
      }
      head.bodyLength = CHUNKED;
    } else {
      if (length === 0) return -400;
      if (length > MOST_DIGITS) return allDigits(head.bytes, start, length) ? -413 : -400;
      if (!allDigits(head.bytes, start, length)) return -400;
      head.bodyLength = numberOf(head.bytes, start, start + length);
    }
  }
  return 0;
}

function allDigits(bytes: Uint8Array, start: number, length: number): boolean {
  for (let i = 0; i < length; i++) {
    if (!digit(bytes[start + i]!)) return false;
  }
  return true;
}
