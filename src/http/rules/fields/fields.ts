/** Header fields that somebody else gives us. @module */

import { describe } from "../../../options.ts";
import type { Headers } from "../types.ts";

const NAME = /^[\w!#$%&'*+\-.^`|~]+$/;
// deno-lint-ignore no-control-regex -- CR and LF would begin another field, NUL end one
const NO_VALUE = /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/;

/** Fields that say where the body ends, or that requests are compared with: those are ours alone. */
const OURS =
  /^(?:content-(?:length|range)|transfer-encoding|connection|etag|last-modified|accept-ranges)$/i;

/**
 * Returns fields whose names and values can stand in a head as they are.
 *
 * @throws {TypeError} For any other, and for those that the plan alone can know.
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

/** Adds `more` to `headers`; a field of the same name, however it is spelled, is replaced. */
export function mergeHeaders(headers: Record<string, string>, more: Headers): void {
  for (const [name, value] of Object.entries(more)) {
    const lower = name.toLowerCase();
    const present = Object.keys(headers).find((other) => other.toLowerCase() === lower);
    // What our own choice depends on remains so, whatever else it depends on.
    headers[present ?? name] = lower === "vary" && present !== undefined
      ? `${headers[present]}, ${value}`
      : value;
  }
}
