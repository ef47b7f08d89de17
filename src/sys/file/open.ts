/** Opening and closing descriptors. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { describe, flagsOf, integer, pathOf } from "../arguments.ts";
import { check } from "../check.ts";
import { type FdLike, fdOf } from "../fd.ts";
import * as raw from "../raw/mod.ts";

const MODES = 0o7777;

/**
 * Opens a file.
 *
 * Programs that the process starts inherit the descriptor unless you pass `OpenFlag.CLOEXEC`.
 * Opening a FIFO without `OpenFlag.NONBLOCK` waits for its other end.
 *
 * @param path Path, relative to the current folder; no NUL characters.
 * @param flags One of `OpenFlag.RDONLY`, `WRONLY`, `RDWR`, or-ed with other bits.
 * @param mode Permissions of a file that is created, minus the umask; 0..0o7777. Default: 0o666.
 * @returns The descriptor; the caller closes it.
 *
 * @throws {TypeError} When `path` is not a string or contains NUL.
 * @throws {RangeError} When `flags` or `mode` is out of range.
 * @throws {SyscallError} `ENOENT` when the file does not exist; `EEXIST` with `EXCL`; `EISDIR` when
 * a folder is opened for writing; `ENOTDIR`, `ELOOP`, `ENAMETOOLONG` for the path; `EACCES` without
 * permission; `EMFILE` when no descriptor is left; `EINVAL` for `DIRECT` if the file system has no
 * direct I/O.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/open.2.html}
 */
export function open(path: string, flags: number, mode: number = 0o666): number {
  pathOf(path);
  flagsOf(flags);
  integer(mode, "mode", 0, MODES);
  return check(raw.open(path, flags, mode), "open", () => `open ${describe(path)}`);
}

/**
 * Opens a file relative to an open folder.
 *
 * @param dir Folder, or `null` for the current one; ignored if `path` is absolute.
 * @param path Path; it may leave the folder through `..`, see {@linkcode openat2}.
 * @param flags As for {@linkcode open}.
 * @param mode As for {@linkcode open}. Default: 0o666.
 * @returns The descriptor; the caller closes it.
 *
 * @throws {TypeError} When `path` is not a string or contains NUL, or `dir` is not a descriptor.
 * @throws {RangeError} When `flags` or `mode` is out of range.
 * @throws {SyscallError} As {@linkcode open}; `EBADF` when `dir` is not open; `ENOTDIR` when it is
 * not a folder.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/openat.2.html}
 */
export function openat(
  dir: FdLike | null,
  path: string,
  flags: number,
  mode: number = 0o666,
): number {
  const at = dirOf(dir);
  pathOf(path);
  flagsOf(flags);
  integer(mode, "mode", 0, MODES);
  return check(raw.openat(at, path, flags, mode), "openat", () => `open ${describe(path)}`);
}

/** Arguments of {@linkcode openat2}: `struct open_how`. */
export interface OpenHow {
  /** As for {@linkcode open}, but unknown bits are rejected with `EINVAL`. */
  readonly flags: number;
  /** As for {@linkcode open}; `EINVAL` unless the flags may create a file. @default {0} */
  readonly mode?: number;
  /** Or-ed bits of `ResolveFlag`. @default {0} */
  readonly resolve?: number;
}

/**
 * Opens a file and restricts how its path is resolved.
 *
 * Use it for untrusted paths: `ResolveFlag.BENEATH` keeps the result inside `dir` even if links are
 * swapped meanwhile. Linux only.
 *
 * @param dir Folder, or `null` for the current one.
 * @param path Path, relative to `dir`.
 * @param how Flags, mode and restrictions.
 * @returns The descriptor; the caller closes it.
 *
 * @throws {TypeError} When `path` is not a string or contains NUL, or `dir` is not a descriptor.
 * @throws {RangeError} When a number of `how` is out of range.
 * @throws {SyscallError} As {@linkcode openat}; `EXDEV` when the path leaves `dir` or its file
 * system; `ELOOP` for a forbidden link; `EAGAIN` when the kernel cannot exclude a race, or with
 * `CACHED`; `EINVAL` for unknown bits; `ENOSYS` when a sandbox forbids the call.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/openat2.2.html}
 */
export function openat2(dir: FdLike | null, path: string, how: OpenHow): number {
  const at = dirOf(dir);
  pathOf(path);
  const { flags, mode = 0, resolve = 0 } = how;
  flagsOf(flags);
  integer(mode, "mode", 0, MODES);
  flagsOf(resolve, "resolve");
  return check(
    raw.openat2(at, path, flags, mode, resolve),
    "openat2",
    () => `open ${describe(path)}`,
  );
}

/**
 * Closes a descriptor.
 *
 * Linux frees the number even if the call fails, and may reuse it at once. Never close a descriptor
 * twice, and never one that the runtime owns.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {SyscallError} `EBADF` when it is not open; `EIO`, `ENOSPC`, `EDQUOT` when delayed writes
 * failed.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/close.2.html}
 */
export function close(fd: FdLike): void {
  const number = fdOf(fd);
  check(raw.close(number), "close", () => `close fd ${number}`);
}

/**
 * Returns the access mode and the status flags of the open file (`F_GETFL`), as bits of `OpenFlag`.
 *
 * Call it right before you need the flags: every owner of the open file may change them.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {SyscallError} `EBADF` when it is not open.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/F_GETFL.2const.html}
 */
export function statusFlags(fd: FdLike): number {
  const number = fdOf(fd);
  return check(
    raw.fcntl(number, platform.fcntl.GETFL, 0),
    "fcntl",
    () => `read the flags of fd ${number}`,
  );
}

/**
 * Replaces the status flags of the open file (`F_SETFL`): `APPEND`, `DIRECT`, `NOATIME`,
 * `NONBLOCK`.
 *
 * The flags belong to the open file, not to the descriptor: they affect all descriptors that share
 * it, in this process and others. Never change them on a descriptor that the runtime owns.
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {RangeError} When `flags` is not an integer in 0..2^31-1.
 * @throws {SyscallError} `EBADF` when `fd` is not open; `EINVAL` for `DIRECT` if the file does not
 * support it.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/F_SETFL.2const.html}
 */
export function setStatusFlags(fd: FdLike, flags: number): void {
  const number = fdOf(fd);
  flagsOf(flags);
  check(
    raw.fcntl(number, platform.fcntl.SETFL, flags),
    "fcntl",
    () => `set the flags of fd ${number} to ${flags}`,
  );
}

/**
 * Reports whether the descriptor is closed in programs that the process starts (`F_GETFD`).
 *
 * @throws {TypeError} When `fd` is not a descriptor.
 * @throws {SyscallError} `EBADF` when it is not open.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/F_GETFD.2const.html}
 */
export function closesOnExec(fd: FdLike): boolean {
  const number = fdOf(fd);
  const flags = check(
    raw.fcntl(number, platform.fcntl.GETFD, 0),
    "fcntl",
    () => `read the flags of fd ${number}`,
  );
  return (flags & 1) !== 0;
}

/** Descriptor number of a folder; `null` is the current one. */
export function dirOf(dir: FdLike | null): number {
  return dir === null ? platform.atFdcwd : fdOf(dir, "folder");
}
