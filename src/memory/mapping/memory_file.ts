/** The unnamed files behind shared memory. @module */

import { addSeals, memfdCreate, seals } from "../../sys/file/allocation.ts";
import { errnoNumber, SyscallError } from "../../errors.ts";
import { check } from "../../sys/check.ts";
import { dupCloexec, type FdLike, fdOf } from "../../sys/fd.ts";
import { OpenFlag } from "../../sys/flags/file.ts";
import { MemfdFlag, Seal } from "../../sys/flags/memory.ts";
import { open } from "../../sys/file/open.ts";
import * as raw from "../../sys/raw/mod.ts";
import { fdStat } from "../../sys/file/statx.ts";
import type { MapAccess, MappingState } from "./mapping_state.ts";
import { HUGE_SHIFT, mapFile } from "./map_file.ts";
import { type OpenFile, pageSizeOf, sizeOf } from "./open_file.ts";

/** Creates memory that cannot shrink, and maps it. */
export function createMemory(
  length: number,
  name: string,
  shift: number | undefined,
): MappingState {
  const huge = shift === undefined ? 0 : MemfdFlag.HUGETLB | shift << HUGE_SHIFT;
  const fd = memfdCreate(name, MemfdFlag.CLOEXEC | MemfdFlag.ALLOW_SEALING | huge);
  try {
    check(raw.ftruncate(fd, length), "ftruncate", () => `allocate ${length} bytes of memory`);
    addSeals(fd, Seal.SHRINK);
    return map(fd, "write");
  } catch (error) {
    raw.close(fd);
    throw error;
  }
}

/** Maps memory that another thread or process created. */
export function openMemory(memory: FdLike | string, access: MapAccess): MappingState {
  const flags = OpenFlag.CLOEXEC | (access === "write" ? OpenFlag.RDWR : OpenFlag.RDONLY);
  const fd = typeof memory === "string" ? open(memory, flags) : dupCloexec(fdOf(memory, "memory"));
  try {
    // Throws if the file is not shared memory. Adds no seal to memory of others: if it shrinks, the
    // fault guard handles it.
    seals(fd);
    return map(fd, access);
  } catch (error) {
    raw.close(fd);
    throw error;
  }
}

function map(fd: number, access: MapAccess): MappingState {
  const stat = fdStat(fd);
  if (typeof stat === "number") {
    throw new SyscallError({ syscall: "statx", errno: -stat, action: `stat fd ${fd}` });
  }
  const { size } = stat;
  const file: OpenFile = {
    fd,
    name: `shared memory, fd ${fd}`,
    size,
    regular: true,
    pageSize: pageSizeOf(fd),
    close: () => void raw.close(fd),
  };
  return mapFile(file, { access, offset: 0, length: size, sync: false });
}

/**
 * Refuses to extend memory that could not be mapped afterwards. Sealed against shrinking, it could
 * not get its length back.
 *
 * @throws {SyscallError} `EPERM` when it is sealed against writing.
 */
export function assertGrows(
  { fd, regular }: OpenFile,
  { access, name }: Pick<MappingState, "access" | "name">,
  length: number,
): void {
  const writes = access === "write";
  if ((seals(fd) & (writes ? Seal.FUTURE_WRITE : Seal.WRITE)) === 0) return;
  if (!writes && length <= check(sizeOf(fd, regular), "statx", () => `size ${name}`)) return;
  const action = `grow ${name} to ${length} bytes`;
  throw new SyscallError({ syscall: "ftruncate", errno: errnoNumber("EPERM"), action });
}
