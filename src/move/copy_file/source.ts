/** Examines the source of a copy. @module */

import type { BigIntStats } from "node:fs";
import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { check } from "../../sys/check.ts";
import { available } from "../../sys/libc.ts";
import { mountOf } from "../../sys/file/mounts.ts";
import { type FileFacts, FileType, timesOf } from "../../sys/file/statx.ts";
import { copyFacts, statusOf } from "../../threads/blocking/files.ts";
import { hold, isDoubtful, type Snapshot, snapshot } from "../engine/file/pseudo_files.ts";
import { asSyscallError } from "../../errors.ts";
import { describe } from "../../options.ts";

/**
 * Describes an open file, by a system call if possible: Deno knows only files that it opened. `name`
 * is its path, for errors.
 */
export async function describeFile(fd: number, name: string): Promise<FileFacts> {
  const action = `describe ${describe(name)}`;
  if (platform.os === "linux" && available()) {
    return check(await copyFacts(fd), "statx", () => action);
  }
  const stats = await describeByRuntime(fd, action);
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

function describeByRuntime(fd: number, action: string): Promise<BigIntStats> {
  return new Promise((resolve, reject) => {
    builtin("fs").fstat(fd, { bigint: true }, (error, stats) => {
      if (error) reject(asSyscallError(error, "fstat", action));
      else resolve(stats);
    });
  });
}

/** The content of a file that reports no length; `undefined` if its size is reliable. */
export async function contentsOf(
  fd: number,
  name: string,
  { type, size, blocks }: FileFacts,
  signal: AbortSignal | undefined,
): Promise<Snapshot | undefined> {
  if (!available()) return await hold(fd, { type, size, blocks }, signal);
  // Checks the cheap facts first, then the mount.
  if (!isDoubtful({ type, size, blocks })) return undefined;
  if (!isDoubtful({ type, size, blocks, mount: mountOf(fd) })) return undefined;
  const status = check(await statusOf(fd), "statx", () => `describe ${describe(name)}`);
  return await snapshot(fd, status, signal);
}

/** `S_IFMT` */
export const TYPE = 0o170000;

/** Whether a file can be copied as a regular file. */
export function isRegular({ type }: FileFacts): boolean {
  return type === FileType.REGULAR;
}
