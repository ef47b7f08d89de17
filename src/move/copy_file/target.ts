/** The file that a copy makes: under a temporary name until it is complete. @module */

import { builtin } from "../../builtins.ts";
import { errnoNumber, SyscallError } from "../../errors.ts";
import { describe } from "../../options.ts";
import type { FileFacts } from "../../sys/file/statx.ts";
import type { Place } from "./destination.ts";
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
  readonly times: Pick<FileFacts, "accessedMs" | "modifiedMs"> | undefined;
  /** Waits until the disk has the bytes. */
  readonly durable: boolean;
}

/** A file that is being made. */
export interface CopyTarget {
  readonly fd: number;
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
  return options.atomic ? await makeHidden(path, options) : await makeInPlace(place, options);
}

async function makeHidden(path: string, options: TargetOptions): Promise<CopyTarget> {
  const { constants, promises } = builtin("fs");
  const hidden = temporaryName(path);
  const { O_CREAT, O_EXCL, O_WRONLY } = constants;
  const file = await openFor(hidden, O_WRONLY | O_CREAT | O_EXCL, options, path);
  let named = true;
  return {
    fd: file.fd,
    async finish() {
      await file.complete();
      if (options.overwrite) await attempt(promises.rename(hidden, path), "rename", path);
      else {
        // Unlike rename(2), link(2) replaces nothing.
        await attempt(promises.link(hidden, path), "link", path);
        await promises.unlink(hidden);
      }
      named = false;
    },
    async discard() {
      await file.close().catch(() => {});
      if (named) await promises.unlink(hidden).catch(() => {});
    },
  };
}

async function makeInPlace(
  { path, facts }: Place,
  options: TargetOptions,
): Promise<CopyTarget> {
  const { constants, promises } = builtin("fs");
  const { O_CREAT, O_EXCL, O_TRUNC, O_WRONLY } = constants;
  const exclusive = options.overwrite ? O_TRUNC : O_EXCL;
  const file = await openFor(path, O_WRONLY | O_CREAT | exclusive, options, path);
  return {
    fd: file.fd,
    finish: () => file.complete(),
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

interface OpenTarget {
  readonly fd: number;
  /** Gives the file its attributes and closes it. */
  complete(): Promise<void>;
  /** Closes the file, once. */
  close(): Promise<void>;
}

/** Permission bits that a copy has of its source. */
export const PERMISSIONS = 0o777;

async function openFor(
  path: string,
  flags: number,
  options: TargetOptions,
  name: string,
): Promise<OpenTarget> {
  const { mode, times, durable } = options;
  const action = `copy to ${describe(name)}`;
  // Until it is complete, nobody else is to read what may be private.
  const first = mode === undefined ? 0o666 : 0o600;
  const fs = builtin("fs");
  const fd = await called<number>("open", action, (done) => fs.open(path, flags, first, done));
  let open = true;
  const close = async () => {
    if (!open) return;
    // Once only, whatever it answers: the number may be somebody else's by then.
    open = false;
    await called("close", action, (done) => fs.close(fd, done));
  };
  return {
    fd,
    close,
    async complete() {
      if (mode !== undefined) {
        // The inode is in memory, and this is one change of thread less for each small file.
        fs.fchmodSync(fd, mode & PERMISSIONS);
      }
      if (times !== undefined) {
        const { accessedMs, modifiedMs } = times;
        await called(
          "futimes",
          action,
          (done) => fs.futimes(fd, accessedMs / 1000, modifiedMs / 1000, done),
        );
      }
      if (durable) await called("fsync", action, (done) => fs.fsync(fd, done));
      await close();
    },
  };
}

type Callback<T> = (error: NodeJS.ErrnoException | null, value: T) => void;

function called<T = void>(
  syscall: string,
  action: string,
  call: (done: Callback<T>) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => error ? reject(asSyscallError(error, syscall, action)) : resolve(value));
  });
}

async function attempt(task: Promise<void>, syscall: string, path: string): Promise<void> {
  try {
    await task;
  } catch (error) {
    throw asSyscallError(error as Error, syscall, `copy to ${describe(path)}`);
  }
}
