/**
 * Opening below a folder what needs no answer from another machine or process, and telling which mount
 * has to be asked for the rest. Disks of this machine may be waited for.
 *
 * @module
 */

import { platform } from "../../../ffi/platform/mod.ts";
import { EAGAIN, EINVAL, ELOOP, ENOSYS, EPERM, EXDEV } from "../../errno.ts";
import { ResolveFlag } from "../../sys/flags/file.ts";
import { type Mount, mountByName, mountOf } from "../../sys/file/mounts.ts";
import * as raw from "../../sys/raw/mod.ts";

const { CLOEXEC, DIRECTORY, NOFOLLOW, PATH } = platform.open;
const { CACHED, NO_XDEV } = ResolveFlag;

/** As in the kernel: `MAXSYMLINKS`. */
const MOST_LINKS = 40;

/** The kernel says EAGAIN when something is renamed just while it follows `..` in a link. */
const TRIES = 16;

/** Whether a result is a mount whose file system has to be asked. */
export function isFar<T extends object>(opened: T | Mount | number): opened is Mount {
  return typeof opened !== "number" && "storage" in opened;
}

/**
 * Opens a path below a folder on a file system of this machine.
 *
 * @param resolve How the path is looked up: see `ResolveFlag`.
 * @returns The descriptor, or `-errno`; the mount whose threads should open it.
 */
export function openNear(
  folder: number,
  path: string,
  flags: number,
  resolve: number,
): number | Mount {
  // This look-up never leaves the file system of the folder.
  const fd = openWhole(folder, path, flags, resolve | NO_XDEV);
  if (fd !== EXDEV) return fd;
  const mount = mountBelow(folder, path, resolve);
  if (typeof mount === "number" || mount.storage === "remote") return mount;
  const found = raw.openat2(folder, path, flags, 0, resolve | CACHED);
  // Another process is changing the way there.
  return found === EAGAIN ? unknown(mount) : found;
}

/** The same from the text of the path, for kernels without `RESOLVE_CACHED`. */
export function openNearByName(
  folder: number,
  path: string,
  flags: number,
  resolve: number,
  name: string,
): number | Mount {
  const fd = openWhole(folder, path, flags, resolve | NO_XDEV);
  return fd === EXDEV ? farByName(name) ?? openWhole(folder, path, flags, resolve) : fd;
}

/** The mount of a path by its letters, if its file system has to be asked. */
export function farByName(path: string): Mount | undefined {
  const mount = mountByName(path);
  return mount.storage === "remote" ? mount : undefined;
}

/** Opens the folder at a path by which files are to be opened; as {@linkcode openNear}. */
export function openFolderNear(path: string): number | Mount {
  const flags = PATH | DIRECTORY | CLOEXEC;
  const fd = raw.openat2(platform.atFdcwd, path, flags, 0, CACHED);
  if (fd === EINVAL || fd === ENOSYS || fd === EPERM) {
    return farByName(path) ?? raw.open(path, flags, 0);
  }
  if (fd !== EAGAIN) return fd;
  const top = path[0] === "/" ? raw.open("/", PATH | CLOEXEC, 0) : platform.atFdcwd;
  if (top < 0 && path[0] === "/") return top;
  const mount = mountBelow(top, path.replace(/^\/+/, "") || ".", 0);
  if (path[0] === "/") raw.close(top);
  if (typeof mount === "number" || mount.storage === "remote") return mount;
  return raw.open(path, flags, 0);
}

/** openat2(2), tried again where a rename gets in its way. */
export function openWhole(folder: number, path: string, flags: number, resolve: number): number {
  let fd = EAGAIN;
  for (let tries = 0; fd === EAGAIN && tries < TRIES; tries++) {
    fd = raw.openat2(folder, path, flags, 0, resolve);
  }
  return fd;
}

/**
 * Opens name by name, none of them through a link: for kernels without openat2(2).
 *
 * @param near Whether to stop at the first folder whose file system has to be asked, and return its mount.
 */
export function walk(folder: number, path: string, flags: number, near: boolean): number | Mount {
  const names = path.split("/");
  const last = names.pop()!;
  let at = folder;
  let mount: Mount | undefined;
  for (const name of names) {
    const next = name === ".."
      ? ELOOP
      : raw.openat(at, name, PATH | DIRECTORY | NOFOLLOW | CLOEXEC, 0);
    if (at !== folder) raw.close(at);
    if (next < 0) return next;
    at = next;
    mount = near ? mountOf(at) : undefined;
    if (mount?.storage === "remote") break;
  }
  const far = mount?.storage === "remote";
  const fd = far ? mount! : last === ".." ? ELOOP : raw.openat(at, last, flags | NOFOLLOW, 0);
  if (at !== folder) raw.close(at);
  return fd;
}

/**
 * The mount that a path below a folder leads to, or the first one on the way whose file system would
 * have to be asked; `-errno` where it leads nowhere. Needs `RESOLVE_CACHED` (Linux 5.12).
 *
 * The kernel follows the path as far as it has it in memory. Each name behind that is looked up by
 * itself where the file system is one of this machine.
 */
export function mountBelow(folder: number, path: string, resolve: number): Mount | number {
  const names = path.split("/");
  let looked = "";
  for (let left = names.length + MOST_LINKS;; left--) {
    const place = raw.openat2(folder, path, PATH | CLOEXEC, 0, resolve | CACHED);
    if (place >= 0) return mountAndClose(place);
    if (place !== EAGAIN) return place;
    const [fd, known] = deepest(folder, names, resolve);
    const mount = mountOf(fd);
    const next = names.slice(0, known + 1).join("/");
    // The name is cached by now, so it is a link to a file that is not.
    const stuck = next === looked || left === 0;
    looked = next;
    const found = mount.storage === "remote" || stuck
      ? 0
      : raw.openat2(fd, names[known]!, PATH | NOFOLLOW | CLOEXEC, 0, NO_XDEV);
    if (fd !== folder) raw.close(fd);
    if (mount.storage === "remote" || stuck || found === EXDEV) return unknown(mount);
    if (found < 0) return found;
    raw.close(found);
  }
}

/** The deepest folder on the way that the kernel has in memory, and how many names lead to it. */
function deepest(folder: number, names: readonly string[], resolve: number): [number, number] {
  for (let known = names.length - 1; known > 0; known--) {
    const path = names.slice(0, known).join("/");
    const fd = raw.openat2(folder, path, PATH | CLOEXEC, 0, resolve | CACHED);
    if (fd >= 0) return [fd, known];
  }
  return [folder, 0];
}

function mountAndClose(fd: number): Mount {
  const mount = mountOf(fd);
  raw.close(fd);
  return mount;
}

/** The mount of an unknown file, which may be on another machine. */
function unknown(mount: Mount): Mount {
  return { ...mount, storage: "remote" };
}
