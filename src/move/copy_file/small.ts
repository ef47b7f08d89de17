/** Copies that are made in one go: where that is quick on this thread, else in the one that copies. @module */

import { ENOSYS } from "../../errno.ts";
import { errnoName } from "../../errors.ts";
import { ReadFlag } from "../../sys/flags/file.ts";
import { FileSystem } from "../../sys/file/statx.ts";
import { copyingStarted } from "../../threads/blocking/blocking.ts";
import { isInMemory, resident } from "../../page_cache/prefetch.ts";
import { type Folder, isLocal } from "./destination.ts";
import { type BlockingCall, inThread, runInline } from "../engine/file/off_loop.ts";
import type { TransferProgress } from "../engine/progress.ts";
import { LoopShare } from "../engine/loop_budget.ts";
import type { Pipe } from "../engine/pipe.ts";
import { givePipe, takePipe } from "../engine/pipe_pool.ts";

/** A copy that leaves nothing to chance: a new file, whole, under a temporary name until it is complete. */
export interface WholeCopy {
  readonly source: number;
  /** Number of the device that holds the source. */
  readonly device: bigint;
  /** Bytes, none of which are in a hole. */
  readonly size: number;
  /** Where it goes, under which name, and under which name that nobody uses until it is complete. */
  readonly folder: Folder;
  readonly name: string;
  readonly hidden: string;
  /** Permission bits, or -1 for those of any new file. */
  readonly mode: number;
  readonly progress: TransferProgress;
}

/** Bytes up to which reading and writing beats a pipe. */
const SMALL = 256 * 1024;

/** Most bytes of a copy on this thread: they take 0.2 to 0.4 ms, and 0.1 to 0.2 more elsewhere (measured). */
const MOST_HERE = 1024 * 1024;

/** Most bytes of one go in the thread: about 5 ms, in which it cannot be stopped. */
const MOST = 16 * 1024 * 1024;

/** File systems where files cannot share blocks. */
const CLONELESS: ReadonlySet<number> = new Set([FileSystem.EXT, FileSystem.TMPFS]);

/** File systems where they usually can. */
const SHARING: ReadonlySet<number> = new Set([FileSystem.XFS, FileSystem.BTRFS]);

/** Small copies in a row, each within a second of the one before, that are worth a thread. */
const BURST = 8;
const BURST_MS = 1000;

/** What a file system says that shares no blocks; elsewhere it may be about these two files. */
const NEVER: ReadonlySet<string> = new Set(["EOPNOTSUPP", "ENOTTY", "ENOSYS"]);
const MOST_REFUSING = 64;
const refusing = new Set<bigint>();

const share = new LoopShare();
let cork = 0;
let lastMs = 0;

/**
 * Makes a copy.
 *
 * @returns Whether it is complete. If not, there is nothing of it, and it must be made step by step,
 * which also tells what is wrong with it.
 */
export async function copyAtOnce(copy: WholeCopy): Promise<boolean> {
  const { folder, size } = copy;
  if (mayShare(copy) && await cloned(copy)) return true;
  return isLocal(folder) && size <= MOST && await copied(copy);
}

/** Whether it is worth asking: nobody knows what lies under an overlay, and for a few bytes all the same. */
function mayShare({ device, folder: { fileSystem }, size }: WholeCopy): boolean {
  if (CLONELESS.has(fileSystem) || refusing.has(device)) return false;
  return size > SMALL || SHARING.has(fileSystem);
}

async function cloned(copy: WholeCopy): Promise<boolean> {
  const { source, device, size, folder, hidden, name, mode, progress } = copy;
  const result = await inThread("cloneWhole", source, folder.fd, hidden, name, mode) ?? ENOSYS;
  if (result >= 0) progress.moved(size, "reflink");
  else if (NEVER.has(errnoName(-result))) refusing.add(device);
  // It needs no more than to be bounded: what is forgotten is asked again.
  if (refusing.size > MOST_REFUSING) refusing.clear();
  return result >= 0;
}

async function copied(copy: WholeCopy): Promise<boolean> {
  const { source, size, progress } = copy;
  const near = size <= MOST_HERE && share.calm && isResident(source, size);
  if (!near && size <= SMALL && !copyingStarted() && !bursting()) return false;
  const pipe = size > SMALL ? takePipe() : null;
  try {
    const call = callFor(copy, near, pipe);
    if (near) {
      await share.turn();
      if (progress.aborted) return false;
    }
    const result = near ? share.spend(() => runInline(...call)) : await inThread(...call) ?? ENOSYS;
    // What was not in the page cache after all is read elsewhere, step by step.
    if (result < 0) return false;
    if (size > 0) progress.moved(size, pipe === null ? "copy" : "splice");
    return true;
  } finally {
    if (pipe !== null) givePipe(pipe);
  }
}

function callFor(copy: WholeCopy, near: boolean, pipe: Pipe | null): BlockingCall {
  const { source, size, folder, hidden, name, mode } = copy;
  const [read, write] = pipe === null ? [-1, -1] : [pipe.readFd, pipe.writeFd];
  // What is memory refuses the flag, and has been asked about as a whole.
  const flags = near && !isInMemory(source, 0, size) ? ReadFlag.NOWAIT : 0;
  return ["copyWhole", source, size, folder.fd, hidden, name, mode, flags, read, write];
}

/** Whether the last small copies came so close on each other that a thread is worth its while. */
function bursting(): boolean {
  const now = performance.now();
  cork = now - lastMs < BURST_MS ? cork + 1 : 1;
  lastMs = now;
  return cork >= BURST;
}

/** Of a small file only its begin is asked after: it is read by calls that do not wait, if they must. */
function isResident(file: number, size: number): boolean {
  if (size <= SMALL) return resident(file, 0, Math.min(1, size)) > 0 || size === 0;
  for (let at = 0; at < size;) {
    const found = resident(file, at, size - at);
    if (found === 0) return false;
    at += found;
  }
  return true;
}
