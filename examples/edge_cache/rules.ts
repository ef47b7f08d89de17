/** Rules of HTTP for a shared cache: RFC 9111 and 5861, ranges and conditions. Pure. @module */

import type { Fields } from "./head.ts";

/** How long a stored response may be used. All times are `Date.now()`. */
export interface Lifetime {
  /** When the origin has made the response, as far as caches count. */
  bornMs: number;
  freshUntilMs: number;
  /** Until then, it may be sent while it is being revalidated. */
  usableUntilMs: number;
  /** Until then, it may be sent if the origin fails. */
  fallbackUntilMs: number;
}

/** Statuses that are stored; the others pass. */
const STORED_STATUS = new Set([200, 301, 404, 410]);
const DAY_S = 86_400;

/** Returns the directives of Cache-Control by lower-case name. */
export function cacheControl(fields: Fields): Map<string, string> {
  const directives = new Map<string, string>();
  for (const part of (fields.get("cache-control") ?? "").split(",")) {
    const [, name, value = ""] = /^\s*([\w-]+)(?:\s*=\s*"?([^"]*)"?)?\s*$/.exec(part) ?? [];
    if (name !== undefined) directives.set(name.toLowerCase(), value);
  }
  return directives;
}

/** Returns how long to keep a response; `null` if a shared cache must not store it. */
export function lifetimeOf(status: number, fields: Fields, nowMs: number): Lifetime | null {
  const control = cacheControl(fields);
  const vary = (fields.get("vary") ?? "").toLowerCase().split(",").map((name) => name.trim());
  if (!STORED_STATUS.has(status) || control.has("no-store") || control.has("private")) return null;
  if (fields.has("set-cookie")) return null;
  // Every request to the origin asks for the same encoding.
  if (vary.some((name) => name !== "" && name !== "accept-encoding")) return null;
  const dateMs = dateOf(fields.get("date")) ?? nowMs;
  const age = Math.max(seconds(fields.get("age")) ?? 0, (nowMs - dateMs) / 1e3, 0);
  const bornMs = nowMs - age * 1e3;
  const strict = control.has("no-cache");
  const lifetime = strict ? 0 : explicitLifetime(control, fields, dateMs);
  const guess = status === 200 && !strict ? heuristicLifetime(fields, dateMs) : 0;
  const validated = fields.has("etag") || fields.has("last-modified");
  if ((lifetime ?? guess) === 0 && !validated) return null;
  const freshUntilMs = bornMs + (lifetime ?? guess) * 1e3;
  const must = strict || control.has("must-revalidate") || control.has("proxy-revalidate");
  const beyond = (name: string) => must ? 0 : (seconds(control.get(name)) ?? 0) * 1e3;
  return {
    bornMs,
    freshUntilMs,
    usableUntilMs: freshUntilMs + beyond("stale-while-revalidate"),
    fallbackUntilMs: freshUntilMs + beyond("stale-if-error"),
  };
}

function explicitLifetime(
  control: Map<string, string>,
  fields: Fields,
  dateMs: number,
): number | undefined {
  for (const name of ["s-maxage", "max-age"]) {
    if (control.has(name)) return seconds(control.get(name)) ?? 0;
  }
  if (!fields.has("expires")) return undefined;
  // An invalid date, such as "0", means that it has expired.
  return Math.max(((dateOf(fields.get("expires")) ?? 0) - dateMs) / 1e3, 0);
}

/** A tenth of the age of the file, at most a day (RFC 9111, section 4.2.2). */
function heuristicLifetime(fields: Fields, dateMs: number): number {
  const modifiedMs = dateOf(fields.get("last-modified"));
  return modifiedMs === undefined ? 0 : Math.min(Math.max(dateMs - modifiedMs, 0) / 1e4, DAY_S);
}

function seconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Math.min(Number(text), 2 ** 31) : undefined;
}

function dateOf(text: string | undefined): number | undefined {
  const ms = text === undefined ? NaN : Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Whether the client has this version already, and should get 304. */
export function isNotModified(request: Fields, response: Fields): boolean {
  const wanted = request.get("if-none-match");
  const tag = response.get("etag");
  if (wanted !== undefined) {
    if (wanted.trim() === "*") return true;
    const weak = (value: string) => value.trim().replace(/^W\//, "");
    return tag !== undefined &&
      (wanted.match(/(?:W\/)?"[^"]*"/g) ?? []).map(weak).includes(weak(tag));
  }
  const since = dateOf(request.get("if-modified-since"));
  const modified = dateOf(response.get("last-modified"));
  return since !== undefined && modified !== undefined && modified <= since;
}

/** A part of a body. */
export interface Range {
  readonly start: number;
  /** First byte after it. */
  readonly end: number;
}

/**
 * Returns the range to send: `undefined` for the whole body, `null` if no byte of the range exists.
 * Several ranges, and units other than bytes, get the whole body.
 */
export function rangeOf(
  request: Fields,
  response: Fields,
  length: number,
): Range | null | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec((request.get("range") ?? "").trim());
  if (match === null || match[0] === "bytes=-") return undefined;
  const condition = request.get("if-range");
  if (condition !== undefined) {
    const validator = response.get(condition.startsWith('"') ? "etag" : "last-modified");
    if (validator !== condition) return undefined;
  }
  const [, first = "", last = ""] = match;
  if (first === "") {
    const count = Math.min(Number(last), length);
    return count === 0 ? null : { start: length - count, end: length };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return undefined;
  if (start >= length) return null;
  return { start, end: last === "" ? length : Math.min(Number(last) + 1, length) };
}
