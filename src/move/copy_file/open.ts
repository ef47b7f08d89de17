/** Opens the file that a copy creates, and sets its attributes. @module */

import { builtin } from "../../builtins.ts";
import { describe } from "../../options.ts";
import { check } from "../../sys/check.ts";
import { available } from "../../sys/libc.ts";
import * as raw from "../../sys/raw/mod.ts";
import type { FileFacts } from "../../sys/file/statx.ts";
import { requireDescriptor } from "../../threads/blocking/file_numbers.ts";
import type { TargetOptions } from "./types.ts";
import { asSyscallError } from "../../errors.ts";

/** Permissions of an incomplete file: others must not read what may be private. */
export const FIRST = 0o600;
const USUAL = 0o666;

/** Errors of a file system, or a runtime, that does not allow changing permissions. */
export const REFUSED: ReadonlySet<string> = new Set([
  "EPERM",
  "EACCES",
  "ENOSYS",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ERR_ACCESS_DENIED",
]);

/** A file open for writing. */
export interface OpenTarget {
  readonly fd: number;
  /** Sets the attributes of the file, and syncs it if requested. */
  complete(): Promise<void>;
  /** Closes the file, once. */
  close(): Promise<void>;
}

/** Permission bits that a copy takes from its source. */
export const PERMISSIONS = 0o777;

/** Opens a file; {@linkcode OpenTarget.complete} sets its attributes. */
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
  try {
    requireDescriptor(fd, () => action);
  } catch (error) {
    await called("close", action, (done) => fs.close(fd, done));
    throw error;
  }
  let open = true;
  const close = async () => {
    if (!open) return;
    // Only once, even after an error: the number may be reused.
    open = false;
    await called("close", action, (done) => fs.close(fd, done));
  };
  return {
    fd,
    close,
    async complete() {
      if (mode !== undefined) {
        try {
          changeMode(fd, mode & PERMISSIONS);
        } catch (error) {
          throw asSyscallError(error as Error, "fchmod", action);
        }
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

/** Creates a file; fails if it exists. */
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
  try {
    if (changeMode(file.fd, FIRST)) return file;
    // Create it with these permissions instead.
    await file.close();
    await promises.unlink(path);
  } catch (error) {
    await file.close().catch(() => {});
    await promises.unlink(path).catch(() => {});
    throw asSyscallError(error as Error, "fchmod", `copy to ${describe(name)}`);
  }
  return await openFor(path, flags, mode & PERMISSIONS, options, name);
}

/** Whether permissions can be changed; some file systems and Node's `--permission` refuse. */
function changeMode(fd: number, mode: number): boolean {
  try {
    // The inode is in memory, so this is fast, and avoids a thread switch for each small file.
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
    // Node's `--permission` rejects the call by descriptor, and Deno rejects fractions before 1970.
    await called("utimes", action, (done) => fs.utimes(path, accessed, modified, done))
      .catch(() => {
        throw error;
      });
  }
}

/** Node.js takes a negative number for the current time, but accepts a negative date. */
function timeOf(ms: number): number | Date {
  return ms < 0 ? new Date(ms) : ms / 1000;
}
