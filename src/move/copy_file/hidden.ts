/** A target with a hidden name until it is complete. @module */

import { builtin } from "../../builtins.ts";
import { describe } from "../../options.ts";
import { renameToNew, temporaryName } from "./name.ts";
import { openNew } from "./open.ts";
import { removeAtEnd } from "./leftovers.ts";
import { asSyscallError } from "../../errors.ts";
import type { CopyTarget, TargetOptions } from "./types.ts";

/** Creates a file under a temporary name. */
export async function makeHidden(path: string, options: TargetOptions): Promise<CopyTarget> {
  const { promises } = builtin("fs");
  const hidden = temporaryName(path);
  const keep = removeAtEnd(hidden);
  try {
    const file = await openNew(hidden, options, path);
    return {
      fd: file.fd,
      path: hidden,
      async finish() {
        await file.complete();
        await file.close();
        if (options.overwrite) await attempt(promises.rename(hidden, path), "rename", path);
        else await attempt(renameToNew(hidden, path), "link", path);
        keep();
      },
      async discard() {
        await file.close().catch(() => {});
        await promises.unlink(hidden).catch(() => {});
        keep();
      },
    };
  } catch (error) {
    keep();
    throw error;
  }
}

/** Waits for a call of the runtime, and converts its error. */
export async function attempt(task: Promise<void>, syscall: string, path: string): Promise<void> {
  try {
    await task;
  } catch (error) {
    throw asSyscallError(error as Error, syscall, `copy to ${describe(path)}`);
  }
}
