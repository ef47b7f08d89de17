/** Opens files without waiting for a disk, a server or another program. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { EAGAIN, EXDEV } from "../../errno.ts";
import { OpenFlag, ResolveFlag } from "../../sys/flags/file.ts";
import { type Mount, mountByName, mountOf } from "../../sys/file/mounts.ts";
import * as raw from "../../sys/raw/mod.ts";

/** Milliseconds for which the mount of `/` is assumed not to change. */
const TRUST_MS = 1000;

let top: { storage: string; untilMs: number } | undefined;

/**
 * Opens a path if all its components are in the kernel's cache, on a file system of this machine.
 *
 * `RESOLVE_CACHED` (Linux 5.12), which io_uring uses for the same purpose, keeps the look-up from
 * waiting. The opening itself may still wait, because NFS and FUSE ask their servers. So the
 * look-up stays on a known mount, or finds the file's mount first.
 *
 * @returns The descriptor; the mount whose threads should open it; or `null` if the disk is needed,
 * or if the path cannot be opened: a later, blocking attempt then reports the reason.
 */
export function openNow(path: string, flags: number): number | Mount | null {
  const { atFdcwd } = platform;
  const { CACHED, NO_XDEV } = ResolveFlag;
  if (platform.os !== "linux") return null;
  if (startsLocal(path)) {
    const fd = raw.openat2(atFdcwd, path, flags, 0, CACHED | NO_XDEV);
    if (fd >= 0) return fd;
    if (fd !== EAGAIN && fd !== EXDEV) return null;
  }
  const place = raw.openat2(atFdcwd, path, OpenFlag.PATH | OpenFlag.CLOEXEC, 0, CACHED);
  if (place < 0) {
    const mount = mountByName(builtin("path").resolve(path));
    return mount.storage === "remote" ? mount : null;
  }
  const mount = mountOf(place);
  raw.close(place);
  if (mount.storage === "remote") return mount;
  const fd = raw.openat2(atFdcwd, path, flags, 0, CACHED);
  return fd >= 0 ? fd : null;
}

/** Mount of a file that exists or is about to be created, as far as it is known without waiting. */
export function mountOfPath(path: string): Mount {
  const { dirname, resolve } = builtin("path");
  for (const name of [path, dirname(path)]) {
    const flags = OpenFlag.PATH | OpenFlag.CLOEXEC;
    const fd = raw.openat2(platform.atFdcwd, name, flags, 0, ResolveFlag.CACHED);
    if (fd < 0) continue;
    const mount = mountOf(fd);
    raw.close(fd);
    return mount;
  }
  return mountByName(resolve(path));
}

/** Whether the folder where a look-up starts is on a file system of this machine. */
function startsLocal(path: string): boolean {
  if (path[0] !== "/") return mountOf(platform.atFdcwd).storage !== "remote";
  if (top === undefined || performance.now() >= top.untilMs) {
    const fd = raw.open("/", OpenFlag.PATH | OpenFlag.CLOEXEC, 0);
    if (fd < 0) return false;
    top = { storage: mountOf(fd).storage, untilMs: performance.now() + TRUST_MS };
    raw.close(fd);
  }
  return top.storage !== "remote";
}

/**
 * Opens a path below a folder like {@linkcode openNow}; `undefined` if that would wait.
 *
 * @param resolve How to resolve the path: see `ResolveFlag`.
 */
export function openBelowNow(
  folder: number,
  path: string,
  flags: number,
  resolve: number,
): number | undefined {
  const { CACHED, NO_XDEV } = ResolveFlag;
  if (mountOf(folder).storage === "remote") return undefined;
  const fd = raw.openat2(folder, path, flags, 0, resolve | CACHED | NO_XDEV);
  return fd === EAGAIN || fd === EXDEV ? undefined : fd;
}
