/** The file that a copy makes: under a temporary name until it is complete. @module */

import { builtin } from "../../builtins.ts";
import { errnoNumber, SyscallError } from "../../errors.ts";
import { describe } from "../../options.ts";
import type { FileFacts } from "../../sys/file/statx.ts";
import type { Place } from "./destination.ts";
import { renameToNew } from "./name.ts";
import { FIRST, openFor, openNew } from "./open.ts";
import { makeUnnamed } from "./unnamed.ts";
import { removeAtEnd } from "./leftovers.ts";
import { asSyscallError } from "../engine/open_file.ts";

/** What a target is made from. */
export interface TargetOptions {
  /** Under a temporary name first. */
  readonly atomic: boolean;
  /** In place of a file that exists. */
  readonly overwrite: boolean;
  /** Permission bits of the file, or `undefined` for those of any new file. */
  readonly mode: number | undefined;
  /** Times of access and change that the file gets, or `undefined` for those of now. */
  readonly times: FileFacts | undefined;
  /** Waits until the disk has the bytes. */
  readonly durable: boolean;
}

/** A file that is being made. */
export interface CopyTarget {
  readonly fd: number;
  /** Path of the file while it is not complete; `undefined` of one without a name. */
  readonly path: string | undefined;
  /** Closes the file and gives it its name. */
  finish(): Promise<void>;
  /** Closes the file and leaves nothing of it behind. */
  discard(): Promise<void>;
}

/** Longest name in a folder that Linux and macOS allow, in bytes. */
const LONGEST_NAME = 255;

/** Makes the file for a copy to `place`, which is no folder and no device. */
export async function makeTarget(place: Place, options: TargetOptions): Promise<CopyTarget> {
  const { path, facts } = place;
  if (facts !== undefined && !options.overwrite) {
    const action = `copy to ${describe(path)}, which exists`;
    throw new SyscallError({ syscall: "open", errno: errnoNumber("EEXIST"), action });
  }
  if (!options.atomic) return await makeInPlace(place, options);
  return await makeUnnamed(place, options, temporaryName(path)) ?? await makeHidden(path, options);
}

/** Makes a file under a temporary name. */
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
      // What was there before is gone; half of something else is not to pass for it.
      const undo = facts === undefined ? promises.unlink(path) : promises.truncate(path);
      await undo.catch(() => {});
    },
  };
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

/** Waits for a call of the runtime, and gives its error the shape of ours. */
export async function attempt(task: Promise<void>, syscall: string, path: string): Promise<void> {
  try {
    await task;
  } catch (error) {
    throw asSyscallError(error as Error, syscall, `copy to ${describe(path)}`);
  }
}
