/** Files of machine code that can be mapped executable but never written. @module */

import { check } from "./check.ts";
import { addSeals, memfdCreate } from "./file/allocation.ts";
import { MemfdFlag, Seal } from "./flags/memory.ts";
import * as raw from "./raw/mod.ts";

/**
 * Creates a sealed memfd of `length` bytes that holds `code`; the caller closes it.
 *
 * @param purpose Completes "Cannot write the code of ...".
 *
 * @throws {SyscallError} `EMFILE`, `ENFILE` when no descriptor is left; `EACCES`, `EPERM` when the
 * system refuses executable memory.
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

/** Since Linux 6.3, a memfd to be executed needs `MFD_EXEC`; older kernels reject that flag. */
function create(name: string): number {
  const flags = MemfdFlag.CLOEXEC | MemfdFlag.ALLOW_SEALING;
  const fd = raw.memfdCreate(name, flags | MemfdFlag.EXEC);
  return fd >= 0 ? fd : memfdCreate(name, flags);
}
