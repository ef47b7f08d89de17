/** Copies that are made in one go: where that is quick on this thread, else in the one that copies. @module */

import { errnoNumber, UnsupportedError } from "../errors.ts";
import { FileSystem } from "../sys/statx.ts";
import { copyingStarted, runCopying } from "../wait/blocking.ts";
import type { BlockingCalls } from "../wait/blocking_calls.ts";
import { resident } from "../wait/residency.ts";
import { type Folder, isLocal } from "./copy_place.ts";
import { type BlockingCall, here } from "./elsewhere.ts";
import type { Flow } from "./flow.ts";
import { LoopShare } from "./loop_share.ts";
import type { Pipe } from "./pipe.ts";
import { givePipe, takePipe } from "./pipe_pool.ts";

/** A copy that leaves nothing to chance: a new file, whole, under a temporary name until it is complete. */
export interface WholeCopy {
  readonly source: number;
  /** Bytes, none of which are in a hole. */
  readonly size: number;
  /** Where it goes, under which name, and under which name that nobody uses until it is complete. */
  readonly folder: Folder;
  readonly name: string;
  readonly hidden: string;
  /** Permission bits, or -1 for those of any new file. */
  readonly mode: number;
  readonly flow: Flow;
}

/** Bytes up to which reading and writing beats a pipe. */
const SMALL = 256 * 1024;

/** Most bytes of a copy on this thread: they take 0.2 to 0.4 ms, and 0.1 to 0.2 more elsewhere (measured). */
const MOST_HERE = 1024 * 1024;

/** Most bytes of one go in the thread: about 5 ms, in which it cannot be stopped. */
const MOST = 16 * 1024 * 1024;

/** File systems where files cannot share blocks. */
const CLONELESS: ReadonlySet<number> = new Set([FileSystem.EXT, FileSystem.TMPFS]);

/** Small copies in a row, each within a second of the one before, that are worth a thread. */
const BURST = 8;
const BURST_MS = 1000;

const ENOSYS = errnoNumber("ENOSYS");

const share = new LoopShare();
let burst = 0;
let lastMs = 0;

/**
 * Makes a copy.
 *
 * @returns Whether it is complete. If not, there is nothing of it, and it must be made step by step,
 * which also tells what is wrong with it.
 */
export async function copyAtOnce(copy: WholeCopy): Promise<boolean> {
  const { folder, size } = copy;
  if (!CLONELESS.has(folder.fileSystem) && await cloned(copy)) return true;
  return isLocal(folder) && size <= MOST && await copied(copy);
}

async function cloned(copy: WholeCopy): Promise<boolean> {
  const { source, size, folder, hidden, name, mode, flow } = copy;
  const result = await elsewhere("cloneWhole", source, folder.fd, hidden, name, mode);
  if (result < 0) return false;
  flow.moved(size, "reflink");
  return true;
}

async function copied(copy: WholeCopy): Promise<boolean> {
  const { source, size, flow } = copy;
  const near = size <= MOST_HERE && share.calm && isResident(source, size);
  if (!near && size <= SMALL && !copyingStarted() && !bursting()) return false;
  const pipe = size > SMALL ? takePipe() : null;
  try {
    const call = callFor(copy, pipe);
    if (near) {
      await share.turn();
      if (flow.aborted) return false;
    }
    const result = near ? share.spend(() => here(...call)) : await elsewhere(...call);
    if (result < 0) return false;
    if (size > 0) flow.moved(size, pipe === null ? "copy" : "splice");
    return true;
  } finally {
    if (pipe !== null) givePipe(pipe);
  }
}

function callFor(copy: WholeCopy, pipe: Pipe | null): BlockingCall {
  const { source, size, folder, hidden, name, mode } = copy;
  const [read, write] = pipe === null ? [-1, -1] : [pipe.readFd, pipe.writeFd];
  return ["copyWhole", source, size, folder.fd, hidden, name, mode, read, write];
}

/** Runs a call in the thread; where there can be none, `-ENOSYS`. */
async function elsewhere(...[call, ...args]: BlockingCall): Promise<number> {
  try {
    return await runCopying(call, ...args as Parameters<BlockingCalls[typeof call]>);
  } catch (error) {
    if (error instanceof UnsupportedError) return -ENOSYS;
    throw error;
  }
}

/** Whether the last small copies came so close on each other that a thread is worth its while. */
function bursting(): boolean {
  const now = performance.now();
  burst = now - lastMs < BURST_MS ? burst + 1 : 1;
  lastMs = now;
  return burst >= BURST;
}

function isResident(file: number, size: number): boolean {
  for (let at = 0; at < size;) {
    const found = resident(file, at, size - at);
    if (found === 0) return false;
    at += found;
  }
  return true;
}
