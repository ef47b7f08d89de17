/** Examines the target of a copy: an existing file, and the folder. @module */

import { guardsPaths } from "../../../ffi/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { ENOENT } from "../../errno.ts";
import { describe } from "../../options.ts";
import { ResolveFlag } from "../../sys/flags/file.ts";
import { available } from "../../sys/libc.ts";
import * as raw from "../../sys/raw/mod.ts";
import { fileSystemOf } from "../../sys/file/mounts.ts";
import { factsOf, type FileFacts, FileSystem, FileType } from "../../sys/file/statx.ts";
import { Naming } from "../../threads/blocking/unnamed_file.ts";
import { TYPE } from "./source.ts";
import { asSyscallError } from "../../errors.ts";

/** The target of a copy. */
export interface Place {
  /** The path, with symbolic links resolved. */
  readonly path: string;
  /** Attributes of the existing file; `undefined` if there is none. */
  readonly facts: Pick<FileFacts, "type" | "dev" | "ino"> | undefined;
  /** Its folder; the caller of `placeOf` closes it. `undefined` if foreign calls cannot be used. */
  readonly folder: Folder | undefined;
}

/** A folder opened with `O_PATH`. */
export interface Folder {
  readonly fd: number;
  /** See `FileSystem`. */
  readonly fileSystem: number;
}

/** Bytes from which fallocate(2) pays on ext4: see docs/decisions/31-reserve-before-copying.md. */
const RESERVE = 64 * 1024;

/** File systems of this machine, which wait for no network. */
const LOCAL: ReadonlySet<number> = new Set(Object.values(FileSystem));

/** Examines the target path; a dangling link counts as missing, and will be replaced. */
export async function placeOf(path: string): Promise<Place> {
  const folder = openFolder(path);
  if (folder !== undefined) {
    const facts = isLocal(folder) ? factsOf(folder.fd, builtin("path").basename(path)) : 0;
    if (facts === ENOENT) return { path, facts: undefined, folder };
    if (typeof facts !== "number" && facts.type !== FileType.LINK) return { path, facts, folder };
    raw.close(folder.fd);
  }
  const { realpath, stat } = builtin("fs").promises;
  try {
    const [real, { mode, dev, ino }] = await Promise.all([
      realpath(path),
      stat(path, { bigint: true }),
    ]);
    const facts = { type: Number(mode) & TYPE, dev, ino };
    return { path: real, facts, folder: openFolder(real) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return { path, facts: undefined, folder: openFolder(path) };
    }
    throw asSyscallError(error as Error, "stat", `examine ${describe(path)}`);
  }
}

/** Whether a folder is on a disk or in the memory of this machine. */
export function isLocal({ fileSystem }: Folder): boolean {
  return LOCAL.has(fileSystem);
}

/**
 * Opens the folder of a path, and examines what has its name; `undefined` if that would wait, or if the
 * path does not lead to a new or a regular file of this machine. Close it with
 * {@linkcode closeFolder}.
 */
export function placeNow(path: string): Place & { folder: Folder } | undefined {
  const folder = openFolder(path);
  if (folder === undefined) return undefined;
  const facts = isLocal(folder) ? factsOf(folder.fd, builtin("path").basename(path)) : 0;
  if (facts === ENOENT) return { path, facts: undefined, folder };
  if (typeof facts !== "number" && facts.type === FileType.REGULAR) return { path, facts, folder };
  raw.close(folder.fd);
  return undefined;
}

/** Opens the folder of a path, if all its components are in the kernel's cache. */
function openFolder(path: string): Folder | undefined {
  // If the runtime restricts paths by its own permissions, it must see the path.
  if (platform.os !== "linux" || !available() || guardsPaths()) return undefined;
  if (path.endsWith("/")) return undefined;
  const { PATH, DIRECTORY, CLOEXEC } = platform.open;
  const flags = PATH | DIRECTORY | CLOEXEC;
  const name = builtin("path").dirname(path);
  const fd = raw.openat2(platform.atFdcwd, name, flags, 0, ResolveFlag.CACHED);
  return fd < 0 ? undefined : { fd, fileSystem: fileSystemOf(fd) };
}

/** Closes the folder of a place. */
export function closeFolder({ folder }: Place): void {
  if (folder !== undefined) raw.close(folder.fd);
}

/** Whether blocks for a new file of that size are reserved in advance. */
export function reserves({ folder }: Place, size: number): boolean {
  return folder?.fileSystem === FileSystem.EXT && size >= RESERVE;
}

/** Bits of `Naming` for a new file in that place, of which `size` bytes may be reserved. */
export function namingOf(place: Place, size: number, overwrite = true): number {
  return (overwrite ? Naming.REPLACE : 0) | (place.facts === undefined ? 0 : Naming.EXISTS) |
    (reserves(place, size) ? Naming.FLUSH : 0);
}
