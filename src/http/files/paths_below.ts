/** Paths below a root. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import * as raw from "../../sys/raw/mod.ts";

export function belowReal(root: string, real: string): string | undefined {
  const below = root.endsWith("/") ? root : `${root}/`;
  if (real !== root && !real.startsWith(below)) return undefined;
  return real.slice(below.length) || ".";
}

export function join(root: string, path: string): string {
  return path === "." ? root : `${root}/${path}`;
}

export function openFolder(path: string): number {
  const { CLOEXEC, DIRECTORY, PATH } = platform.open;
  return raw.open(path, PATH | DIRECTORY | CLOEXEC, 0);
}
