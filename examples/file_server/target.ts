/** From a request target to a path below the root, and nowhere else. Pure. @module */

// deno-lint-ignore no-control-regex -- NUL ends a path in C, and line ends forge headers and logs
const CONTROL = /[\x00-\x1f\x7f]/;

/** RFC 9112, 3.2.2: a server has to accept the absolute form; RFC 9110, 4.2.4: not user information. */
const ABSOLUTE = /^https?:\/\/(?:\[[0-9a-f:.]+\]|[\w\-.]+)(?::\d*)?(?=[/?]|$)/i;

/** An escape of a letter, a digit or one of `-._~`: RFC 3986, 2.3. */
const UNNEEDED = /%(?:4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae]|3[0-9]|2[de])/i;

/** A request target that may be looked up. */
export interface Target {
  /** Names from the root down, decoded; none of them leads up or is hidden. */
  readonly names: readonly string[];
  /** Whether it ends in a slash, and so can only mean a folder. */
  readonly folder: boolean;
  /** From the question mark on, or empty. */
  readonly query: string;
}

/**
 * Parses a request target; a number is the status to refuse it with.
 *
 * Decodes once, name by name, so that an escaped slash never becomes a separator. Refuses what is
 * not the one spelling of its path (empty names, dots, unneeded escapes): a guard in front of this
 * server may compare paths without decoding them.
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

/** Whether a file of this name is shown and served: hidden ones, "." and ".." are not. */
export function isVisible(name: string): boolean {
  return !/^$|^\.|[/\\]/.test(name) && !CONTROL.test(name) && name.isWellFormed();
}

/** The path of these names, fit for a header or a link; never begins with two slashes. */
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
