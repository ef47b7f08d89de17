/** From a request target to a path below the root, and nowhere else. @module */

import { isAuthority } from "./authority.ts";

/** A request target that may be looked up. */
export interface Target {
  /** Names from the root down, decoded once; none is empty, `.` or `..`, or holds a slash. */
  readonly names: readonly string[];
  /** Whether it ends in a slash, and so can only mean a folder. */
  readonly folder: boolean;
  /** From the question mark on, or empty. */
  readonly query: string;
}

/** What becomes of names that begin with a dot; `.well-known` (RFC 8615) is not one of them. */
export type Dotfiles = "allow" | "deny" | "ignore";

// deno-lint-ignore no-control-regex -- NUL ends a path in C, and line ends forge headers and logs
const CONTROL = /[\x00-\x1f\x7f]/;

/** Nothing to decode, nothing to refuse: most targets. */
const PLAIN = /^(?:\/[\w\-~][\w\-.~]*)+\/?$/;

/** RFC 9112, 3.2.2: a server has to accept the absolute form. */
const ABSOLUTE = /^https?:\/\/([^/?#]*)/i;

/** An escape of a character that RFC 3986, 2.3 calls unreserved: letters, digits, `-._~`. */
const UNNEEDED = /%(?:4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae]|3[0-9]|2[de])/i;

/** PATH_MAX of Linux, with its NUL. */
const MOST_BYTES = 4096;

/** The parts of a request target: those of the origin form, whichever form was sent. */
export interface TargetParts {
  /** Host and port of the absolute form; `undefined` for the origin form. */
  readonly authority: string | undefined;
  /** From the first slash on, as it was sent; `/` where the absolute form has no path. */
  readonly path: string;
  /** From the question mark on, or empty. */
  readonly query: string;
}

/**
 * Splits a request target in origin form or absolute form (RFC 9112, 3.2); 400 for all others.
 *
 * Every reader of a target starts here, so that file look-up, `fallback.paths` and a mount path see
 * the same path. Refuses an authority that is empty, has user information (RFC 9110, 4.2.4), or
 * could not stand in a `Host` field.
 */
export function splitTarget(target: string): TargetParts | 400 {
  let local = target;
  let authority: string | undefined;
  if (target[0] !== "/") {
    const match = ABSOLUTE.exec(target);
    authority = match?.[1];
    if (authority === undefined || !isAuthority(authority)) return 400;
    local = target.slice(match![0].length);
    // RFC 9110, 4.2.3: an empty path is the same as "/".
    if (local[0] !== "/") local = `/${local}`;
  }
  const mark = local.indexOf("?");
  const path = mark < 0 ? local : local.slice(0, mark);
  const query = mark < 0 ? "" : local.slice(mark);
  return { authority, path, query };
}

/**
 * Parses a request target; a number is the status to refuse it with.
 *
 * Decodes once, name by name, so that an escaped slash never becomes a separator. Answers 404 for
 * every other spelling of a path: empty names, dots, escaped slashes, backslashes, and escapes of
 * unreserved characters such as `%61` for `a`. A guard in front of this server may compare paths
 * without decoding them, and would not recognize such a spelling. Takes time in proportion to its
 * length.
 *
 * @param target As it was sent, such as `/a%20b?c`.
 * @param dotfiles `"deny"` refuses hidden names with 403, `"ignore"` with 404.
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
  // One unit of UTF-16 is at most three bytes of UTF-8; the kernel counts exactly.
  return path.length < 3 * MOST_BYTES ? { names, folder, query } : 404;
}

/**
 * The decoded path of a target that names a file or a folder, such as `/a b/`: what the file look-up
 * uses. `undefined` for a target for which it finds nothing.
 */
export function lookedUpPath(target: string): string | undefined {
  const parsed = parseTarget(target, "allow");
  if (typeof parsed === "number") return undefined;
  const { folder, names } = parsed;
  return names.length === 0 ? "/" : `/${names.join("/")}${folder ? "/" : ""}`;
}

/** Whether a listing may show a name: whoever asks for it gets it. */
export function isVisible(name: string, dotfiles: Dotfiles = "ignore"): boolean {
  return !isRefused(name) && !CONTROL.test(name) && name.isWellFormed() &&
    (dotfiles === "allow" || name[0] !== ".");
}

/** The path of these names, fit for a header or a link; never begins with two slashes. */
export function encodePath(names: readonly string[]): string {
  return names.map((name) => `/${encodeURIComponent(name)}`).join("");
}

function isRefused(name: string): boolean {
  return name === "" || name === "." || name === ".." || /[/\\]/.test(name);
}

function isHidden(name: string, depth: number): boolean {
  return name[0] === "." && !(depth === 0 && name === ".well-known");
}

function decode(name: string): string | null {
  // Unescaped, only visible ASCII may stand in a target (RFC 9112, 3.2).
  if (/[^!-~]|#/.test(name)) return null;
  try {
    return name.includes("%") ? decodeURIComponent(name) : name;
  } catch {
    return null;
  }
}
