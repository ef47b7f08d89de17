/** Files of machine code that can be mapped executable, and written by nobody. @module */

import { check } from "./check.ts";
import { addSeals, memfdCreate } from "./file/allocation.ts";
import { MemfdFlag, Seal } from "./flags/memory.ts";
import * as raw from "./raw/mod.ts";

/**
 * Makes a sealed memfd that holds `code` and is `length` bytes long; the caller closes it.
 *
 * @param purpose Completes "Cannot write the code of ...".
 *
 * @throws {SyscallError} `EMFILE`, `ENFILE` without descriptors; `EACCES`, `EPERM` where executable
 * memory is refused.
 */
export function sealedCode(
  name: string,
  code: Uint8Array,
  length: number,
  purpose: string,
): number {
  const fd = create(name);
  try {
    check(raw.ftruncate(fd, length), "ftruncate", () => `size the code of ${purpose}`);
    check(raw.write(fd, code), "write", () => `write the code of ${purpose}`);
    addSeals(fd, Seal.SEAL | Seal.SHRINK | Seal.GROW | Seal.WRITE);
    return fd;
  } catch (error) {
    raw.close(fd);
    throw error;
  }
}

/** Since Linux 6.3 a program says that it wants to execute what it writes; before, it may not. */
function create(name: string): number {
  const flags = MemfdFlag.CLOEXEC | MemfdFlag.ALLOW_SEALING;
  const fd = raw.memfdCreate(name, flags | MemfdFlag.EXEC);
  return fd >= 0 ? fd : memfdCreate(name, flags);
}
