/** Evaluates the conditions of a request: RFC 9110, section 13. @module */

import { trimBlanks } from "./blanks.ts";
import { parseDate } from "./fields/dates.ts";
import type { PlanRequest } from "./types.ts";

/** Validators that the conditions are compared with. */
export interface Validators {
  /** Strong entity tag, with its quotes; `undefined` if none is sent. */
  readonly etag: string | undefined;
  /** Last-Modified in seconds since the epoch; `undefined` if it is not sent. */
  readonly modified: number | undefined;
}

/**
 * Evaluates the preconditions of a GET or HEAD request for an existing file, in the order of
 * section 13.2.2. A date counts only if the entity tags that precede it are absent.
 *
 * @returns The status 412 or 304; 0 if the request should be carried out.
 */
export function precondition(request: PlanRequest, { etag, modified }: Validators): 0 | 304 | 412 {
  const match = request.header("if-match");
  if (isPresent(match)) {
    // Strong comparison: a weak tag never matches.
    if (!lists(match, etag, false)) return 412;
  } else if (modified !== undefined) {
    const since = request.header("if-unmodified-since");
    if (isPresent(since) && modified > parseDate(since)) return 412;
  }
  const noneMatch = request.header("if-none-match");
  if (isPresent(noneMatch)) return lists(noneMatch, etag, true) ? 304 : 0;
  if (modified === undefined) return 0;
  const since = request.header("if-modified-since");
  return isPresent(since) && modified <= parseDate(since) ? 304 : 0;
}

/**
 * Whether If-Range allows the Range header: the client has a part of this very version.
 *
 * Section 13.1.5: a weak tag never allows it, and a date only if it is the one that was sent.
 */
export function rangeHolds(request: PlanRequest, { etag, modified }: Validators): boolean {
  const condition = request.header("if-range");
  if (!isPresent(condition)) return true;
  const value = trimBlanks(condition);
  return value.endsWith('"') ? value === etag : parseDate(value) === modified;
}

function isPresent(value: string | null | undefined): value is string {
  return value !== null && value !== undefined;
}

/** One entity tag of a list, and the comma after it. */
const ENTITY_TAG = /[ \t]*(?:(W\/)?("[\x21\x23-\x7e\x80-\uffff]*")[ \t]*)?(?:,|$)/y;

/** Most list elements to compare, including empty ones. */
const MOST_ELEMENTS = 256;

/** Whether a list of entity tags contains this one; `weak` selects weak comparison. */
function lists(list: string, etag: string | undefined, weak: boolean): boolean {
  const text = trimBlanks(list);
  if (text === "*") return true;
  if (etag === undefined || !text.includes(etag)) return false;
  ENTITY_TAG.lastIndex = 0;
  for (let left = MOST_ELEMENTS; left > 0 && ENTITY_TAG.lastIndex < text.length; left--) {
    const match = ENTITY_TAG.exec(text);
    // The elements before a malformed one count. Nothing is known of the rest.
    if (match === null) return false;
    if (match[2] === etag && (weak || match[1] === undefined)) return true;
  }
  return false;
}
