/** Opening what is to be sent. @module */

import { guardsPaths } from "../../../ffi/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { errnoNumber, SyscallError } from "../../errors.ts";
import { describe } from "../../options.ts";
import { check } from "../../sys/check.ts";
import { type FdLike, fdOf } from "../../sys/fd.ts";
import { ResolveFlag } from "../../sys/flags/file.ts";
import { available } from "../../sys/libc.ts";
import * as raw from "../../sys/raw/mod.ts";
import { type FdStat, fdStat, FileType } from "../../sys/file/statx.ts";
import { discard, snapshot } from "./pseudo_files.ts";

/** A file that is open for reading. */
export interface Source {
  readonly fd: number;
  /** Bytes, as the file said when it was opened. */
  readonly size: number;
  /** Path under which it was opened, if it was opened here. */
  readonly path: string | undefined;
  /** Closes what was opened here; leaves a borrowed descriptor alone. */
  close(): void;
}

const KIND_NAMES: Record<number, string> = {
  [FileType.FIFO]: "a pipe",
  [FileType.CHARACTER]: "a character device",
  [FileType.DIRECTORY]: "a directory",
  [FileType.SOCKET]: "a socket",
};

const ENOSYS = errnoNumber("ENOSYS");

/**
 * Opens a path, or borrows a descriptor, and checks that it is something that can be sent.
 *
 * With `root`, the path is resolved by the kernel below that folder, and cannot leave it.
 */
export async function openSource(
  source: string | URL | FdLike,
  root?: string | undefined,
): Promise<Source> {
  const borrowed = typeof source === "number" ||
    (typeof source === "object" && source !== null && "fd" in source);
  if (borrowed) return describeSource(fdOf(source, "source"), undefined, () => {});
  if (typeof source !== "string" && !(source instanceof URL)) {
    throw new TypeError(
      `Cannot send ${describe(source)}: expected a path, a file: URL or a descriptor`,
    );
  }
  const { fd, close } = root === undefined ? await openFile(source) : await openBelow(root, source);
  try {
    return await describeSource(fd, String(source), close);
  } catch (error) {
    close();
    throw error;
  }
}

/** What was opened, and how to close it. */
export interface Opened {
  readonly fd: number;
  readonly close: () => void;
}

/** In the runtime's thread pool, where looking the path up may wait for a disk. */
export function openFile(path: string | URL, flags = 0): Opened | Promise<Opened> {
  const { close, constants, open } = builtin("fs");
  const fd = openCached(path, flags);
  if (fd >= 0) return { fd, close: () => void raw.close(fd) };
  return new Promise((resolve, reject) => {
    // O_NONBLOCK, because opening a FIFO waits for its writer; on a file it changes nothing.
    open(path, constants.O_RDONLY | constants.O_NONBLOCK | flags, (error, fd) => {
      if (!error) return resolve({ fd, close: () => close(fd, () => {}) });
      reject(asSyscallError(error, "open", `open ${describe(String(path))}`));
    });
  });
}

/**
 * Opens a path whose every part the kernel holds in memory; a negative number where it does not, and
 * for every other trouble, which the runtime's own `open` then reports.
 *
 * Two changes of thread less for each small file, which count where the processor is busy.
 * `RESOLVE_CACHED` is what io_uring uses for the same purpose; Linux 5.12.
 */
function openCached(path: string | URL, flags: number): number {
  // Where the runtime guards files by permissions of its own, it must see the path.
  if (typeof path !== "string" || !available() || guardsPaths()) return -ENOSYS;
  if (path === "" || path.includes("\0")) return -ENOSYS;
  const { NONBLOCK, NOCTTY, CLOEXEC } = platform.open;
  return raw.openat2(
    platform.atFdcwd,
    path,
    NONBLOCK | NOCTTY | CLOEXEC | flags,
    0,
    ResolveFlag.CACHED,
  );
}

/**
 * Opens a path below a folder: openat2(2) with `RESOLVE_BENEATH`, which holds whatever is renamed or
 * linked meanwhile. Where the kernel lacks it nothing is opened, rather than without its protection.
 */
async function openBelow(root: string, path: string | URL): Promise<Opened> {
  const action = `open ${describe(String(path))} below ${describe(root)}`;
  if (typeof path !== "string") throw new TypeError(`Cannot ${action}: expected a relative path`);
  const { DIRECTORY, NONBLOCK, NOCTTY, CLOEXEC } = platform.open;
  const folder = await openFile(root, DIRECTORY);
  try {
    const resolve = ResolveFlag.BENEATH | ResolveFlag.NO_MAGICLINKS;
    const fd = raw.openat2(folder.fd, path, NONBLOCK | NOCTTY | CLOEXEC, 0, resolve);
    check(fd, "openat2", () => action);
    return { fd, close: () => void raw.close(fd) };
  } finally {
    folder.close();
  }
}

async function describeSource(
  fd: number,
  path: string | undefined,
  close: () => void,
): Promise<Source> {
  const facts = await stat(fd);
  const { type, size } = facts;
  const name = path === undefined ? `fd ${fd}` : describe(path);
  if (type !== FileType.REGULAR && type !== FileType.BLOCK) {
    const errno = errnoNumber(type === FileType.DIRECTORY ? "EISDIR" : "EINVAL");
    const kind = KIND_NAMES[type] ?? "not a file";
    throw new SyscallError({
      syscall: "sendfile",
      errno,
      action: `send ${name}, which is ${kind} and not a file`,
    });
  }
  const copy = available() ? snapshot(fd, facts) : undefined;
  if (copy === undefined) return { fd, size, path, close };
  close();
  return { ...copy, path, close: () => discard(copy) };
}

/** By our own call where there is one: Deno's refuses descriptors that Deno did not open. */
async function stat(fd: number): Promise<FdStat> {
  const result = available() ? fdStat(fd) : -ENOSYS;
  if (typeof result !== "number") return result;
  if (result !== -ENOSYS) {
    throw new SyscallError({ syscall: "statx", errno: -result, action: `stat fd ${fd}` });
  }
  return await new Promise((resolve, reject) => {
    builtin("fs").fstat(fd, (error, { mode, size, blocks } = {} as never) => {
      if (error) reject(asSyscallError(error, "fstat", `stat fd ${fd}`));
      else resolve({ type: mode & 0o170000, size, blocks });
    });
  });
}

/** Gives an error of the runtime the shape of ours; the original is its cause. */
export function asSyscallError(
  error: Error,
  syscall: string,
  action: string,
  bytesMoved?: number,
): Error {
  const errno = errnoNumber(String((error as { code?: unknown }).code));
  if (errno === 0) return error;
  return new SyscallError({ syscall, errno, action, bytesMoved, cause: error });
}
