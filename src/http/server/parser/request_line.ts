/** Parses the first line of a request. @module */

import {
  CLASS,
  Class,
  CR,
  digit,
  INCOMPLETE,
  latin1,
  latin1Bytes,
  LF,
  QUESTION,
  SP,
} from "./syntax.ts";

/** Values of `RequestHead.method`. */
export const Method = { OTHER: 0, GET: 1, HEAD: 2, OPTIONS: 3 } as const;

/** The parsed parts of the line. */
export interface RequestLine {
  readonly bytes: Uint8Array;
  method: number;
  methodEnd: number;
  targetStart: number;
  targetEnd: number;
  pathEnd: number;
  pathHash: number;
  minor: number;
}

const ANY_VERSION = latin1Bytes("HTTP/");

/**
 * Parses a request line from `start` on into `head`.
 *
 * @returns Where the next line starts, `INCOMPLETE`, or the negated status of the error response.
 */
export function readRequestLine(
  head: RequestLine,
  start: number,
  end: number,
  maxTargetBytes: number,
): number {
  const { bytes } = head;
  let at = start;
  head.method = Method.OTHER;
  while (at < end && (CLASS[bytes[at]!]! & Class.TOKEN) !== 0) at++;
  if (at === end) return at - start > maxTargetBytes ? -400 : INCOMPLETE;
  if (at === start || bytes[at] !== SP) return -400;
  head.methodEnd = at;
  head.method = methodOf(bytes, start, at);

  const target = ++at;
  const last = Math.min(end, target + maxTargetBytes + 1);
  let hash = 0;
  while (at < last && bytes[at] !== QUESTION && (CLASS[bytes[at]!]! & Class.TARGET) !== 0) {
    hash = Math.imul(hash, 31) + bytes[at]! | 0;
    at++;
  }
  head.pathEnd = at;
  head.pathHash = hash;
  while (at < last && (CLASS[bytes[at]!]! & Class.TARGET) !== 0) at++;
  if (at - target > maxTargetBytes) return -414;
  if (at === end) return INCOMPLETE;
  if (at === target || bytes[at] !== SP) return -400;
  head.targetStart = target;
  head.targetEnd = at;
  return version(head, at + 1, end);
}

/** Parses `HTTP/1.1` and the end of the line. */
function version(head: RequestLine, start: number, end: number): number {
  const { bytes } = head;
  for (let i = 0; i < ANY_VERSION.length; i++) {
    if (start + i === end) return INCOMPLETE;
    if (bytes[start + i] !== ANY_VERSION[i]) return -400;
  }
  // "HTTP/", DIGIT, ".", DIGIT, CR, LF
  const places = start + ANY_VERSION.length;
  if (end - places < 5) return INCOMPLETE;
  if (!digit(bytes[places]!) || bytes[places + 1] !== 0x2e || !digit(bytes[places + 2]!)) {
    return -400;
  }
  if (bytes[places + 3] !== CR || bytes[places + 4] !== LF) return -400;
  head.minor = bytes[places + 2]! - 0x30;
  if (bytes[places] !== 0x31 || head.minor > 1) return -505;
  return places + 5;
}

function methodOf(bytes: Uint8Array, start: number, end: number): number {
  // GET, HEAD and OPTIONS; methods are case-sensitive.
  switch (end - start) {
    case 3:
      return bytes[start] === 0x47 && bytes[start + 1] === 0x45 && bytes[start + 2] === 0x54
        ? Method.GET
        : Method.OTHER;
    case 4:
      return latin1(bytes, start, end) === "HEAD" ? Method.HEAD : Method.OTHER;
    case 7:
      return latin1(bytes, start, end) === "OPTIONS" ? Method.OPTIONS : Method.OTHER;
  }
  return Method.OTHER;
}
