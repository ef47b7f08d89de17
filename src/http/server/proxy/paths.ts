/** Matches targets with `fallback.paths`. @module */

import { lookedUpPath, splitTarget } from "../../rules/target.ts";

/**
 * Whether one of the paths is a prefix of a target.
 *
 * Compares the path as sent, and the decoded path that file look-up uses, so that no spelling of a
 * path reaches a file below it. Accepts both forms of a target.
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

/** Decodes the escapes of one of `fallback.paths`; returns it unchanged if they are not UTF-8. */
export function decodedPath(path: string): string {
  try {
    // An escaped slash is no separator.
    return /%2f/i.test(path) ? path : decodeURIComponent(path);
  } catch {
    return path;
  }
}
