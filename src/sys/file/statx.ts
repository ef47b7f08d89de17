/** Attributes of an open descriptor. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { fold } from "../../../ffi/libc/mod.ts";
import { ENAMETOOLONG } from "../../errno.ts";
import { Whence } from "../flags/file.ts";
import { libc } from "../libc.ts";
import { lseek } from "../raw/mod.ts";
import { PathCell } from "../raw/path_cell.ts";

/** Flag of statx(2): an empty path means the descriptor itself. */
export const AT_EMPTY_PATH = 0x1000;
const AT_SYMLINK_NOFOLLOW = 0x100;
/** Flag of {@linkcode statxInto}: use what the kernel has cached, without asking a remote file system. */
export const DONT_SYNC = 0x4000;
/** The usual mask. */
export const BASIC_STATS = 0x7ff;
const STATX_INO = 0x100;

/** Bytes of a `struct statx`. */
export const STATX_BYTES = 256;

const out = new Cell(STATX_BYTES);
const other = new Cell(STATX_BYTES);
const empty = new Cell(1);
const place = new PathCell();

/** The fields of `struct statx` that matter for moving bytes. */
export interface FdStat {
  /** File type bits of `st_mode` (`S_IFMT`), such as `FileType.REGULAR`. */
  readonly type: number;
  /**
   * Size in bytes, for regular files only. procfs reports 0 and sysfs 4096 regardless of the
   * content.
   */
  readonly size: number;
  /** Blocks of 512 bytes in use; 0 for generated files, among others. */
  readonly blocks: number;
}

/** Values of {@linkcode FdStat.type}. */
export const FileType = {
  /** `S_IFIFO` */
  FIFO: 0o010000,
  /** `S_IFCHR` */
  CHARACTER: 0o020000,
  /** `S_IFDIR` */
  DIRECTORY: 0o040000,
  /** `S_IFBLK` */
  BLOCK: 0o060000,
  /** `S_IFREG` */
  REGULAR: 0o100000,
  /** `S_IFLNK` */
  LINK: 0o120000,
  /** `S_IFSOCK` */
  SOCKET: 0o140000,
} as const;

/** statx(2) of an open file into a cell of {@linkcode STATX_BYTES}: 0, or `-errno`. */
export function statxInto(fd: number, flags: number, mask: number, cell: Cell): number {
  return fold(libc().statx(fd, empty.address, AT_EMPTY_PATH | flags, mask, cell.address));
}

/**
 * Stats a descriptor on all runtimes: Deno's `fstat` rejects descriptors that Deno did not open.
 * Returns `-errno` on failure.
 */
export function fdStat(fd: number): FdStat | number {
  const result = statxInto(fd, 0, BASIC_STATS, out);
  if (result < 0) return result;
  // struct statx is the same on every processor: include/uapi/linux/stat.h.
  return {
    type: out.view.getUint16(28, true) & 0o170000,
    size: Number(out.view.getBigUint64(40, true)),
    blocks: Number(out.view.getBigUint64(48, true)),
  };
}

/** Identifies one version of a file, in addition to {@linkcode FdStat}. */
export interface FileIdentity {
  /** File type bits of `st_mode`: see {@linkcode FdStat.type}. */
  readonly type: number;
  /** Size in bytes, for regular files only. */
  readonly size: number;
  /** Number of names. */
  readonly links: number;
  /** Last change of data, in nanoseconds since the epoch. */
  readonly mtimeNs: bigint;
  /** Last change of data or attributes, in nanoseconds since the epoch; programs cannot set it. */
  readonly ctimeNs: bigint;
  /** Inode number. */
  readonly inode: bigint;
  /** Number of the device that holds the file. */
  readonly device: number;
}

/** Like {@linkcode fdStat}, with the fields that identify the file and its version. */
export function fdIdentity(fd: number): FileIdentity | number {
  const result = statxInto(fd, 0, BASIC_STATS, out);
  return result < 0 ? result : identityIn(out.view);
}

/** Decodes the part of a `struct statx` that identifies the file and its version. */
export function identityIn(view: DataView): FileIdentity {
  return {
    type: view.getUint16(28, true) & 0o170000,
    size: Number(view.getBigUint64(40, true)),
    links: view.getUint32(16, true),
    mtimeNs: nanoseconds(view, 112),
    ctimeNs: nanoseconds(view, 96),
    inode: view.getBigUint64(32, true),
    device: view.getUint32(136, true) * 0x1_0000_0000 + view.getUint32(140, true),
  };
}

/** Whether two descriptors refer to the same file, pipe or socket; false when either is closed. */
export function sameFile(a: number, b: number): boolean {
  // Neither number changes while a file is open, so don't ask its file system, which may be remote.
  if (statxInto(a, DONT_SYNC, STATX_INO, out) < 0) return false;
  if (statxInto(b, DONT_SYNC, STATX_INO, other) < 0) return false;
  // The two halves of the inode number, and the two numbers of the device.
  return [32, 36, 136, 140].every((at) => out.view.getUint32(at) === other.view.getUint32(at));
}

/** Everything that a copy needs to know about a file. */
export interface FileFacts {
  /** See {@linkcode FdStat.type}. */
  readonly type: number;
  /** Type and permissions. */
  readonly mode: number;
  /** Size in bytes, and blocks of 512 bytes in use. */
  readonly size: number;
  readonly blocks: number;
  /** Device number as in `fs.Stats`: `makedev(3)` of glibc. */
  readonly dev: bigint;
  /** Inode number. */
  readonly ino: bigint;
  /** Last access, and last change of data, in milliseconds since the epoch. */
  readonly accessedMs: number;
  readonly modifiedMs: number;
  /** The same, in nanoseconds. */
  readonly accessedNs: bigint;
  readonly modifiedNs: bigint;
}

/**
 * Describes a file by its descriptor, or what a folder has under a name, links included; or `-errno`.
 *
 * @param more Further flags of statx(2), such as {@linkcode DONT_SYNC}.
 */
export function factsOf(fd: number, name?: string, more = 0): FileFacts | number {
  const flags = more | (name === undefined ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW);
  if (!place.put(name ?? "")) return ENAMETOOLONG;
  const result = fold(libc().statx(fd, place.address, flags, BASIC_STATS, out.address));
  return result < 0 ? result : factsIn(out.view);
}

/** Decodes a `struct statx`. */
export function factsIn(view: DataView): FileFacts {
  const mode = view.getUint16(28, true);
  const minor = view.getUint32(140, true);
  const low = minor & 0xff;
  return {
    type: mode & 0o170000,
    mode,
    size: Number(view.getBigUint64(40, true)),
    blocks: Number(view.getBigUint64(48, true)),
    dev: BigInt(view.getUint32(136, true) * 256 + (minor - low) * 4096 + low),
    ino: view.getBigUint64(32, true),
    ...timesOf(nanoseconds(view, 64), nanoseconds(view, 112)),
  };
}

function nanoseconds(view: DataView, at: number): bigint {
  return view.getBigInt64(at, true) * 1_000_000_000n + BigInt(view.getUint32(at + 8, true));
}

/** File times in milliseconds and nanoseconds. */
export function timesOf(
  accessedNs: bigint,
  modifiedNs: bigint,
): Pick<FileFacts, "accessedMs" | "modifiedMs" | "accessedNs" | "modifiedNs"> {
  const accessedMs = Number(accessedNs) / 1e6;
  const modifiedMs = Number(modifiedNs) / 1e6;
  return { accessedMs, modifiedMs, accessedNs, modifiedNs };
}

/**
 * Type of the file system that holds an open file, such as {@linkcode FileSystem.EXT}; or `-errno`.
 * Asks that file system, which may be remote; `fileSystemOf` in mounts.ts does not.
 */
export function fileSystemType(fd: number): number {
  const result = fold(libc().fstatfs(fd, other.address));
  // `f_type` is the first word: include/uapi/asm-generic/statfs.h.
  return result < 0 ? result : other.view.getUint32(0, true);
}

/** Types of file systems, from `include/uapi/linux/magic.h`. */
export const FileSystem = {
  /** ext2, ext3 and ext4. */
  EXT: 0xef53,
  /** tmpfs, and memory of `memfd_create()`. */
  TMPFS: 0x01021994,
  /** ramfs, the initial file system of many small systems. */
  RAMFS: 0x858458f6,
  /** hugetlbfs, and memory of `memfd_create()` in huge pages. */
  HUGETLBFS: 0x958458f6,
  /** XFS, where files can share blocks. */
  XFS: 0x58465342,
  /** btrfs, where files can share blocks. */
  BTRFS: 0x9123683e,
  /** overlayfs: lies over another file system, as in most containers. */
  OVERLAY: 0x794c7630,
} as const;

/**
 * Page size in bytes of a file in huge pages (hugetlbfs, `MFD_HUGETLB`); `undefined` for others.
 */
export function hugePageSize(fd: number): number | undefined {
  const result = fold(libc().fstatfs(fd, other.address));
  if (result < 0 || other.view.getUint32(0, true) !== FileSystem.HUGETLBFS) return undefined;
  return Number(other.view.getBigUint64(8, true));
}

/** Size of a block device, which stat reports as 0, by seeking; or `-errno`. Restores the position. */
export function deviceSize(fd: number): number {
  const position = lseek(fd, 0, Whence.CUR);
  const size = lseek(fd, 0, Whence.END);
  if (position >= 0) lseek(fd, position, Whence.SET);
  return size;
}
