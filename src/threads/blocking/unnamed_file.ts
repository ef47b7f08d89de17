/**
 * Files without a name until they are complete: `O_TMPFILE` of open(2), Linux 3.11. However the
 * process ends, the kernel removes a file without a name.
 *
 * @module
 */

import { platform } from "../../../ffi/platform/mod.ts";
import { EEXIST, EOPNOTSUPP, EXHAUSTIONS } from "../../errno.ts";
import { OpenFlag, SyncRangeFlag } from "../../sys/flags/file.ts";
import { available } from "../../sys/libc.ts";
import {
  close,
  fcntl,
  linkat,
  openat,
  renameat,
  syncFileRange,
  unlinkat,
} from "../../sys/raw/mod.ts";

const { CLOEXEC, PATH, TMPFILE, WRONLY } = OpenFlag;
const AT_SYMLINK_FOLLOW = 0x400;

/** Bits that tell how a file gets its name. */
export const Naming = {
  /** Replaces a file of that name; `-EEXIST` otherwise. */
  REPLACE: 1,
  /** A file of that name is known to exist, so linkat(2) under it would fail. */
  EXISTS: 2,
  /**
   * Starts to write the bytes to the disk before they replace a file. ext4 does this itself, but
   * not for blocks that fallocate(2) reserved: see docs/decisions/31-reserve-before-copying.md.
   */
  FLUSH: 4,
} as const;

let procfs: boolean | undefined;

/**
 * Opens a file without a name in a folder, for writing. Returns the descriptor, or `-errno` if the
 * file system does not support it (`EOPNOTSUPP`; `EISDIR` before Linux 3.11).
 *
 * @param dir Descriptor of the folder.
 * @param mode Permission bits, minus the umask.
 */
export function openUnnamed(dir: number, mode: number): number {
  return canName() ? openat(dir, ".", TMPFILE | WRONLY | CLOEXEC, mode) : EOPNOTSUPP;
}

/**
 * Names a file that {@linkcode openUnnamed} opened. It stays open.
 *
 * linkat(2) replaces nothing. To replace a file, the new one first gets a hidden name, for the
 * microseconds until renameat(2).
 *
 * @param dir Folder of the names.
 * @param hidden An unused name.
 * @param naming Bits of {@linkcode Naming}.
 * @returns 0 or `-errno`; after an error, the file has no name.
 */
export function nameFile(
  fd: number,
  dir: number,
  hidden: string,
  name: string,
  naming: number,
): number {
  const path = `/proc/self/fd/${fd}`;
  const { atFdcwd } = platform;
  if ((naming & Naming.EXISTS) === 0) {
    const linked = linkat(atFdcwd, path, dir, name, AT_SYMLINK_FOLLOW);
    if (linked !== EEXIST || (naming & Naming.REPLACE) === 0) return linked;
  }
  // An error here is one of the disk, which `durable` reports and a plain copy does not.
  if ((naming & Naming.FLUSH) !== 0) syncFileRange(fd, 0, 0, SyncRangeFlag.WRITE);
  const result = linkat(atFdcwd, path, dir, hidden, AT_SYMLINK_FOLLOW);
  if (result < 0) return result;
  const renamed = renameat(dir, hidden, dir, name);
  if (renamed < 0) unlinkat(dir, hidden, 0);
  return renamed;
}

/**
 * Like {@linkcode nameFile}, for a fully written file: some file systems report a full disk only
 * now.
 */
export function nameWritten(
  fd: number,
  dir: number,
  hidden: string,
  name: string,
  naming: number,
): number {
  const other = fcntl(fd, platform.fcntl.DUPFD_CLOEXEC, 0);
  const closed = other < 0 ? other : close(other);
  return closed < 0 ? closed : nameFile(fd, dir, hidden, name, naming);
}

/** Whether an unnamed file can be linked: without root, this needs procfs. */
export function canName(): boolean {
  if (procfs !== undefined) return procfs;
  if (TMPFILE === 0 || !available()) return procfs = false;
  const folder = openat(platform.atFdcwd, "/proc/self/fd", PATH | CLOEXEC, 0);
  if (folder >= 0) close(folder);
  // A shortage passes, and says nothing about procfs.
  return EXHAUSTIONS.has(folder) ? false : procfs = folder >= 0;
}
