/** A fast path for what players and downloaders request most: one part of a cached file. @module */

import { endOfDigits, latin1Bytes, numberOf } from "../parser/syntax.ts";
import type { Entry } from "./cache.ts";
import { CONDITIONAL, Field } from "../parser/field_names.ts";
import { HeadWriter } from "../parser/head_writer.ts";
import { beginHead, DATE_PLACE, Reply, type WrittenReply } from "./response.ts";
import type { RequestHead } from "../parser/request_head.ts";
import { Method } from "../parser/request_line.ts";

const UNIT = latin1Bytes("bytes=");
const DASH = 0x2d;

/**
 * Answers `Range: bytes=first-last` within the file and without other conditions; `null` for any
 * other request, which needs a full plan.
 *
 * The response equals that of `planFile`, without creating a plan, its headers and their text for
 * each part.
 */
export function partOf(head: RequestHead, entry: Entry): Reply | null {
  if ((head.known & CONDITIONAL) !== Field.RANGE || (head.twice & Field.RANGE) !== 0) return null;
  const { representation, reply } = entry;
  if (head.method !== Method.GET || !representation.settings.acceptRanges) return null;
  const [at, end] = head.place(Field.RANGE)!;
  const { bytes } = head;
  for (let i = 0; i < UNIT.length; i++) {
    if (bytes[at + i] !== UNIT[i]) return null;
  }
  const dash = endOfDigits(bytes, at + UNIT.length, end);
  if (dash < 0 || bytes[dash] !== DASH || endOfDigits(bytes, dash + 1, end) !== end) return null;
  const { size } = representation;
  const first = numberOf(bytes, at + UNIT.length, dash);
  const last = Math.min(numberOf(bytes, dash + 1, end), size - 1);
  if (first > last) return null;
  const length = last - first + 1;
  const plan = { status: 206, headers: {}, parts: [{ start: first, length }], length };
  return new Reply(plan, reply.file, null, { written: write(entry, first, last) });
}

/** Writes the head, and the body if the file is in memory. */
function write(entry: Entry, first: number, last: number): WrittenReply {
  const { reply, representation: { size } } = entry;
  const length = last - first + 1;
  writer.begin();
  writer.add(entry.partHead ??= beginning(entry));
  writer.add(LENGTH);
  writer.number(length);
  writer.add(PLACE);
  writer.number(first);
  writer.add(TO);
  writer.number(last);
  writer.add(OF);
  writer.number(size);
  writer.endLine();
  writer.add(DATE);
  const { length: headBytes } = writer;
  const whole = reply.file === null;
  const body = reply.headBytes + first;
  if (whole) writer.add(reply.cell.bytes, body, body + length);
  return { cell: writer.cell, headBytes, length: writer.length, whole };
}

const writer = new HeadWriter();
const LENGTH = latin1Bytes("Content-Length: ");
const PLACE = latin1Bytes("\r\nContent-Range: bytes ");
const TO = latin1Bytes("-");
const OF = latin1Bytes("/");
const DATE = latin1Bytes(DATE_PLACE);

function beginning({ representation: { whole: { headers } } }: Entry): Uint8Array {
  let text = beginHead({ status: 206, headers });
  for (const name in headers) {
    if (name !== "Content-Length") text += `${name}: ${headers[name]}\r\n`;
  }
  return latin1Bytes(text);
}
