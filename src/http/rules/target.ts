/** From a request target to a path below the root, and nowhere else. @module */

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
const ABSOLUTE = /^https?:\/\/[^/?#]*/i;

/** PATH_MAX of Linux, with its NUL. */
const MOST_BYTES = 4096;

/**
 * Parses a request target; a number is the status to refuse it with.
 *
 * Decodes once, name by name, so that an escaped slash never becomes a separator. Refuses what is
 * not the one spelling of its path (empty names, dots, escaped slashes, backslashes), instead of
 * guessing what was meant: a guard in front of this server would guess differently. Takes time in
 * proportion to its length.
 *
 * @param target As it was sent, such as `/a%20b?c`.
 * @param dotfiles `"deny"` refuses hidden names with 403, `"ignore"` with 404.
 */
export function parseTarget(
  target: string,
  dotfiles: Dotfiles = "ignore",
): Target | 400 | 403 | 404 {
  const local = target[0] === "/" ? target : target.replace(ABSOLUTE, "");
  const mark = local.indexOf("?");
  const path = mark < 0 ? local : local.slice(0, mark);
  const query = mark < 0 ? "" : local.slice(mark);
  if (/[^!-~]|#/.test(query)) return 400;
  if (path[0] !== "/") {
    return path === "" && local !== target ? { names: [], folder: true, query } : 400;
  }
  if (path === "/") return { names: [], folder: true, query };
  const folder = path.endsWith("/");
  const names = path.slice(1, folder ? -1 : undefined).split("/");
  if (PLAIN.test(path)) return path.length < MOST_BYTES ? { names, folder, query } : 404;
  let hidden = false;
  let refused = false;
  for (let i = 0; i < names.length; i++) {
    const name = decode(names[i]!);
    if (name === null || CONTROL.test(name)) return 400;
    refused ||= isRefused(name);
    hidden ||= isHidden(name, i);
    names[i] = name;
  }
  if (refused) return 404;
  if (hidden && dotfiles !== "allow") return dotfiles === "deny" ? 403 : 404;
  // One unit of UTF-16 is at most three bytes of UTF-8; the kernel counts exactly.
  return path.length < 3 * MOST_BYTES ? { names, folder, query } : 404;
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
