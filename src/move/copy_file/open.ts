/** Opening the file that a copy makes, and its attributes. @module */

import { builtin } from "../../builtins.ts";
import { describe } from "../../options.ts";
import { check } from "../../sys/check.ts";
import { available } from "../../sys/libc.ts";
import * as raw from "../../sys/raw/mod.ts";
import type { FileFacts } from "../../sys/file/statx.ts";
import type { TargetOptions } from "./types.ts";
import { asSyscallError } from "../../errors.ts";

/** Permissions of a file that is not complete: nobody else is to read what may be private. */
export const FIRST = 0o600;
const USUAL = 0o666;

/** What stands for a file system, or a runtime, that lets nobody change permissions. */
const REFUSED: ReadonlySet<string> = new Set([
  "EPERM",
  "EACCES",
  "ENOSYS",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ERR_ACCESS_DENIED",
]);

/** A file that is open for writing. */
export interface OpenTarget {
  readonly fd: number;
  /** Gives the file its attributes, and brings it to the disk where that was asked for. */
  complete(): Promise<void>;
  /** Closes the file, once. */
  close(): Promise<void>;
}

/** Permission bits that a copy has of its source. */
export const PERMISSIONS = 0o777;

/** Opens a file, whose attributes {@linkcode OpenTarget.complete} sets. */
export async function openFor(
  path: string,
  flags: number,
  first: number,
  options: TargetOptions,
  name: string,
): Promise<OpenTarget> {
  const { mode, times, durable } = options;
  const action = `copy to ${describe(name)}`;
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
        changeMode(fd, mode & PERMISSIONS);
      }
      if (times !== undefined) {
        await setTimes(fd, path, times, action);
      }
      if (durable) await called("fsync", action, (done) => fs.fsync(fd, done));
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

/** Opens a file that does not exist. */
export async function openNew(
  path: string,
  options: TargetOptions,
  name: string,
): Promise<OpenTarget> {
  const { constants, promises } = builtin("fs");
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
  const { mode } = options;
  if (mode === undefined) return await openFor(path, flags, USUAL, options, name);
  const file = await openFor(path, flags, FIRST, options, name);
  if (changeMode(file.fd, FIRST)) return file;
  // Then it must be made with them.
  await file.close();
  await promises.unlink(path);
  return await openFor(path, flags, mode & PERMISSIONS, options, name);
}

/** Whether permissions can be changed, which some file systems and Node's `--permission` refuse. */
function changeMode(fd: number, mode: number): boolean {
  try {
    // The inode is in memory, and this is one change of thread less for each small file.
    builtin("fs").fchmodSync(fd, mode);
    return true;
  } catch (error) {
    if (REFUSED.has(String((error as NodeJS.ErrnoException).code))) return false;
    throw error;
  }
}

async function setTimes(
  fd: number,
  path: string,
  { accessedMs, accessedNs, modifiedMs, modifiedNs }: FileFacts,
  action: string,
): Promise<void> {
  const fs = builtin("fs");
  if (available()) {
    check(raw.futimens(fd, accessedNs, modifiedNs), "futimens", () => action);
    return;
  }
  const accessed = timeOf(accessedMs);
  const modified = timeOf(modifiedMs);
  try {
    await called("futimes", action, (done) => fs.futimes(fd, accessed, modified, done));
  } catch (error) {
    // By descriptor Node's `--permission` refuses it, and Deno takes no part of a second before 1970.
    await called("utimes", action, (done) => fs.utimes(path, accessed, modified, done))
      .catch(() => {
        throw error;
      });
  }
}

/** Node.js takes a negative number of seconds for now, and a date for what it is. */
function timeOf(ms: number): number | Date {
  return ms < 0 ? new Date(ms) : ms / 1000;
}
