/** Copies a file in one call in the copying thread. @module */

import { ENOSYS } from "../../errno.ts";
import { errnoName } from "../../errors.ts";
import { FileSystem } from "../../sys/file/statx.ts";
import { copyingStarted } from "../../threads/blocking/blocking.ts";
import { type Folder, isLocal } from "./destination.ts";
import { inThread } from "../engine/file/off_loop.ts";
import type { TransferProgress } from "../engine/progress.ts";
import { givePipe, takePipe } from "../engine/pipe_pool.ts";

/** A default copy: a new, whole file, under a temporary name until it is complete. */
export interface WholeCopy {
  readonly source: number;
  /** Number of the device that holds the source. */
  readonly device: bigint;
  /** Size in bytes; the file has no holes. */
  readonly size: number;
  /** Target folder, final name, and an unused name until the file is complete. */
  readonly folder: Folder;
  readonly name: string;
  readonly hidden: string;
  /** Permission bits, or -1 for those of any new file. */
  readonly mode: number;
  /** Bits of `Naming`. */
  readonly naming: number;
  readonly progress: TransferProgress;
}

/** Bytes up to which read and write are faster than a pipe. */
const SMALL = 256 * 1024;

/** Maximum bytes of one call in the thread: about 5 ms, during which it cannot be stopped. */
const MOST = 16 * 1024 * 1024;

/** File systems that cannot share blocks. */
const CLONELESS: ReadonlySet<number> = new Set([FileSystem.EXT, FileSystem.TMPFS]);

/** File systems that usually can. */
const SHARING: ReadonlySet<number> = new Set([FileSystem.XFS, FileSystem.BTRFS]);

/** Small copies in a row, each within BURST_MS of the last, for which a thread pays. */
const BURST = 8;
const BURST_MS = 1000;

/** Errors of a file system that shares no blocks; other errors may concern these two files. */
const NEVER: ReadonlySet<string> = new Set(["EOPNOTSUPP", "ENOTTY", "ENOSYS"]);
const MOST_REFUSING = 64;
const refusing = new Set<bigint>();

let cork = 0;
let lastMs = 0;

/**
 * Copies a file.
 *
 * @returns Whether the copy is complete. If not, nothing of it remains. Then copy step by step,
 * which also reports the error.
 */
export async function copyAtOnce(copy: WholeCopy): Promise<boolean> {
  const { folder, size } = copy;
  if (mayShare(copy.device, folder.fileSystem, size) && await cloned(copy)) return true;
  return isLocal(folder) && size <= MOST && await copied(copy);
}

/**
 * Whether FICLONE is worth trying: not for small files if it is unknown what lies under an overlay.
 */
export function mayShare(device: bigint, fileSystem: number, size: number): boolean {
  if (CLONELESS.has(fileSystem) || refusing.has(device)) return false;
  return size > SMALL || SHARING.has(fileSystem);
}

async function cloned(copy: WholeCopy): Promise<boolean> {
  const { source, device, size, folder, hidden, name, mode, naming, progress } = copy;
  const names = [folder.fd, hidden, name, mode, naming] as const;
  const result = await inThread("cloneWhole", source, ...names) ?? ENOSYS;
  if (result >= 0) progress.moved(size, "reflink");
  else if (NEVER.has(errnoName(-result))) refusing.add(device);
  // A limit is enough: a file system that was forgotten is tried again.
  if (refusing.size > MOST_REFUSING) refusing.clear();
  return result >= 0;
}

async function copied(copy: WholeCopy): Promise<boolean> {
  const { source, size, folder, hidden, name, mode, naming, progress } = copy;
  if (size <= SMALL && !copyingStarted() && !bursting()) return false;
  const pipe = size > SMALL ? takePipe() : null;
  try {
    const ends = pipe === null ? [-1, -1] as const : [pipe.readFd, pipe.writeFd] as const;
    const names = [folder.fd, hidden, name, mode, naming] as const;
    const result = await inThread("copyWhole", source, size, ...names, 0, ...ends) ?? ENOSYS;
    if (result < 0) return false;
    if (size > 0) progress.moved(size, pipe === null ? "copy" : "splice");
    return true;
  } finally {
    if (pipe !== null) givePipe(pipe);
  }
}

/** Whether the last small copies followed each other so closely that a thread pays. */
function bursting(): boolean {
  const now = performance.now();
  cork = now - lastMs < BURST_MS ? cork + 1 : 1;
  lastMs = now;
  return cork >= BURST;
}
