/** Turns a request target into a path below the root, without I/O. @module */

// deno-lint-ignore no-control-regex -- NUL ends a path in C, and line ends forge headers and logs
const CONTROL = /[\x00-\x1f\x7f]/;

/**
 * RFC 9112, 3.2.2: a server must accept the absolute form. RFC 9110, 4.2.4: no user information.
 */
const ABSOLUTE = /^https?:\/\/(?:\[[0-9a-f:.]+\]|[\w\-.]+)(?::\d*)?(?=[/?]|$)/i;

/** An escaped letter, digit or one of `-._~`: RFC 3986, 2.3. */
const UNNEEDED = /%(?:4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae]|3[0-9]|2[de])/i;

/** A parsed request target. */
export interface Target {
  /** Names from the root down, decoded. None leads up or is hidden. */
  readonly names: readonly string[];
  /** Whether the path ends in a slash, and so can only name a folder. */
  readonly folder: boolean;
  /** Query, including the question mark; may be empty. */
  readonly query: string;
}

/**
 * Parses a request target; returns a status to reject it with, or the target.
 *
 * Decodes once, name by name, so an escaped slash never becomes a separator. Rejects every other
 * spelling of a path (empty names, dots, unneeded escapes), because a guard in front of this server
 * may compare paths without decoding them.
 */
export function parseTarget(target: string): Target | 400 | 404 {
  const local = target.replace(ABSOLUTE, "");
  const [, path = "", query = ""] = /^([^?#]*)(\?[!-~]*)?$/.exec(local) ?? [];
  if (path[0] !== "/" && !(path === "" && local !== target)) return 400;
  const encoded = path.slice(1).split("/");
  const folder = encoded.at(-1) === "";
  if (folder) encoded.pop();
  const names: string[] = [];
  for (const name of encoded) {
    const decoded = decode(name);
    if (decoded === null || CONTROL.test(decoded)) return 400;
    if (!isVisible(decoded) || UNNEEDED.test(name)) return 404;
    names.push(decoded);
  }
  return { names, folder, query };
}

/** Whether a name is shown and served: not if it is hidden, "." or "..". */
export function isVisible(name: string): boolean {
  return !/^$|^\.|[/\\]/.test(name) && !CONTROL.test(name) && name.isWellFormed();
}

/** Joins names to a path for a header or link; the path never begins with two slashes. */
export function encodePath(names: readonly string[]): string {
  return names.map((name) => `/${encodeURIComponent(name)}`).join("");
}

function decode(name: string): string | null {
  try {
    return decodeURIComponent(name);
  } catch {
    return null;
  }
}
