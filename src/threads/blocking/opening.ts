/** Opens files without waiting for a disk, a server or another program. @module */

import { guardsPaths } from "../../../ffi/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { EAGAIN, EXDEV } from "../../errno.ts";
import { asSyscallError } from "../../errors.ts";
import { describe } from "../../options.ts";
import { check } from "../../sys/check.ts";
import { OpenFlag, ResolveFlag } from "../../sys/flags/file.ts";
import { type Mount, mountByName, mountOf } from "../../sys/file/mounts.ts";
import { available } from "../../sys/libc.ts";
import * as raw from "../../sys/raw/mod.ts";
import type { FileFacts } from "../../sys/file/statx.ts";
import { requireDescriptor } from "./file_numbers.ts";
import { closeOn, localFacts, onMount } from "./files.ts";

/** An open descriptor, and how to close it. */
export interface Opened {
  readonly fd: number;
  readonly close: () => void;
}

/**
 * Opens a path: at once if it needs no disk and no other machine. For a disk, a thread of the
 * runtime's pool opens it. For another machine, a thread of sluice does, because the pool is small.
 */
export function openFile(path: string | URL, flags = 0): Opened | Promise<Opened> {
  // A runtime with its own file permissions must see the path.
  if (typeof path !== "string" || !available() || guardsPaths() || !isPath(path)) {
    return openByRuntime(path, flags);
  }
  const found = openNow(path, OPENING | flags);
  if (typeof found === "number") return { fd: found, close: () => void raw.close(found) };
  return found === null ? openByRuntime(path, flags) : openFar(path, OPENING | flags, found);
}

function isPath(path: string): boolean {
  return path !== "" && !path.includes("\0");
}

/** O_NONBLOCK, because opening a FIFO waits for its writer; on a file it changes nothing. */
export const OPENING: number = platform.open.NONBLOCK | platform.open.NOCTTY |
  platform.open.CLOEXEC;

function openByRuntime(path: string | URL, flags: number): Promise<Opened> {
  const { close, constants, open } = builtin("fs");
  return new Promise((resolve, reject) => {
    open(path, constants.O_RDONLY | constants.O_NONBLOCK | flags, (error, fd) => {
      const action = () => `open ${describe(String(path))}`;
      if (error) return reject(asSyscallError(error, "open", action()));
      const end = () => close(fd, () => {});
      try {
        requireDescriptor(fd, action);
        resolve({ fd, close: end });
      } catch (cause) {
        end();
        reject(cause);
      }
    });
  });
}

async function openFar(path: string, flags: number, mount: Mount): Promise<Opened> {
  const fd = await onMount(mount, "open", path, flags, 0);
  check(fd, "open", () => `open ${describe(path)}`);
  return { fd, close: () => closeOn(mount, fd) };
}

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

/** What is known about a path without waiting. */
export interface KnownPath {
  /** Mount of the file, which exists or is about to be created. */
  readonly mount: Mount;
  /** Attributes of the file; `undefined` if there is none, or if another machine would have to tell. */
  readonly facts: FileFacts | undefined;
}

/** Looks at a path; follows links. */
export function lookAt(path: string): KnownPath {
  const { dirname, resolve } = builtin("path");
  for (const name of [path, dirname(path)]) {
    const flags = OpenFlag.PATH | OpenFlag.CLOEXEC;
    const fd = raw.openat2(platform.atFdcwd, name, flags, 0, ResolveFlag.CACHED);
    if (fd < 0) continue;
    const known = localFacts(fd);
    const mount = known?.mount ?? mountOf(fd);
    raw.close(fd);
    return { mount, facts: name === path ? known?.facts : undefined };
  }
  return { mount: mountByName(resolve(path)), facts: undefined };
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
