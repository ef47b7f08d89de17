/** Turns a request target into a path that cannot leave the root. @module */

import { isAuthority } from "./authority.ts";

/** A parsed request target. */
export interface Target {
  /** Names from the root down, decoded once. None is empty, `.` or `..`, or contains a slash. */
  readonly names: readonly string[];
  /** Whether the path ends in a slash, and so can only name a folder. */
  readonly folder: boolean;
  /** Query, including the question mark; may be empty. */
  readonly query: string;
}

/** Treatment of names that begin with a dot, except `.well-known` (RFC 8615). */
export type Dotfiles = "allow" | "deny" | "ignore";

// deno-lint-ignore no-control-regex -- NUL ends a path in C, and line ends forge headers and logs
const CONTROL = /[\x00-\x1f\x7f]/;

/** Most targets: nothing to decode, nothing to reject. */
const PLAIN = /^(?:\/[\w\-~][\w\-.~]*)+\/?$/;

/** RFC 9112, 3.2.2: a server must accept the absolute form. */
const ABSOLUTE = /^https?:\/\/([^/?#]*)/i;

/** An escape of a character that RFC 3986, 2.3 calls unreserved: letters, digits, `-._~`. */
const UNNEEDED = /%(?:4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae]|3[0-9]|2[de])/i;

/** PATH_MAX of Linux, with its NUL. */
const MOST_BYTES = 4096;

/** Parts of a request target in origin form, whichever form was sent. */
export interface TargetParts {
  /** Host and port of the absolute form; `undefined` for the origin form. */
  readonly authority: string | undefined;
  /** Path from the first slash on, as sent; `/` if the absolute form has none. */
  readonly path: string;
  /** Query, including the question mark; may be empty. */
  readonly query: string;
}

/**
 * Splits a request target in origin form or absolute form (RFC 9112, 3.2); returns 400 for all
 * others.
 *
 * All readers of a target call this, so file look-up, `fallback.paths` and a mount path see the
 * same path. Rejects an authority that is empty, has user information (RFC 9110, 4.2.4), or could
 * not appear in a `Host` field.
 */
export function splitTarget(target: string): TargetParts | 400 {
  let local = target;
  let authority: string | undefined;
  if (target[0] !== "/") {
    const match = ABSOLUTE.exec(target);
    authority = match?.[1];
    if (authority === undefined || !isAuthority(authority)) return 400;
    local = target.slice(match![0].length);
    // RFC 9110, 4.2.3: an empty path equals "/".
    if (local[0] !== "/") local = `/${local}`;
  }
  const mark = local.indexOf("?");
  const path = mark < 0 ? local : local.slice(0, mark);
  const query = mark < 0 ? "" : local.slice(mark);
  return { authority, path, query };
}

/**
 * Parses a request target; returns a status to reject it with, or the target.
 *
 * Decodes once, name by name, so an escaped slash never becomes a separator. Answers 404 for every
 * other spelling of a path: empty names, dots, escaped slashes, backslashes, and escapes of
 * unreserved characters such as `%61` for `a`. A guard in front of this server may compare paths
 * without decoding them, and would miss such a spelling. Takes linear time.
 *
 * @param target The target as sent, such as `/a%20b?c`.
 * @param dotfiles `"deny"` rejects hidden names with 403, `"ignore"` with 404.
 */
export function parseTarget(
  target: string,
  dotfiles: Dotfiles = "ignore",
): Target | 400 | 403 | 404 {
  const parts = splitTarget(target);
  if (parts === 400) return 400;
  const { path, query } = parts;
  if (/[^!-~]|#/.test(query)) return 400;
  if (path === "/") return { names: [], folder: true, query };
  const folder = path.endsWith("/");
  const names = path.slice(1, folder ? -1 : undefined).split("/");
  if (PLAIN.test(path)) return path.length < MOST_BYTES ? { names, folder, query } : 404;
  let hidden = false;
  let refused = false;
  let respelled = false;
  for (let i = 0; i < names.length; i++) {
    const name = decode(names[i]!);
    if (name === null || CONTROL.test(name)) return 400;
    refused ||= isRefused(name);
    respelled ||= UNNEEDED.test(names[i]!);
    hidden ||= isHidden(name, i);
    names[i] = name;
  }
  if (refused) return 404;
  if (hidden && dotfiles !== "allow") return dotfiles === "deny" ? 403 : 404;
  if (respelled) return 404;
  // One UTF-16 unit is at most three bytes of UTF-8. The kernel checks the exact length.
  return path.length < 3 * MOST_BYTES ? { names, folder, query } : 404;
}

/**
 * Returns the decoded path of a target for a file or folder, such as `/a b/`, as file look-up uses
 * it; `undefined` for a target that can name no file.
 */
export function lookedUpPath(target: string): string | undefined {
  const parsed = parseTarget(target, "allow");
  if (typeof parsed === "number") return undefined;
  const { folder, names } = parsed;
  return names.length === 0 ? "/" : `/${names.join("/")}${folder ? "/" : ""}`;
}

/** Whether a listing may show a name: only if a request for it would succeed. */
export function isVisible(name: string, dotfiles: Dotfiles = "ignore"): boolean {
  return !isRefused(name) && !CONTROL.test(name) && name.isWellFormed() &&
    (dotfiles === "allow" || name[0] !== ".");
}

/** Joins names to a path for a header or link; the path never begins with two slashes. */
export function encodePath(names: readonly string[]): string {
  return names.map((name) => `/${encodeURIComponent(name)}`).join("");
}

function isRefused(name: string): boolean {
  return name === "" || name === "." || name === ".." || /[/\\]/.test(name);
}

function isHidden(name: string, depth: number): boolean {
  return name[0] === "." && !(depth === 0 && name === ".well-known");
}

/** Decodes a name; `undefined` if it is malformed, or spelled differently than necessary. */
export function decodeName(name: string): string | undefined {
  return UNNEEDED.test(name) ? undefined : decode(name) ?? undefined;
}

function decode(name: string): string | null {
  // RFC 9112, 3.2: a target contains only visible ASCII.
  if (/[^!-~]|#/.test(name)) return null;
  try {
    return name.includes("%") ? decodeURIComponent(name) : name;
  } catch {
    return null;
  }
}
