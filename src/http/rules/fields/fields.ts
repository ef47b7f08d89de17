/** Header fields that the program supplies. @module */

import { describe } from "../../../options.ts";
import type { Headers } from "../types.ts";

const NAME = /^[\w!#$%&'*+\-.^`|~]+$/;
// deno-lint-ignore no-control-regex -- CR and LF would begin another field, NUL end one
const NO_VALUE = /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/;

/** Fields that frame the body or validate requests. Only the plan sets them. */
const OURS =
  /^(?:content-(?:length|range)|transfer-encoding|trailer|connection|etag|last-modified|accept-ranges)$/i;

/**
 * Returns header fields after checking that their names and values are valid.
 *
 * @throws {TypeError} When a field is invalid, or is one that only the plan may set.
 */
export function checkHeaders(headers: Headers): Headers {
  if (typeof headers !== "object" || headers === null) {
    throw new TypeError(`Cannot use ${describe(headers)} as headers: expected an object`);
  }
  for (const [name, value] of Object.entries(headers)) {
    if (!NAME.test(name) || OURS.test(name)) {
      throw new TypeError(`Cannot use ${describe(name)} as the name of a header`);
    }
    if (typeof value !== "string" || NO_VALUE.test(value)) {
      throw new TypeError(`Cannot use ${describe(value)} as the value of the header "${name}"`);
    }
  }
  return headers;
}

/** Adds `more` to `headers`; replaces fields of the same name, in any letter case. */
export function mergeHeaders(headers: Record<string, string>, more: Headers): void {
  for (const [name, value] of Object.entries(more)) {
    const lower = name.toLowerCase();
    const present = Object.keys(headers).find((other) => other.toLowerCase() === lower);
    // The plan's own Vary stays; other names are added.
    headers[present ?? name] = lower === "vary" && present !== undefined
      ? `${headers[present]}, ${value}`
      : value;
  }
}
