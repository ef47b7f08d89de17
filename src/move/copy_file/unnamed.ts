/** The file that a copy creates, without a name until it is complete. @module */

import { guardsPaths } from "../../../ffi/mod.ts";
import { builtin } from "../../builtins.ts";

import { errnoName } from "../../errors.ts";
import { describe } from "../../options.ts";
import { check } from "../../sys/check.ts";
import { OpenFlag } from "../../sys/flags/file.ts";
import { canName } from "../../threads/blocking/unnamed_file.ts";

import { isLocal, namingOf, type Place } from "./destination.ts";
import { openFor } from "./open.ts";
import { attempt, makeHidden } from "./hidden.ts";
import type { CopyTarget, TargetOptions } from "./types.ts";
import { runInline, runOffThread } from "../engine/file/off_loop.ts";

/** Errors when a file may not be linked. */
const UNNAMEABLE: ReadonlySet<string> = new Set([
  "EACCES",
  "EINVAL",
  "EMLINK",
  "ENOSYS",
  "ENOTSUP",
  "EOPNOTSUPP",
  "EPERM",
  "EXDEV",
]);

/**
 * Creates such a file: `undefined` if that is impossible.
 *
 * @param hidden Path beside that of `place`, for the moment in which it replaces a file.
 */
export async function makeUnnamed(
  place: Place,
  options: TargetOptions,
  hidden: string,
): Promise<CopyTarget | undefined> {
  const { path, folder } = place;
  const { TMPFILE, WRONLY } = OpenFlag;
  if (folder === undefined || !canName() || guardsPaths()) return undefined;
  const { basename, dirname } = builtin("path");
  const { mode = 0o666, overwrite, reserve } = options;
  const file = await openFor(dirname(path), TMPFILE | WRONLY, mode & 0o777, options, path)
    .catch(() => undefined);
  // The file system does not support it. The next method reports other errors.
  if (file === undefined) return undefined;
  if (reserve > 0) {
    try {
      const reserved = await runOffThread("reserve", file.fd, reserve);
      check(reserved, "fallocate", () => `copy to ${describe(path)}`);
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
  }
  return {
    fd: file.fd,
    path: undefined,
    async finish() {
      await file.complete();
      const names = [basename(hidden), basename(path)] as const;
      const naming = namingOf(place, reserve, overwrite);
      const call = ["nameWritten", file.fd, folder.fd, ...names, naming] as const;
      const result = isLocal(folder) ? runInline(...call) : await runOffThread(...call);
      if (result < 0 && UNNAMEABLE.has(errnoName(-result))) {
        await copyNamed(file.fd, path, options);
      } else check(result, "linkat", () => `copy to ${describe(path)}`);
      await file.close();
    },
    discard: () => file.close().catch(() => {}),
  };
}

/** The bytes are complete but cannot get a name: copy them to a file that has one. */
async function copyNamed(fd: number, path: string, options: TargetOptions): Promise<void> {
  const target = await makeHidden(path, options);
  try {
    const { promises } = builtin("fs");
    await attempt(promises.copyFile(`/proc/self/fd/${fd}`, target.path!), "copy_file_range", path);
    await target.finish();
  } catch (error) {
    await target.discard();
    throw error;
  }
}
