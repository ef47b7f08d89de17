/** What a copy needs to know of the file that it reads. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { check } from "../../sys/check.ts";
import { available } from "../../sys/libc.ts";
import { factsOf, type FileFacts, FileType, timesOf } from "../../sys/file/statx.ts";

/** Describes an open file: by a call of our own where there is one, for Deno knows only its own files. */
export function describeFile(fd: number): FileFacts {
  if (platform.os === "linux" && available()) {
    return check(factsOf(fd), "statx", () => `describe fd ${fd}`);
  }
  const stats = builtin("fs").fstatSync(fd, { bigint: true });
  const mode = Number(stats.mode);
  return {
    type: mode & TYPE,
    mode,
    size: Number(stats.size),
    blocks: Number(stats.blocks),
    dev: stats.dev,
    ino: stats.ino,
    ...timesOf(stats.atimeNs, stats.mtimeNs),
  };
}

/** `S_IFMT` */
export const TYPE = 0o170000;

/** Whether a file is one that can be copied. */
export function isRegular({ type }: FileFacts): boolean {
  return type === FileType.REGULAR;
}
