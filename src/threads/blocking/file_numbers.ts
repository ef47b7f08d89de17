/**
 * Checks that numbers of files mean the same to the runtime and to the kernel. No runtime promises that, and
 * Deno keeps a table of its own. Under another number may be any other file.
 *
 * @module
 */

import { builtin } from "../../builtins.ts";
import { UnsupportedError } from "../../errors.ts";
import { available } from "../../sys/libc.ts";
import { localStatus } from "./files.ts";

let given: boolean | undefined;
let taken: boolean | undefined;

/**
 * Whether the kernel knows the files that the runtime opens by the same numbers. The first file of this
 * machine decides for all.
 *
 * @param fd A file that the runtime has opened.
 */
export function givesDescriptors(fd: number): boolean {
  if (!available()) return true;
  return (given ??= isSameFile(fd)) !== false;
}

/**
 * Like {@linkcode givesDescriptors}, where nothing can do without.
 *
 * @param action For the error message; follows "Cannot".
 *
 * @throws {UnsupportedError} When the numbers differ.
 */
export function requireDescriptor(fd: number, action: () => string): void {
  if (givesDescriptors(fd)) return;
  const reason = "this runtime does not number files as the kernel does; please report it";
  throw new UnsupportedError({ action: action(), reason });
}

/**
 * Whether the runtime takes descriptors that it has not opened. Deno does not. The first one decides for
 * all.
 *
 * @param fd A descriptor that sluice has opened.
 */
export function takesDescriptors(fd: number): boolean {
  return (taken ??= isSameFile(fd)) === true;
}

/** Whether both have the same file under this number; `undefined` if the kernel would have to wait. */
function isSameFile(fd: number): boolean | undefined {
  const status = localStatus(fd);
  if (typeof status !== "object") return undefined;
  try {
    return builtin("fs").fstatSync(fd, { bigint: true }).ino === status.inode;
  } catch {
    return false;
  }
}
