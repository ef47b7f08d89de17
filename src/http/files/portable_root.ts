/** A root by the runtime's `fs`, without system calls of sluice. It has a race. @module */

import type { BigIntStats } from "node:fs";
import { builtin } from "../../builtins.ts";
import { errnoNumber, SyscallError } from "../../errors.ts";
import { describe } from "../../options.ts";
import { forget, hold } from "../../move/engine/file/pseudo_files.ts";
import type { OpenFile, Root, Symlinks } from "./root.ts";

const ENOENT = errnoNumber("ENOENT");
const EXDEV = errnoNumber("EXDEV");
const EIO = errnoNumber("EIO");

/**
 * Names that Windows does not treat as plain file names: devices, streams, short names, and names
 * whose end it drops.
 */
const NOT_ON_WINDOWS =
  /[:*?"<>|\\]|[. ]$|~\d|^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[\d¹²³])(?:\.|$)/i;

/**
 * Opens a folder; see `openRoot`.
 *
 * Resolves each path by realpath(3), compares it with the folder's own, and opens it without
 * following a link at its end. Between the two steps, a user who may write below the folder can
 * replace a folder by a link, and so have a file outside of it sent.
 */
export function openPortableRoot(path: string, symlinks: Symlinks): Root {
  const { realpathSync, statSync } = builtin("fs");
  try {
    realpathSync(path);
    if (!statSync(path).isDirectory()) throw Object.assign(new Error(), { code: "ENOTDIR" });
  } catch (cause) {
    const errno = errnoNumber(String((cause as { code?: unknown }).code)) || EIO;
    const action = `open the folder ${describe(path)}`;
    throw new SyscallError({ syscall: "open", errno, action, cause });
  }
  return {
    path,
    open: (name) => open(path, name, symlinks).catch((error) => -errnoOf(error)),
    openNow: null,
    openNear: null,
    close() {},
  };
}

async function open(root: string, name: string, symlinks: Symlinks): Promise<OpenFile | number> {
  const real = await realBelow(root, name, symlinks);
  return typeof real === "number" ? real : await openPath(real, builtin("fs").constants.O_NOFOLLOW);
}

/**
 * Resolves the folder of a file that is to be created, by the same rules; rejects with a `code`.
 *
 * @param folder Path below the root; `.` is the root.
 * @param name Name of the file.
 */
export async function realFolder(
  root: string,
  folder: string,
  name: string,
  symlinks: Symlinks,
): Promise<string> {
  const real = isNotOnWindows(name) ? -ENOENT : await realBelow(root, folder, symlinks);
  if (typeof real === "string") return real;
  throw Object.assign(new Error(folder), { code: real === -EXDEV ? "EXDEV" : "ENOENT" });
}

function isNotOnWindows(name: string): boolean {
  return builtin("path").sep === "\\" && NOT_ON_WINDOWS.test(name);
}

/** The real path of a name below the root, or `-errno`. */
async function realBelow(
  root: string,
  name: string,
  symlinks: Symlinks,
): Promise<string | number> {
  const { promises } = builtin("fs");
  const { join, sep } = builtin("path");
  if (name !== "." && name.split("/").some(isNotOnWindows)) return -ENOENT;
  // Resolved each time, because another folder may have taken the path.
  const realRoot = await promises.realpath(root);
  const wanted = join(realRoot, name);
  const real = await promises.realpath(wanted);
  const inside = real === realRoot ||
    real.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep);
  if (symlinks !== "follow" && !inside) return -EXDEV;
  if (symlinks === "deny" && real !== wanted) return -EXDEV;
  return real;
}

/** Opens a file or folder by a trusted path; rejects only for an invalid path. */
export function openPath(path: string, flags: number = 0): Promise<OpenFile | number> {
  const { constants, open } = builtin("fs");
  // Windows has O_RDONLY only.
  const { O_RDONLY, O_NONBLOCK = 0, O_NOCTTY = 0 } = constants;
  return new Promise((resolve) => {
    open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | (flags ?? 0), (error, fd) => {
      resolve(error ? -errnoOf(error) : describeFd(fd));
    });
  });
}

function describeFd(fd: number): Promise<OpenFile | number> {
  const { close, fstat } = builtin("fs");
  return new Promise((resolve) => {
    fstat(fd, { bigint: true }, (error, stats) => {
      if (!error && (stats.isFile() || stats.isDirectory())) {
        let open = true;
        return resolve(whole({
          fd,
          folder: stats.isDirectory(),
          size: Number(stats.size),
          mtimeNs: stats.mtimeNs,
          ctimeNs: stats.ctimeNs,
          close() {
            if (open) close(fd, () => {});
            open = false;
          },
        }, stats));
      }
      close(fd, () => {});
      resolve(error ? -errnoOf(error) : -ENOENT);
    });
  });
}

/** Reads a file without a known length into memory, so that it is sent whole or not at all. */
async function whole(file: OpenFile, stats: BigIntStats): Promise<OpenFile | number> {
  if (file.folder) return file;
  const type = Number(stats.mode) & 0o170000;
  try {
    const copy = await hold(file.fd, { type, size: file.size, blocks: Number(stats.blocks) });
    if (copy === undefined) return file;
    file.close();
    const mtimeNs = BigInt(Date.now()) * 1_000_000n;
    const times = { mtimeNs, ctimeNs: mtimeNs };
    return { ...copy, folder: false, ...times, made: true, close: () => void forget(copy.fd) };
  } catch (error) {
    file.close();
    return -errnoOf(error);
  }
}

function errnoOf(error: unknown): number {
  return errnoNumber(String((error as { code?: unknown }).code)) || EIO;
}
