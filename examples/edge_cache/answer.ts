/** Builds the heads of answers to clients. @module */

import { STATUS_CODES } from "node:http";
import type { ResponseHead } from "./head.ts";
import type { Range } from "./rules.ts";
import type { Entry } from "./store.ts";

/** What a head says apart from the stored fields. */
export interface HeadOptions {
  readonly status: number;
  /** Value of X-Cache. */
  readonly how: string;
  /** The part of the body, with status 206. */
  readonly range: Range | undefined;
  readonly keepAlive: boolean;
}

/** Fields that depend on the answer, not on what is stored. */
const OWN = new Set(["content-length", "age", "x-cache"]);

/** Builds the head for a stored response. */
export function entryHead(
  entry: Entry,
  { status, how, range, keepAlive }: HeadOptions,
  nowMs: number,
): Buffer {
  const stored = entry.lines.filter(([name]) => !OWN.has(name.toLowerCase()));
  const lines = [
    `HTTP/1.1 ${status} ${status === entry.status ? entry.reason : STATUS_CODES[status]}`,
    ...stored.map(([name, value]) => `${name}: ${value}`),
    `Age: ${Math.max(Math.floor((nowMs - entry.bornMs) / 1e3), 0)}`,
    "Via: 1.0 edge-cache",
    `X-Cache: ${how}`,
  ];
  const { start, end } = range ?? { start: 0, end: entry.length };
  if (status !== 304) lines.push(`Content-Length: ${end - start}`);
  if (range !== undefined) lines.push(`Content-Range: bytes ${start}-${end - 1}/${entry.length}`);
  if (!keepAlive) lines.push("Connection: close");
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

/** Builds the head of a response that passes through. Its connection ends after it. */
export function passedHead({ status, reason, lines }: ResponseHead): Buffer {
  const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const own = "Via: 1.0 edge-cache\r\nX-Cache: PASS\r\nConnection: close\r\n";
  return Buffer.from(`HTTP/1.1 ${status} ${reason}\r\n${text}${own}\r\n`, "latin1");
}

/** Builds an answer of our own. */
export function textAnswer(
  status: number,
  body: string,
  fields: string,
  keepAlive: boolean,
  withBody: boolean,
): Buffer {
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nCache-Control: no-store\r\n` +
    `Content-Length: ${body.length}\r\n${fields}${keepAlive ? "" : "Connection: close\r\n"}\r\n`;
  return Buffer.from(head + (withBody ? body : ""), "latin1");
}
