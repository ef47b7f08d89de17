/** Opens and checks files to map. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { EIO, ENODEV } from "../../errno.ts";
import { asSyscallError, errnoNumber, SyscallError } from "../../errors.ts";
import { describe } from "../../options.ts";
import { check } from "../../sys/check.ts";
import { dupCloexec, type FdLike, fdOf } from "../../sys/fd.ts";
import * as raw from "../../sys/raw/mod.ts";
import { deviceSize, fdStat, FileType, hugePageSize } from "../../sys/file/statx.ts";
import { requireDescriptor } from "../../threads/blocking/file_numbers.ts";

/** A file that can be mapped. */
export interface OpenFile {
  /** Descriptor that sluice owns: opened here, or a duplicate of the caller's. */
  readonly fd: number;
  /** Name of the file in messages. */
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  /** Whether the metadata holds the size, which is not so for a block device. */
  readonly regular: boolean;
  /** Page size in bytes. Larger on hugetlbfs, where nothing smaller can be mapped. */
  readonly pageSize: number;
  close(): void;
}

const KINDS: Record<number, string> = {
  [FileType.FIFO]: "a pipe",
  [FileType.CHARACTER]: "a character device",
  [FileType.DIRECTORY]: "a directory",
  [FileType.SOCKET]: "a socket",
};

/** Opens a path, or duplicates a descriptor, and checks its type. */
export function openFile(file: string | URL | FdLike, writable: boolean): OpenFile {
  const opened = typeof file === "string" || file instanceof URL
    ? openPath(file, writable)
    : duplicate(file);
  try {
    return { ...opened, ...examine(opened) };
  } catch (error) {
    opened.close();
    throw error;
  }
}

/** Current size in bytes; `-errno` on failure. */
export function sizeOf(fd: number, regular: boolean): number {
  if (!regular) return deviceSize(fd);
  const stat = fdStat(fd);
  return typeof stat === "number" ? stat : stat.size;
}

type Opened = Pick<OpenFile, "fd" | "name" | "close">;

/** Opens by the runtime itself, so that its permissions apply. */
function openPath(path: string | URL, writable: boolean): Opened {
  const { closeSync, constants, openSync } = builtin("fs");
  const name = describe(String(path));
  const mode = writable ? constants.O_RDWR : constants.O_RDONLY;
  let fd: number;
  try {
    // Without O_NONBLOCK, opening a FIFO waits for its writer; files ignore the flag.
    fd = openSync(path, mode | constants.O_NONBLOCK);
  } catch (error) {
    throw asSyscallError(error as Error, "open", `open ${name}`);
  }
  const close = () => closeSync(fd);
  try {
    requireDescriptor(fd, () => `open ${name}`);
  } catch (error) {
    close();
    throw error;
  }
  return { fd, name, close };
}

function duplicate(file: FdLike): Opened {
  if (typeof file !== "number" && (typeof file !== "object" || file === null)) {
    throw new TypeError(
      `Cannot map ${describe(file)}: expected a path, a file: URL or a descriptor`,
    );
  }
  const number = fdOf(file);
  const fd = dupCloexec(number);
  return { fd, name: `fd ${number}`, close: () => void raw.close(fd) };
}

function examine({ fd, name }: Opened): Pick<OpenFile, "size" | "regular" | "pageSize"> {
  const stat = fdStat(fd);
  if (typeof stat === "number") {
    throw new SyscallError({ syscall: "statx", errno: -stat, action: `stat ${name}` });
  }
  const regular = stat.type === FileType.REGULAR;
  if (!regular && stat.type !== FileType.BLOCK) {
    // Linux would map a TCP socket.
    const kind = KINDS[stat.type] ?? "something else";
    throw new SyscallError({
      syscall: "mmap",
      errno: errnoNumber(stat.type === FileType.DIRECTORY ? "EISDIR" : "ENODEV"),
      action: `map ${name}, which is ${kind} and not a file`,
    });
  }
  const size = regular ? stat.size : deviceSize(fd);
  const pageSize = pageSizeOf(fd);
  return { size: check(size, "lseek", () => `size ${name}`), regular, pageSize };
}

/** On hugetlbfs, its huge page size: smaller pieces can be neither mapped nor replaced there. */
export function pageSizeOf(fd: number): number {
  return hugePageSize(fd) ?? raw.pageSize();
}

/** procfs returns EIO for files that cannot be mapped, all others ENODEV: fs/proc/inode.c. */
export function asNoDevice<T>(region: T | number): T | number {
  return region === EIO ? ENODEV : region;
}

/** Checks that an empty file can be mapped: procfs reports size 0 for every file. */
export function checkEmpty({ fd, name, pageSize }: OpenFile): void {
  const region = raw.mmap(pageSize, 1, platform.map.SHARED, fd, 0);
  raw.munmap(check(asNoDevice(region), "mmap", () => `map ${name}`));
}
