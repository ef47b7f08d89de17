/** Answers in the form in which they are sent, and kept to be sent again. @module */

import { Cell } from "../../../../ffi/libc/cell.ts";
import type { Part, Plan } from "../../rules/types.ts";
import { type Clock, DATE_BYTES } from "../thread/clock.ts";
import type { SharedFile } from "./shared_file.ts";
import { reasonOf } from "./reasons.ts";
import { latin1Bytes } from "../parser/syntax.ts";

const encoder = new TextEncoder();

/**
 * The bytes of an answer: a head that says nothing of the connection, what of the body is in memory,
 * and where the rest is.
 */
export class Reply {
  /** Status code. */
  readonly status: number;
  /** What went wrong, for the log. */
  readonly error: string | undefined;
  /** Head and body, as far as they are in memory. */
  readonly cell: Cell;
  /** Bytes of the head, with its empty line. */
  readonly headBytes: number;
  /** Bytes of the whole body. */
  readonly bodyBytes: number;
  /** What follows the bytes in memory, in order. */
  readonly parts: readonly Part[];
  /** Where the parts are; `null` when all is in memory. */
  readonly file: SharedFile | null;
  /** Whether it will be sent again: for one time its address need not be asked for. */
  kept = false;
  #second = -1;

  /**
   * Writes the answer. `body` takes the place of all parts, and `head`, where it is given, that of
   * the plan's headers: see {@linkcode encodeHead}.
   */
  constructor(
    plan: Plan,
    file: SharedFile | null,
    body: Uint8Array | null,
    { head = encodeHead(plan), error }: { head?: Uint8Array; error?: string | undefined } = {},
  ) {
    this.error = error;
    this.status = plan.status;
    this.headBytes = head.length;
    this.bodyBytes = plan.length;
    this.parts = body === null ? plan.parts : [];
    this.file = body === null && plan.parts.some((part) => !isBytes(part)) ? file : null;
    this.cell = new Cell(head.length + (body?.length ?? 0));
    this.cell.bytes.set(head);
    if (body !== null) this.cell.bytes.set(body, head.length);
  }

  /** Bytes in memory: the head, and the body unless it is in parts. */
  get memoryBytes(): number {
    return this.cell.bytes.length;
  }

  /** Sets the date; call before sending. */
  refresh(clock: Clock): void {
    if (this.#second === clock.second) return;
    this.#second = clock.second;
    // Behind the status line: see encodeHead.
    this.cell.bytes.set(clock.bytes, this.headBytes - TAIL.length - DATE_BYTES);
  }
}

/** Whether a part is bytes rather than a piece of a file. */
export function isBytes(part: Part): part is Uint8Array {
  return part instanceof Uint8Array;
}

const TAIL = "\r\n\r\n";

/**
 * How each head ends. The date is the last field, so that it is always in the same place: in front
 * of the empty line.
 */
export const DATE_PLACE: string = `Date: ${" ".repeat(DATE_BYTES)}${TAIL}`;

let common: readonly (readonly [lower: string, line: string])[] = [];

/** Sets fields that every answer of this thread has. */
export function setCommonFields(fields: Readonly<Record<string, string>>): void {
  common = Object.entries(fields).map((
    [name, value],
  ) => [name.toLowerCase(), `${name}: ${value}\r\n`]);
}

/** Lines of the fields that every answer has, but for those that are among its own. */
export function commonFields(own: readonly string[]): string {
  if (common.length === 0) return "";
  const names = new Set(own.map((name) => name.toLowerCase()));
  return common.map(([lower, line]) => names.has(lower) ? "" : line).join("");
}

/** The beginning of a head: the status line, and the fields that every answer has. */
export function beginHead({ headers, status }: Pick<Plan, "headers" | "status">): string {
  return `HTTP/1.1 ${status} ${reasonOf(status)}\r\n${commonFields(Object.keys(headers))}`;
}

/** The head of an answer, without a date, and without what becomes of the connection. */
export function encodeHead(plan: Plan, cookies?: readonly string[]): Uint8Array {
  const { headers } = plan;
  let text = beginHead(plan);
  for (const name in headers) text += `${name}: ${headers[name]}\r\n`;
  for (const cookie of cookies ?? []) text += `Set-Cookie: ${cookie}\r\n`;
  return latin1Bytes(text + DATE_PLACE);
}

/** Bytes of the empty line that ends a head. */
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
