/** Gives a file an unused name. @module */

import { guardsPaths } from "../../../ffi/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { EEXIST } from "../../errno.ts";
import { SyscallError } from "../../errors.ts";
import { describe } from "../../options.ts";
import { available } from "../../sys/libc.ts";
import { runOffThread } from "../engine/file/off_loop.ts";

/** Maximum length of a file name on Linux and macOS, in bytes. */
const LONGEST_NAME = 255;

/** `RENAME_NOREPLACE` of renameat2(2), Linux 3.15. */
const NOREPLACE = 1;

/** Renames a file without replacing another: `EEXIST` if the name is in use. */
export async function renameToNew(from: string, to: string): Promise<void> {
  if (platform.os === "linux" && available() && !guardsPaths()) {
    const { atFdcwd } = platform;
    const result = await runOffThread("renameat2", atFdcwd, from, atFdcwd, to, NOREPLACE);
    if (result >= 0) return;
    // On other errors, such as an unsupported flag (`EINVAL`), try the next method.
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
    // The file system has no links (FAT, exFAT), or refuses this one.
    return await renameOver(from, to);
  }
  await promises.unlink(from);
}

/** Creates an empty file of that name, which fails if the name is in use, then replaces it. */
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

/** Returns an unused, hidden path in the folder of `path`. */
export function temporaryName(path: string): string {
  const { basename, dirname, join } = builtin("path");
  return join(dirname(path), temporaryBase(basename(path)));
}

/** Returns an unused, hidden name for a file that will be called `name`. */
export function temporaryBase(name: string): string {
  const suffix = `.${Math.random().toString(36).slice(2, 10)}.sluice`;
  // UTF-8 has at most three bytes for each unit of UTF-16.
  if (name.length * 3 + 1 + suffix.length <= LONGEST_NAME) return `.${name}${suffix}`;
  while (new TextEncoder().encode(`.${name}${suffix}`).length > LONGEST_NAME) {
    name = name.slice(0, -1);
  }
  return `.${name}${suffix}`;
}
