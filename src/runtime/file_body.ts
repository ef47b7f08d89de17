/** Bodies of responses that the runtime reads from a file itself. @module */

import { builtin } from "../builtins.ts";

interface Globals {
  readonly Bun?: { file(path: string, options?: { type: string }): Blob };
}

const { Bun } = globalThis as Globals;

/**
 * A part of an open file as a body that leaves by the runtime's own sendfile(2); `undefined` where
 * the runtime has none.
 *
 * Bun opens the file once more, when it sends, by the path that the kernel tells of the descriptor:
 * its bodies of descriptors are never closed by anybody, and its streams have no Content-Length.
 */
export function fileBody(
  fd: number,
  { start, length }: { start: number; length: number },
  type: string,
): Blob | undefined {
  if (Bun === undefined) return undefined;
  let path: string;
  try {
    path = builtin("fs").readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // macOS and Windows have no such folder.
    return undefined;
  }
  // A file without a name, such as one that has just been replaced.
  if (path[0] !== "/" || path.endsWith(" (deleted)")) return undefined;
  return Bun.file(path, { type }).slice(start, start + length, type);
}
