/** What can be said of one version of a file, whoever asks. @module */

import { mediaType } from "../../media_types.ts";
import { corsHeaders } from "./cors.ts";
import { formatDate } from "./fields/dates.ts";
import { attachment } from "./fields/disposition.ts";
import { checkHeaders, mergeHeaders } from "./fields/fields.ts";
import type { Settings } from "./settings.ts";
import { type Coding, type Headers, NO_PARTS, type Plan, type PlanFile } from "./types.ts";

/**
 * One version of a file, as it is served.
 *
 * Holds for as long as the file has this size and this time: worth keeping beside an open
 * descriptor.
 */
export interface Representation {
  readonly settings: Settings;
  /** Bytes. */
  readonly size: number;
  /** Strong entity tag, with its quotes. */
  readonly etag: string | undefined;
  /** Seconds since the epoch, as Last-Modified tells them. */
  readonly modified: number | undefined;
  /** Media type. */
  readonly type: string;
  /** The coding of a sidecar. */
  readonly coding: Coding | undefined;
  /** Whether it is in a content coding: a sidecar, or a file that `headers` says it of. */
  readonly coded: boolean;
  /** The answer to a plain GET. */
  readonly whole: Plan;
  /** The answer to a plain HEAD. */
  readonly head: Plan;
}

const NANOSECONDS = 1_000_000_000n;
const ANYBODY = { method: "GET", header: () => undefined };

/**
 * Describes a version of a file.
 *
 * @param nowMs The time at which it is described, in milliseconds since the epoch: Last-Modified is
 * never later, as RFC 9110, 8.8.2.1 demands.
 */
export function describeFile(
  file: PlanFile,
  settings: Settings,
  nowMs: number = Date.now(),
): Representation {
  const { name, size, mtimeNs, coding } = file;
  const etag = settings.etag === false ? undefined : entityTag(file, settings.etag);
  const modified = settings.lastModified ? modifiedOf(mtimeNs, nowMs) : undefined;
  const type = typeOf(name, settings);
  const headers: Record<string, string> = { "Content-Type": type, "Content-Length": String(size) };
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
  const more = own(file, settings.headers);
  if (more !== undefined) mergeHeaders(headers, more);
  const parts = size === 0 ? NO_PARTS : Object.freeze([Object.freeze({ start: 0, length: size })]);
  return {
    settings,
    size,
    etag,
    modified,
    type: headers["Content-Type"]!,
    coding,
    coded: Object.keys(headers).some((name) => name.toLowerCase() === "content-encoding"),
    whole: { status: 200, headers, parts, length: size },
    head: { status: 200, headers, parts: NO_PARTS, length: 0 },
  };
}

/** The time for Last-Modified; `undefined` where it has no form in HTTP: four digits of a year. */
function modifiedOf(mtimeNs: bigint, nowMs: number): number | undefined {
  const seconds = Math.min(Number(mtimeNs / NANOSECONDS), Math.floor(nowMs / 1000));
  return seconds >= FIRST_SECOND ? seconds : undefined;
}

/** The first second of the year 0. */
const FIRST_SECOND = Date.parse("0000-01-01T00:00:00Z") / 1000;

/**
 * Strong (RFC 9110, 8.8.1): other bytes have another tag. nginx's shape, with more digits; a sidecar
 * is another representation, and never has the tag of its file.
 *
 * A program can set mtime: reproducible builds do, and `cp -a`, `rsync -a` and tar carry it along. The
 * kernel notes that in ctime, which nobody can set. So where the two differ the tag has both, the
 * difference in the last 16 digits of the time.
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

function own(file: PlanFile, headers: Settings["headers"]): Headers | undefined {
  if (typeof headers !== "function") return headers;
  const made = headers(file);
  return made === undefined ? undefined : checkHeaders(made);
}
