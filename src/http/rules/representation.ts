/** Headers and plans of one version of a file, for all requests. @module */

import { mediaType } from "../../media_types.ts";
import { appendedPart, appends, settingsWithout } from "../listing/appended.ts";
import { corsHeaders } from "./cors.ts";
import { formatDate } from "./fields/dates.ts";
import { attachment } from "./fields/disposition.ts";
import { checkHeaders, mergeHeaders } from "./fields/fields.ts";
import type { Settings } from "./settings.ts";
import { type Coding, type Headers, NO_PARTS, type Plan, type PlanFile } from "./types.ts";

/**
 * One version of a file, as it is served.
 *
 * Valid while the file keeps its size and time. Keep it beside an open descriptor.
 */
export interface Representation {
  readonly settings: Settings;
  /** Bytes. */
  readonly size: number;
  /** Strong entity tag, with its quotes. */
  readonly etag: string | undefined;
  /** Last-Modified in seconds since the epoch. */
  readonly modified: number | undefined;
  /** Media type. */
  readonly type: string;
  /** The coding of a sidecar. */
  readonly coding: Coding | undefined;
  /** Whether the content is encoded: a sidecar, or a file whose `headers` say so. */
  readonly coded: boolean;
  /** Plan for a GET without conditions or ranges. */
  readonly whole: Plan;
  /** Plan for a HEAD without conditions. */
  readonly head: Plan;
}

const NANOSECONDS = 1_000_000_000n;
const ANYBODY = { method: "GET", header: () => undefined };

/**
 * Describes a version of a file.
 *
 * @param nowMs Current time in milliseconds since the epoch. Last-Modified is never later, as
 * RFC 9110, 8.8.2.1 demands.
 */
export function describeFile(
  file: PlanFile,
  given: Settings,
  nowMs: number = Date.now(),
): Representation {
  const { name, size, mtimeNs, coding } = file;
  const appended = appends(given, typeOf(name, given), coding) ? appendedPart(given) : undefined;
  const settings = appended === undefined ? given : settingsWithout(given);
  const length = size + (appended?.length ?? 0);
  const etag = settings.etag === false ? undefined : entityTag(file, settings.etag);
  const modified = settings.lastModified ? modifiedOf(mtimeNs, nowMs) : undefined;
  const type = typeOf(name, settings);
  const headers: Record<string, string> = {
    "Content-Type": type,
    "Content-Length": String(length),
  };
  if (modified !== undefined) headers["Last-Modified"] = formatDate(modified);
  if (etag !== undefined) headers["ETag"] = etag;
  if (settings.cacheControl !== "") headers["Cache-Control"] = settings.cacheControl;
  if (settings.acceptRanges) headers["Accept-Ranges"] = "bytes";
  if (settings.vary !== "") headers["Vary"] = settings.vary;
  if (coding !== undefined) headers["Content-Encoding"] = coding;
  if (settings.download !== false) {
    const given = settings.download === true ? name.slice(name.lastIndexOf("/") + 1) : undefined;
    headers["Content-Disposition"] = attachment(given ?? settings.download as string);
  }
  if (settings.cors?.origins === "*") Object.assign(headers, corsHeaders(settings.cors, ANYBODY));
  const more = extra(file, settings.headers);
  if (more !== undefined) mergeHeaders(headers, more);
  const own = size === 0 ? NO_PARTS : Object.freeze([Object.freeze({ start: 0, length: size })]);
  const parts = appended === undefined ? own : Object.freeze([...own, appended]);
  return {
    settings,
    size,
    etag,
    modified,
    type: headers["Content-Type"]!,
    coding,
    coded: Object.keys(headers).some((name) => name.toLowerCase() === "content-encoding"),
    whole: { status: 200, headers, parts, length },
    head: { status: 200, headers, parts: NO_PARTS, length: 0 },
  };
}

/** Returns the time for Last-Modified; `undefined` if its year does not have four digits. */
function modifiedOf(mtimeNs: bigint, nowMs: number): number | undefined {
  const seconds = Math.min(Number(mtimeNs / NANOSECONDS), Math.floor(nowMs / 1000));
  return seconds >= FIRST_SECOND ? seconds : undefined;
}

/** First second of the year 0. */
const FIRST_SECOND = Date.parse("0000-01-01T00:00:00Z") / 1000;

/**
 * Returns a strong entity tag (RFC 9110, 8.8.1): different bytes get different tags. It has the
 * shape of nginx's, with more digits. A sidecar is another representation and has a tag of its own.
 *
 * Programs can set the mtime: reproducible builds do, and `cp -a`, `rsync -a` and tar preserve it.
 * No program can set the ctime, where the kernel records the change. If the two times differ, the
 * tag contains both, with their difference in the last 16 digits of the time.
 */
function entityTag(file: PlanFile, kind: true | "mtime"): string {
  const { ctimeNs, mtimeNs, size, coding } = file;
  const time = kind === "mtime" || ctimeNs === undefined || ctimeNs === mtimeNs
    ? mtimeNs
    : (mtimeNs << 64n) | BigInt.asUintN(64, ctimeNs - mtimeNs);
  const suffix = coding === undefined ? "" : `-${coding}`;
  return `"${time.toString(16)}-${size.toString(16)}${suffix}"`;
}

function typeOf(name: string, { types, charset }: Settings): string {
  const dot = types.size === 0 ? -1 : name.lastIndexOf(".");
  const own = dot < 0 ? undefined : types.get(name.slice(dot + 1).toLowerCase());
  if (own !== undefined) return own;
  const type = mediaType(name);
  if (charset === "utf-8" || !type.endsWith("; charset=utf-8")) return type;
  return type.replace("; charset=utf-8", charset === "" ? "" : `; charset=${charset}`);
}

function extra(file: PlanFile, headers: Settings["headers"]): Headers | undefined {
  if (typeof headers !== "function") return headers;
  const made = headers(file);
  return made === undefined ? undefined : checkHeaders(made);
}
