/** Responses in the form in which they are sent and cached. @module */

import { Cell } from "../../../../ffi/libc/cell.ts";
import type { Part, Plan } from "../../rules/types.ts";
import { type Clock, DATE_BYTES } from "../thread/clock.ts";
import type { SharedFile } from "./shared_file.ts";
import { reasonOf } from "./reasons.ts";
import { latin1Bytes } from "../parser/syntax.ts";

const encoder = new TextEncoder();

/** Result of `BodySource.nextPart`: nothing yet. */
export const WAIT: unique symbol = Symbol("wait");

/** A body that is made while it is sent. */
export interface BodySource {
  /** The next bytes, or a file to send whole; `null` at the end, `false` if it cannot be completed. */
  nextPart(): Uint8Array | SharedFile | typeof WAIT | false | null;
  /** Calls `ready` once when there is more. */
  wait(ready: () => void): void;
  /** Frees what it holds. */
  close(): void;
}

/** What follows the bytes of a response that are sent first. */
export type Rest = Pick<Reply, "file" | "parts" | "source">;

/**
 * The bytes of a response: a head without connection fields, the part of the body that is in
 * memory, and the location of the rest.
 */
export class Reply {
  /** Status code. */
  readonly status: number;
  /** Error for the log. */
  readonly error: string | undefined;
  /** Head and body, as far as they are in memory. */
  readonly cell: Cell;
  /** Length of the head with its empty line, in bytes. */
  readonly headBytes: number;
  /** Bytes in memory: the head, and the body unless it is in parts. */
  readonly memoryBytes: number;
  /** Length of the whole body in bytes. */
  readonly bodyBytes: number;
  /** Parts after the bytes in memory, in order. */
  readonly parts: readonly Part[];
  /** File of the parts; `null` if everything is in memory. */
  readonly file: SharedFile | null;
  /** What follows, if that is made while it is sent; `null` for nothing. */
  readonly source: BodySource | null;
  /** Whether it will be sent again. If not, skip asking for its address. */
  kept = false;
  #second = -1;

  /**
   * Builds the response. `body`, if given, replaces all parts, and `head` replaces the plan's
   * headers: see {@linkcode encodeHead}. With `written`, head and body have been written already;
   * the response is to be sent before the next one is written.
   */
  constructor(
    plan: Plan,
    file: SharedFile | null,
    body: Uint8Array | null,
    { error, head, source = null, written }: {
      head?: Uint8Array;
      error?: string | undefined;
      source?: BodySource | null;
      written?: WrittenReply;
    } = {},
  ) {
    this.source = source;
    this.error = error;
    this.status = plan.status;
    this.bodyBytes = plan.length;
    const inMemory = body !== null || written?.whole === true;
    this.parts = inMemory ? [] : plan.parts;
    this.file = !inMemory && plan.parts.some((part) => !isBytes(part)) ? file : null;
    const { cell, headBytes, length } = written ?? writeReply(head ?? encodeHead(plan), body);
    this.cell = cell;
    this.headBytes = headBytes;
    this.memoryBytes = length;
  }

  /** Sets the date; call before sending. */
  refresh(clock: Clock): void {
    if (this.#second === clock.second) return;
    this.#second = clock.second;
    // Right before the empty line: see encodeHead.
    this.cell.bytes.set(clock.bytes, this.headBytes - TAIL.length - DATE_BYTES);
  }
}

/** The bytes of a response that come first. */
export interface WrittenReply {
  readonly cell: Cell;
  /** Length of the head. */
  readonly headBytes: number;
  /** Number of bytes in all. */
  readonly length: number;
  /** Whether the body is among them. */
  readonly whole: boolean;
}

function writeReply(head: Uint8Array, body: Uint8Array | null): WrittenReply {
  const headBytes = head.length;
  const length = headBytes + (body?.length ?? 0);
  const cell = new Cell(length);
  cell.bytes.set(head);
  if (body !== null) cell.bytes.set(body, headBytes);
  return { cell, headBytes, length, whole: body !== null };
}

/** Whether a part is bytes instead of a range of a file. */
export function isBytes(part: Part): part is Uint8Array {
  return part instanceof Uint8Array;
}

const TAIL = "\r\n\r\n";

/**
 * The end of each head. The date is the last field, so it always stands right before the empty
 * line.
 */
export const DATE_PLACE: string = `Date: ${" ".repeat(DATE_BYTES)}${TAIL}`;

let common: readonly (readonly [lower: string, line: string])[] = [];

/** Sets fields for all responses of this thread. */
export function setCommonFields(fields: Readonly<Record<string, string>>): void {
  common = Object.entries(fields).map((
    [name, value],
  ) => [name.toLowerCase(), `${name}: ${value}\r\n`]);
}

/** Lines of the fields common to all responses, without those that a response sets itself. */
export function commonFields(own: () => readonly string[]): string {
  if (common.length === 0) return "";
  const names = new Set(own().map((name) => name.toLowerCase()));
  return common.map(([lower, line]) => names.has(lower) ? "" : line).join("");
}

/** Start of a head: the status line, and the fields common to all responses. */
export function beginHead({ headers, status }: Pick<Plan, "headers" | "status">): string {
  return `HTTP/1.1 ${status} ${reasonOf(status)}\r\n${commonFields(() => Object.keys(headers))}`;
}

/** Encodes the head of a response, without a date and without connection fields. */
export function encodeHead(plan: Plan, cookies?: readonly string[]): Uint8Array {
  const { headers } = plan;
  let text = beginHead(plan);
  for (const name in headers) text += `${name}: ${headers[name]}\r\n`;
  for (const cookie of cookies ?? []) text += `Set-Cookie: ${cookie}\r\n`;
  return latin1Bytes(text + DATE_PLACE);
}

/** Length of the empty line that ends a head, in bytes. */
export const EMPTY_LINE_BYTES = 2;

/** A plan for a status with a line of text and no file. */
export function textPlan(status: number, headers: Readonly<Record<string, string>> = {}): Plan {
  const body = encoder.encode(`${status} ${reasonOf(status)}\n`);
  return {
    status,
    headers: {
      ...headers,
      "Content-Type": "text/plain; charset=utf-8",
      "Content-Length": String(body.length),
      "X-Content-Type-Options": "nosniff",
    },
    parts: [body],
    length: body.length,
  };
}
