/** Opens files to send. @module */

import type { Stats } from "node:fs";
import { platform } from "../../../../ffi/platform/mod.ts";
import { builtin } from "../../../builtins.ts";
import { asSyscallError, errnoNumber, SyscallError } from "../../../errors.ts";
import { describe } from "../../../options.ts";
import { check } from "../../../sys/check.ts";
import { type FdLike, fdOf } from "../../../sys/fd.ts";
import { ResolveFlag } from "../../../sys/flags/file.ts";
import { mountOf } from "../../../sys/file/mounts.ts";
import { available } from "../../../sys/libc.ts";
import { deviceSize, FileType } from "../../../sys/file/statx.ts";
import { closeFile, onMount, statusOf } from "../../../threads/blocking/files.ts";
import { openBelowNow, type Opened, openFile } from "../../../threads/blocking/opening.ts";
import { deviceSizeByReading } from "./device_size.ts";
import { discard, heldBytes, hold, isDoubtful, snapshot } from "./pseudo_files.ts";

/** A file that is open for reading. */
export interface Source {
  readonly fd: number;
  /** Size in bytes when it was opened. */
  readonly size: number;
  /** Path under which it was opened, if it was opened here. */
  readonly path: string | undefined;
  /** Whether calls on it may wait for another machine or process; `undefined` if unknown. */
  readonly remote?: boolean;
  /** Closes a file that was opened here; a borrowed descriptor stays open. */
  close(): void;
}

const KIND_NAMES: Record<number, string> = {
  [FileType.FIFO]: "a pipe",
  [FileType.CHARACTER]: "a character device",
  [FileType.DIRECTORY]: "a directory",
  [FileType.SOCKET]: "a socket",
};

/**
 * Opens a path, or borrows a descriptor, and checks that it is a file or a block device.
 *
 * With `root`, the path is resolved by the kernel below that folder, and cannot leave it.
 */
export async function openSource(
  source: string | URL | FdLike,
  root?: string | undefined,
  signal?: AbortSignal | undefined,
): Promise<Source> {
  const borrowed = typeof source === "number" ||
    (typeof source === "object" && source !== null && "fd" in source);
  if (borrowed) {
    if (typeof source === "number" && heldBytes(source) !== undefined) {
      return { fd: source, size: heldBytes(source)!.length, path: undefined, close() {} };
    }
    return describeSource(fdOf(source, "source"), undefined, () => {}, signal);
  }
  if (typeof source !== "string" && !(source instanceof URL)) {
    throw new TypeError(
      `Cannot send ${describe(source)}: expected a path, a file: URL or a descriptor`,
    );
  }
  const { fd, close } = root === undefined ? await openFile(source) : await openBelow(root, source);
  try {
    return await describeSource(fd, String(source), close, signal);
  } catch (error) {
    close();
    throw error;
  }
}

/**
 * Opens a path below a folder by openat2(2) with `RESOLVE_BENEATH`, which is safe against concurrent
 * renames and links. A kernel without it opens nothing.
 */
async function openBelow(root: string, path: string | URL): Promise<Opened> {
  const action = `open ${describe(String(path))} below ${describe(root)}`;
  if (typeof path !== "string") throw new TypeError(`Cannot ${action}: expected a relative path`);
  const { DIRECTORY, NONBLOCK, NOCTTY, CLOEXEC } = platform.open;
  const folder = await openFile(root, DIRECTORY);
  try {
    const resolve = ResolveFlag.BENEATH | ResolveFlag.NO_MAGICLINKS;
    const flags = NONBLOCK | NOCTTY | CLOEXEC;
    const now = openBelowNow(folder.fd, path, flags, resolve);
    const fd = now ??
      await onMount(mountOf(folder.fd), "openat2", folder.fd, path, flags, 0, resolve);
    check(fd, "openat2", () => action);
    return { fd, close: () => closeFile(fd) };
  } finally {
    folder.close();
  }
}

async function describeSource(
  fd: number,
  path: string | undefined,
  close: () => void,
  signal: AbortSignal | undefined,
): Promise<Source> {
  const name = path === undefined ? `fd ${fd}` : describe(path);
  if (!available()) return await describeByRuntime(fd, path, name, close, signal);
  const asked = statusOf(fd);
  const status = check(
    asked instanceof Promise ? await asked : asked,
    "statx",
    () => `describe ${name}`,
  );
  assertSendable(status.type, name);
  if (status.type === FileType.BLOCK) {
    return { fd, size: Math.max(0, deviceSize(fd)), path, close };
  }
  const copy = isDoubtful(status) ? await snapshot(fd, status, signal) : undefined;
  if (copy === undefined) {
    return { fd, size: status.size, path, remote: status.mount.storage === "remote", close };
  }
  close();
  return { ...copy, path, close: () => discard(copy) };
}

/** Describes a file like {@linkcode openSource}, without system calls. */
export async function describeByRuntime(
  fd: number,
  path: string | undefined,
  name: string,
  close: () => void,
  signal: AbortSignal | undefined,
): Promise<Source> {
  const { mode, size, blocks } = await new Promise<Stats>((resolve, reject) => {
    builtin("fs").fstat(fd, (error, stats) => {
      if (error) reject(asSyscallError(error, "fstat", `describe ${name}`));
      else resolve(stats);
    });
  });
  const type = mode & 0o170000;
  assertSendable(type, name);
  if (type === FileType.BLOCK) return { fd, size: await deviceSizeByReading(fd), path, close };
  const copy = await hold(fd, { type, size, blocks }, signal);
  if (copy === undefined) return { fd, size, path, close };
  close();
  return { ...copy, path, close: () => discard(copy) };
}

function assertSendable(type: number, name: string): void {
  if (type === FileType.REGULAR || type === FileType.BLOCK) return;
  const errno = errnoNumber(type === FileType.DIRECTORY ? "EISDIR" : "EINVAL");
  const kind = KIND_NAMES[type] ?? "not a file";
  throw new SyscallError({
    syscall: "sendfile",
    errno,
    action: `send ${name}, which is ${kind} and not a file`,
  });
}
