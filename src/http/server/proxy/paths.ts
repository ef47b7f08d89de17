/** Which targets `fallback.paths` buffers. @module */

import { lookedUpPath, splitTarget } from "../../rules/target.ts";

/**
 * Whether one of the paths is the beginning of a target.
 *
 * Compares the path as it was sent, and the decoded path that the file look-up uses: no spelling of
 * a path leads to a file below it. Takes both forms of a target.
 *
 * @param decoded The same paths, each by {@linkcode decodedPath}.
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

/** One of `fallback.paths` with its escapes decoded; as it is where they are no UTF-8. */
export function decodedPath(path: string): string {
  try {
    // An escaped slash separates no names.
    return /%2f/i.test(path) ? path : decodeURIComponent(path);
  } catch {
    return path;
  }
}
