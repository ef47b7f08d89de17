/** Full attributes of a path or a descriptor. @module */

import { describe, flagsOf, pathOf, unsignedOf } from "../arguments.ts";
import { check } from "../check.ts";
import type { FdLike } from "../fd.ts";
import { dirOf } from "./open.ts";
import * as raw from "../raw/mod.ts";

const out = new Uint8Array(256);

/** Bits of `flags` in {@linkcode statx}. */
export const StatxFlag = {
  /** `AT_SYMLINK_NOFOLLOW`: describes a symbolic link itself. */
  SYMLINK_NOFOLLOW: 0x100,
  /** `AT_NO_AUTOMOUNT`: does not trigger an automount. */
  NO_AUTOMOUNT: 0x800,
  /** `AT_EMPTY_PATH`: with an empty path, describes the descriptor itself, of any type. */
  EMPTY_PATH: 0x1000,
  /** `AT_STATX_FORCE_SYNC`: asks the server of a network file system. */
  FORCE_SYNC: 0x2000,
  /** `AT_STATX_DONT_SYNC`: uses cached attributes. */
  DONT_SYNC: 0x4000,
} as const;

/** Bits of `mask` in {@linkcode statx}. */
export const StatxMask = {
  /** `STATX_BASIC_STATS`: everything that stat(2) returns. */
  BASIC_STATS: 0x7ff,
  /** `STATX_BTIME`: time of creation. */
  BTIME: 0x800,
  /** `STATX_MNT_ID`: number of the mount. */
  MNT_ID: 0x1000,
  /** `STATX_DIOALIGN`: alignment for `O_DIRECT`; Linux 6.1. */
  DIOALIGN: 0x2000,
} as const;

/** Result of {@linkcode statx}. Times are milliseconds since the epoch, with a fraction. */
export interface Statx {
  /** Bits of {@linkcode StatxMask} that the kernel filled in; the other fields are 0. */
  readonly mask: number;
  /** Preferred unit of I/O in bytes. */
  readonly blockSize: number;
  /** Number of hard links. */
  readonly links: number;
  /** User ID of the owner. */
  readonly uid: number;
  /** Group ID of the owner. */
  readonly gid: number;
  /** Type and permissions; the type is `mode & 0o170000`, one of `FileType`. */
  readonly mode: number;
  /** Inode number. */
  readonly inode: bigint;
  /**
   * Size in bytes, for regular files only. procfs reports 0 and sysfs 4096 regardless of the
   * content.
   */
  readonly size: number;
  /** Allocated blocks of 512 bytes. */
  readonly blocks: number;
  /** Last access. */
  readonly accessedMs: number;
  /** Creation. */
  readonly createdMs: number;
  /** Last change of data or metadata. */
  readonly changedMs: number;
  /** Last change of data. */
  readonly modifiedMs: number;
  /** Major and minor number of the device that a device file represents. */
  readonly rdev: readonly [major: number, minor: number];
  /** Major and minor number of the device that holds the file. */
  readonly dev: readonly [major: number, minor: number];
  /** Number of the mount. */
  readonly mountId: bigint;
  /** Alignment of memory for `O_DIRECT` in bytes; 0 if unknown or unsupported. */
  readonly directMemoryAlign: number;
  /** Alignment of offset and length for `O_DIRECT` in bytes; 0 if unknown or unsupported. */
  readonly directOffsetAlign: number;
}

/**
 * Describes a file.
 *
 * @param dir Folder, or `null` for the current one; ignored if `path` is absolute.
 * @param path Path; with `StatxFlag.EMPTY_PATH` it may be empty, and `dir` any descriptor.
 * @param flags Or-ed bits of {@linkcode StatxFlag}. Default: 0.
 * @param mask Or-ed bits of {@linkcode StatxMask} to request. Default: BASIC_STATS.
 * @returns The attributes; `mask` says which were filled in.
 *
 * @throws {TypeError} When `path` is not a string or contains NUL, or `dir` is not a descriptor.
 * @throws {RangeError} When a number is out of range.
 * @throws {SyscallError} `ENOENT` when the file does not exist, or the path is empty without
 * `EMPTY_PATH`; `ENOTDIR`, `ELOOP`, `ENAMETOOLONG` for the path; `EACCES` without permission;
 * `EINVAL` for unknown flags; `EBADF`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/statx.2.html}
 */
export function statx(
  dir: FdLike | null,
  path: string,
  flags: number = 0,
  mask: number = StatxMask.BASIC_STATS,
): Statx {
  const at = dirOf(dir);
  pathOf(path);
  flagsOf(flags);
  unsignedOf(mask, "mask");
  check(
    raw.statx(at, path, flags, mask, out),
    "statx",
    () => path === "" ? `describe fd ${at}` : `describe ${describe(path)}`,
  );
  return decodeStatx(new DataView(out.buffer));
}

// struct statx is the same on every processor: include/uapi/linux/stat.h.
/** Reads a `struct statx`. */
export function decodeStatx(view: DataView): Statx {
  const u32 = (at: number) => view.getUint32(at, true);
  const u64 = (at: number) => view.getBigUint64(at, true);
  const time = (at: number) => Number(view.getBigInt64(at, true)) * 1000 + u32(at + 8) / 1e6;
  return {
    mask: u32(0),
    blockSize: u32(4),
    links: u32(16),
    uid: u32(20),
    gid: u32(24),
    mode: view.getUint16(28, true),
    inode: u64(32),
    size: Number(u64(40)),
    blocks: Number(u64(48)),
    accessedMs: time(64),
    createdMs: time(80),
    changedMs: time(96),
    modifiedMs: time(112),
    rdev: [u32(128), u32(132)],
    dev: [u32(136), u32(140)],
    mountId: u64(144),
    directMemoryAlign: u32(152),
    directOffsetAlign: u32(156),
  };
}
