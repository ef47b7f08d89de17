/** Matches targets with `fallback.paths`. @module */

import { lookedUpPath, splitTarget } from "../../rules/target.ts";

/**
 * Whether a target starts with one of the paths.
 *
 * Compares the path as sent, and the decoded path that the file look-up uses, so no spelling of a
 * path leads to a file below it. Accepts both forms of a target.
 *
 * @param decoded The same paths, each decoded by {@linkcode decodedPath}.
 */
export function owned(
  target: string,
  paths: readonly string[],
  decoded: readonly string[],
): boolean {
  const parts = splitTarget(target);
  if (parts === 400) return false;
  const sent = parts.path + parts.query;
  if (paths.some((path) => sent.startsWith(path))) return true;
  const path = lookedUpPath(target);
  return path !== undefined && decoded.some((beginning) => path.startsWith(beginning));
}

/** Decodes one of `fallback.paths`; returns it unchanged if its escapes are not valid UTF-8. */
export function decodedPath(path: string): string {
  try {
    // An escaped slash does not separate names.
    return /%2f/i.test(path) ? path : decodeURIComponent(path);
  } catch {
    return path;
  }
}
