/** The answer to a request for a file: RFC 9110, with nothing left to chance and no I/O. @module */

import { precondition, rangeHolds } from "./conditions.ts";
import { corsHeaders, preflightHeaders } from "./cors.ts";
import { multipart } from "./multipart.ts";
import type { PlanOptions } from "./options.ts";
import { parseRanges, UNSATISFIABLE } from "./ranges.ts";
import { describeFile, type Representation } from "./representation.ts";
import { type Settings, settingsOf } from "./settings.ts";
import { type FilePart, NO_PARTS, type Plan, type PlanFile, type PlanRequest } from "./types.ts";

/** Fields that say something about a body, which there is none of. */
const OF_THE_BODY = /^(?:content-(?:type|length|encoding|disposition|language)|accept-ranges)$/i;

/** Fields that would let an error be stored. */
const OF_THE_CACHE = /^(?:cache-control|expires|last-modified)$/i;

/**
 * Decides the answer to a request for a file that has been found.
 *
 * Pure: it reads nothing and sends nothing, and the same arguments give the same plan, but for the
 * boundary of a multipart body, which is random because a file could contain any other.
 *
 * Conditions come before ranges, in the order of RFC 9110, 13.2.2. A Range header is ignored where
 * section 14.2 lets it be: with HEAD, malformed, of an empty file, with more ranges than `maxRanges`
 * or more bytes than the file, several of them in a content coding.
 *
 * @param request Method and headers.
 * @param file What is known of the file, from the descriptor that will be sent.
 * @param options What the answer looks like; they are checked once per object.
 * @returns Status, headers and the parts of the body. 405 for methods other than GET and HEAD.
 *
 * @throws {TypeError} When an option is of the wrong kind.
 * @throws {RangeError} When a number among them is out of range.
 *
 * @example Plan by hand
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

/** The answer to a method that is none for files, `undefined` to GET and HEAD. */
export function planMethod(request: PlanRequest, { cors }: Settings): Plan | undefined {
  const { method } = request;
  if (method === "GET" || method === "HEAD") return undefined;
  const allow = { "Allow": "GET, HEAD, OPTIONS" };
  if (method !== "OPTIONS") {
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

/** The answer to GET or HEAD for a version of a file. */
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
  // Which of the two the coding would be that of, the parts or the envelope, nobody could tell.
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

/** RFC 9110, 15.4.5: what a cache needs to know, and nothing that describes a body. */
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
