/** Plans the response to a request for a file: RFC 9110, without I/O. @module */

import { precondition, rangeHolds } from "./conditions.ts";
import { corsHeaders, preflightHeaders } from "./cors.ts";
import { asksForHtml } from "./fields/codings.ts";
import { planMessage } from "./messages.ts";
import { multipart } from "./multipart.ts";
import type { PlanOptions } from "./options.ts";
import { parseRanges, UNSATISFIABLE } from "./ranges.ts";
import { describeFile, type Representation } from "./representation.ts";
import { type Settings, settingsOf } from "./settings.ts";
import { type FilePart, NO_PARTS, type Plan, type PlanFile, type PlanRequest } from "./types.ts";

/** Fields that describe a body. A response without a body omits them. */
const OF_THE_BODY = /^(?:content-(?:type|length|encoding|disposition|language)|accept-ranges)$/i;

/** Fields that would let caches store an error. */
const OF_THE_CACHE = /^(?:cache-control|expires|last-modified)$/i;

/**
 * Plans the response to a request for an existing file.
 *
 * A pure function: it does no I/O, and the same arguments give the same plan. Only the boundary of
 * a multipart body is random, because a file could contain any fixed one.
 *
 * Evaluates conditions before ranges, in the order of RFC 9110, 13.2.2. Ignores a Range header
 * where section 14.2 allows it: for HEAD, an empty file, a malformed header, more ranges than
 * `maxRanges`, more bytes than the file has, and several ranges of a file in a content coding.
 *
 * @param request Method and headers.
 * @param file Size and times, from the descriptor that will be sent.
 * @param options Options for the response; checked once per object.
 * @returns Status, headers and the parts of the body; 405 for methods other than GET and HEAD.
 *
 * @throws {TypeError} When an option has the wrong type.
 * @throws {RangeError} When a numeric option is out of range.
 *
 * @example Plan a response
 * ```ts ignore
 * const { status, headers, parts } = planResponse(
 *   { method: "GET", header: (name) => request.headers.get(name) },
 *   { name: "video.mp4", size, mtimeNs },
 *   { maxAge: "1d" },
 * );
 * ```
 */
export function planResponse(
  request: PlanRequest,
  file: PlanFile,
  options: PlanOptions = {},
): Plan {
  const settings = settingsOf(options);
  return planMethod(request, settings) ?? planFile(request, describeFile(file, settings));
}

/** Plans the response to OPTIONS and to unsupported methods; `undefined` for GET and HEAD. */
export function planMethod(
  request: PlanRequest,
  { allow: methods, cors }: Pick<Settings, "allow" | "cors">,
): Plan | undefined {
  const { method } = request;
  if (method === "GET" || method === "HEAD") return undefined;
  const allow = { "Allow": methods };
  if (method !== "OPTIONS") {
    if (asksForHtml(request.header("accept"))) return planMessage(request, 405, allow);
    return {
      status: 405,
      headers: { ...allow, "Content-Length": "0" },
      parts: NO_PARTS,
      length: 0,
    };
  }
  const headers = { ...allow, ...cors && preflightHeaders(cors, request) };
  return { status: 204, headers, parts: NO_PARTS, length: 0 };
}

/** Plans the response to GET or HEAD for one version of a file. */
export function planFile(request: PlanRequest, representation: Representation): Plan {
  const plan = choose(request, representation);
  const { cors } = representation.settings;
  if (cors === undefined || cors.origins === "*") return plan;
  const more = corsHeaders(cors, request);
  return more === undefined ? plan : { ...plan, headers: { ...plan.headers, ...more } };
}

function choose(request: PlanRequest, representation: Representation): Plan {
  const { whole, head, settings } = representation;
  const failed = precondition(request, representation);
  if (failed === 304) return notModified(representation);
  if (failed === 412) return refuse(412, representation, {});
  if (request.method !== "GET") return head;
  const range = settings.acceptRanges ? request.header("range") : undefined;
  if (range === undefined || range === null || !rangeHolds(request, representation)) return whole;
  const { size, coded } = representation;
  const ranges = parseRanges(range, size, settings.maxRanges);
  if (ranges === null) return whole;
  if (ranges === UNSATISFIABLE) {
    return refuse(416, representation, { "Content-Range": `bytes */${size}` });
  }
  if (ranges.length === 1) return single(ranges[0]!, representation);
  // Clients could not tell whether the coding applies to the parts or to the envelope.
  return coded ? whole : multipart(ranges, representation);
}

function single(part: FilePart, { whole, size }: Representation): Plan {
  const { start, length } = part;
  const headers = {
    ...whole.headers,
    "Content-Length": String(length),
    "Content-Range": `bytes ${start}-${start + length - 1}/${size}`,
  };
  return { status: 206, headers, parts: [part], length };
}

/** RFC 9110, 15.4.5: keeps the fields that a cache needs, and drops those that describe a body. */
function notModified({ whole, etag }: Representation): Plan {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(whole.headers)) {
    const known = etag !== undefined && name === "Last-Modified";
    if (!known && !OF_THE_BODY.test(name)) headers[name] = value;
  }
  return { status: 304, headers, parts: NO_PARTS, length: 0 };
}

function refuse(status: number, { whole }: Representation, more: Record<string, string>): Plan {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(whole.headers)) {
    if (name === "Accept-Ranges" || !(OF_THE_BODY.test(name) || OF_THE_CACHE.test(name))) {
      headers[name] = value;
    }
  }
  return {
    status,
    headers: { ...headers, ...more, "Content-Length": "0" },
    parts: NO_PARTS,
    length: 0,
  };
}
