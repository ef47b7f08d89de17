/** The file that a copy creates: under a temporary name until it is complete. @module */

import { builtin } from "../../builtins.ts";
import { errnoNumber, SyscallError } from "../../errors.ts";
import { describe } from "../../options.ts";
import type { Place } from "./destination.ts";
import { FIRST, openFor, openNew } from "./open.ts";
import { makeUnnamed } from "./unnamed.ts";
import type { CopyTarget, TargetOptions } from "./types.ts";
import { makeHidden } from "./hidden.ts";
import { temporaryName } from "./name.ts";

/** Creates the file for a copy to `place`, which is neither a folder nor a device. */
export async function makeTarget(place: Place, options: TargetOptions): Promise<CopyTarget> {
  const { path, facts } = place;
  if (facts !== undefined && !options.overwrite) {
    const action = `copy to ${describe(path)}, which exists`;
    throw new SyscallError({ syscall: "open", errno: errnoNumber("EEXIST"), action });
  }
  if (!options.atomic) return await makeInPlace(place, options);
  return await makeUnnamed(place, options, temporaryName(path)) ?? await makeHidden(path, options);
}

async function makeInPlace(
  { path, facts }: Place,
  options: TargetOptions,
): Promise<CopyTarget> {
  const { constants, promises } = builtin("fs");
  const { O_CREAT, O_TRUNC, O_WRONLY } = constants;
  const file = facts === undefined || !options.overwrite
    ? await openNew(path, options, path)
    : await openFor(path, O_WRONLY | O_CREAT | O_TRUNC, FIRST, options, path);
  return {
    fd: file.fd,
    path,
    async finish() {
      await file.complete();
      await file.close();
    },
    async discard() {
      await file.close().catch(() => {});
      // The old content is gone; an incomplete copy must not pass for it.
      const undo = facts === undefined ? promises.unlink(path) : promises.truncate(path);
      await undo.catch(() => {});
    },
  };
}
