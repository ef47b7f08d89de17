/** Giving a file a name that nobody has. @module */

import { guardsPaths } from "../../../ffi/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { EEXIST } from "../../errno.ts";
import { SyscallError } from "../../errors.ts";
import { describe } from "../../options.ts";
import { available } from "../../sys/libc.ts";
import { runOffThread } from "../engine/file/off_loop.ts";

/** Longest name in a folder that Linux and macOS allow, in bytes. */
const LONGEST_NAME = 255;

/** `RENAME_NOREPLACE` of renameat2(2), Linux 3.15. */
const NOREPLACE = 1;

/** Renames a file, and replaces nothing: `EEXIST` when there is something. */
export async function renameToNew(from: string, to: string): Promise<void> {
  if (platform.os === "linux" && available() && !guardsPaths()) {
    const { atFdcwd } = platform;
    const result = await runOffThread("renameat2", atFdcwd, from, atFdcwd, to, NOREPLACE);
    if (result >= 0) return;
    // Anything else: the file system knows no such flag (`EINVAL`), or the next way tells.
    if (result === EEXIST) {
      throw new SyscallError({
        syscall: "renameat2",
        errno: -result,
        action: `copy to ${describe(to)}`,
      });
    }
  }
  const { promises } = builtin("fs");
  try {
    // Unlike rename(2), link(2) replaces nothing.
    await promises.link(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw error;
    // A file system without links (FAT, exFAT), or one that refuses this one.
    return await renameOver(from, to);
  }
  await promises.unlink(from);
}

/** Makes an empty file of that name, which is there only when nothing else was, and replaces that. */
async function renameOver(from: string, to: string): Promise<void> {
  const { promises } = builtin("fs");
  await (await promises.open(to, "wx")).close();
  try {
    await promises.rename(from, to);
  } catch (error) {
    await promises.unlink(to).catch(() => {});
    throw error;
  }
}

/** A path in the folder of `path` that nobody else uses, and `ls` does not show. */
export function temporaryName(path: string): string {
  const { basename, dirname, join } = builtin("path");
  const suffix = `.${Math.random().toString(36).slice(2, 10)}.sluice`;
  let name = basename(path);
  while (new TextEncoder().encode(`.${name}${suffix}`).length > LONGEST_NAME) {
    name = name.slice(0, -1);
  }
  return join(dirname(path), `.${name}${suffix}`);
}
