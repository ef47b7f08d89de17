/** Resolves symbolic links, for threads that may not look at paths outside a folder. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { ResolveFlag } from "../../sys/flags/file.ts";
import { readlinkOf } from "../../sys/raw/links.ts";
import * as raw from "../../sys/raw/mod.ts";

const { CLOEXEC, NOFOLLOW, PATH } = platform.open;
const RESOLVE = ResolveFlag.BENEATH | ResolveFlag.NO_MAGICLINKS | ResolveFlag.NO_SYMLINKS;

/** `MAXSYMLINKS` of the kernel. */
const MOST_LINKS = 40;

const target = new Uint8Array(4096);
const decoder = new TextDecoder();

/**
 * Resolves the symbolic links of `path`, relative to an open folder, and looks at nothing outside
 * the folder. Follows links with absolute paths if these begin with the folder's own path.
 *
 * Another process may change the links meanwhile: open the result with `RESOLVE_NO_SYMLINKS`.
 *
 * @param folder Descriptor of the folder.
 * @param real The real path of the folder.
 * @returns A path relative to the folder; `undefined` if a link leads out or there are too many.
 */
export function pathWithoutLinks(folder: number, real: string, path: string): string | undefined {
  const below = real.endsWith("/") ? real : `${real}/`;
  const done: string[] = [];
  const left = path.split("/").reverse();
  let links = 0;
  while (left.length > 0) {
    const name = left.pop()!;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (done.pop() === undefined) return undefined;
      continue;
    }
    const text = linkAt(folder, [...done, name].join("/"));
    if (text === undefined) {
      done.push(name);
      continue;
    }
    if (++links > MOST_LINKS) return undefined;
    let rest = text;
    if (text.startsWith("/")) {
      if (!`${text}/`.startsWith(below)) return undefined;
      rest = text.slice(below.length);
      done.length = 0;
    }
    left.push(...rest.split("/").reverse());
  }
  return done.join("/");
}

/** Returns the text of a link; `undefined` if it is no link. */
function linkAt(folder: number, path: string): string | undefined {
  const fd = raw.openat2(folder, path, PATH | NOFOLLOW | CLOEXEC, 0, RESOLVE);
  if (fd < 0) return undefined;
  const count = readlinkOf(fd, target);
  raw.close(fd);
  return count < 0 ? undefined : decoder.decode(target.subarray(0, count));
}
