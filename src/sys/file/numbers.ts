/** Checks that the runtime's numbers of files are the kernel's descriptors. @module */

import { builtin } from "../../builtins.ts";
import { UnsupportedError } from "../../errors.ts";

let same: boolean | undefined;

/**
 * Whether the kernel knows the files that the runtime opens by the same numbers. No runtime promises
 * that, and Deno keeps a table of its own. Under another number may be any other file. The first
 * file of this machine decides for all.
 *
 * @param fd A file that the runtime has opened.
 * @param inode Returns the inode number that the kernel has under `fd`; `undefined` if it would have to
 * wait for it. Then nothing is decided.
 */
export function hasKernelNumber(fd: number, inode: () => bigint | undefined): boolean {
  if (same !== undefined) return same;
  const found = inode();
  return found === undefined || (same = inodeByRuntime(fd) === found);
}

/**
 * Like {@linkcode hasKernelNumber}, where nothing can do without.
 *
 * @param action For the error message; follows "Cannot".
 *
 * @throws {UnsupportedError} When the numbers differ.
 */
export function requireKernelNumber(
  fd: number,
  inode: () => bigint | undefined,
  action: () => string,
): void {
  if (hasKernelNumber(fd, inode)) return;
  const reason = "this runtime does not number files as the kernel does; please report it";
  throw new UnsupportedError({ action: action(), reason });
}

function inodeByRuntime(fd: number): bigint {
  try {
    return builtin("fs").fstatSync(fd, { bigint: true }).ino;
  } catch {
    return -1n;
  }
}
