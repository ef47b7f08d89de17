/**
 * Files that have no name until they are complete: `O_TMPFILE` of open(2), Linux 3.11. Whatever ends the
 * process, the kernel removes what has no name.
 *
 * @module
 */

import { platform } from "../../../ffi/platform/mod.ts";
import { EEXIST, EOPNOTSUPP } from "../../errno.ts";
import { OpenFlag } from "../../sys/flags/file.ts";
import { available } from "../../sys/libc.ts";
import { close, fcntl, linkat, openat, renameat, unlinkat } from "../../sys/raw/mod.ts";

const { CLOEXEC, PATH, TMPFILE, WRONLY } = OpenFlag;
const AT_SYMLINK_FOLLOW = 0x400;

let procfs: boolean | undefined;

/**
 * Opens a file without a name in a folder, for writing: the descriptor, or `-errno` where the file
 * system has none such (`EOPNOTSUPP`; `EISDIR` before Linux 3.11).
 *
 * @param dir Descriptor of the folder.
 * @param mode Permission bits, less the umask.
 */
export function openUnnamed(dir: number, mode: number): number {
  return canName() ? openat(dir, ".", TMPFILE | WRONLY | CLOEXEC, mode) : EOPNOTSUPP;
}

/**
 * Names a file that was opened by {@linkcode openUnnamed}. It stays open.
 *
 * linkat(2) replaces nothing. So what replaces a file has another name for as long as it takes to call
 * renameat(2), some microseconds.
 *
 * @param dir Folder of the names.
 * @param hidden A name that nobody uses.
 * @param overwrite 1 to replace a file of that name; 0 for `-EEXIST`.
 * @returns 0 or `-errno`; the file then has no name.
 */
export function nameFile(
  fd: number,
  dir: number,
  hidden: string,
  name: string,
  overwrite: number,
): number {
  const path = `/proc/self/fd/${fd}`;
  const { atFdcwd } = platform;
  const linked = linkat(atFdcwd, path, dir, name, AT_SYMLINK_FOLLOW);
  if (linked !== EEXIST || overwrite === 0) return linked;
  const result = linkat(atFdcwd, path, dir, hidden, AT_SYMLINK_FOLLOW);
  if (result < 0) return result;
  const renamed = renameat(dir, hidden, dir, name);
  if (renamed < 0) unlinkat(dir, hidden, 0);
  return renamed;
}

/** As above, when everything was written: some file systems tell only now that there was no room. */
export function nameWritten(
  fd: number,
  dir: number,
  hidden: string,
  name: string,
  overwrite: number,
): number {
  const other = fcntl(fd, platform.fcntl.DUPFD_CLOEXEC, 0);
  const closed = other < 0 ? other : close(other);
  return closed < 0 ? closed : nameFile(fd, dir, hidden, name, overwrite);
}

/** Whether a file without a name can get one: who is not root needs procfs for it. */
export function canName(): boolean {
  return procfs ??= available() && hasProcfs();
}

function hasProcfs(): boolean {
  const folder = TMPFILE === 0
    ? EOPNOTSUPP
    : openat(platform.atFdcwd, "/proc/self/fd", PATH | CLOEXEC, 0);
  return folder >= 0 && close(folder) === 0;
}
