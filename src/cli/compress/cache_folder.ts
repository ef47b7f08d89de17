/** The folder with the compressed versions of a folder's files. @module */

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { homedir, platform } from "node:os";
import { basename, join, resolve } from "node:path";
import process from "node:process";

/** A cache for one served folder. */
export interface CacheFolder {
  /** The whole, with all its parts. */
  readonly path: string;
  /** Complete versions, in folders like those of the files. */
  readonly versions: string;
  /** Versions that are being made. */
  readonly partial: string;
}

/** Returns the folder in which caches are kept: XDG Base Directory Specification, and its likes. */
export function usualCache(
  env: Readonly<Record<string, string | undefined>> = process.env,
  system: string = platform(),
): string {
  const { LOCALAPPDATA, XDG_CACHE_HOME } = env;
  if (XDG_CACHE_HOME?.startsWith("/")) return join(XDG_CACHE_HOME, "sluice");
  if (system === "win32" && LOCALAPPDATA !== undefined) return join(LOCALAPPDATA, "sluice");
  return join(homedir(), system === "darwin" ? "Library/Caches" : ".cache", "sluice");
}

/**
 * Creates the folder for the versions of one served folder, readable by this user only.
 *
 * @param parent Folder of all such folders.
 * @throws {Error} When others may write to it: they could have any bytes sent.
 */
export function openCache(parent: string, served: string): CacheFolder {
  const hash = createHash("sha256").update(served).digest("hex").slice(0, 16);
  const name = basename(served).replace(/[^\w.-]/g, "_").slice(0, 64);
  const path = join(resolve(parent), `${name || "root"}-${hash}`);
  const [versions, partial] = [join(path, "versions"), join(path, "partial")];
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (process.getuid !== undefined) {
      const { mode, uid } = statSync(path);
      if (uid !== process.getuid()) throw new Error("it belongs to another user");
      if ((mode & 0o022) !== 0) throw new Error("others may write to it");
    }
    for (const each of [versions, partial]) mkdirSync(each, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new Error(`Cannot keep compressed files in ${path}`, { cause });
  }
  return { path, versions, partial };
}

/** Name of an incomplete version: by its process, so that others know whether it is still made. */
export function partialName(number: number): string {
  return `${process.pid}-${number}`;
}

/** Removes incomplete versions whose process has been killed. */
export function removePartial({ partial }: CacheFolder): void {
  for (const name of readdirSync(partial)) {
    const pid = Number(/^(\d+)-\d+$/.exec(name)?.[1]);
    if (pid !== process.pid && isRunning(pid)) continue;
    rmSync(join(partial, name), { force: true });
  }
}

function isRunning(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
