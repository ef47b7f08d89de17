/**
 * Examines files whose file system may answer late, without blocking the event loop.
 *
 * Files on a disk or in the memory of this machine are examined at once. For all others (NFS, SMB,
 * FUSE), threads of their mount do it. Without permission for Workers, everything happens at once.
 *
 * @module
 */

import { Cell } from "../../../ffi/libc/cell.ts";
import { UnsupportedError } from "../../errors.ts";
import {
  BASIC_STATS,
  DONT_SYNC,
  factsIn,
  type FileFacts,
  type FileIdentity,
  FileType,
  identityIn,
  STATX_BYTES,
  statxInto,
} from "../../sys/file/statx.ts";
import { type Mount, MOUNT_MASK, mountAsked, mountOf } from "../../sys/file/mounts.ts";
import * as raw from "../../sys/raw/mod.ts";
import { runRemote } from "./blocking.ts";
import { type BlockingCalls, CALLS } from "./blocking_calls.ts";

/** Attributes of an open file, and its mount. */
export interface FileStatus extends FileIdentity {
  /** Blocks of 512 bytes. */
  readonly blocks: number;
  /** Major and minor number of the device that it represents. */
  readonly rdev: readonly [major: number, minor: number];
  readonly mount: Mount;
}

const out = new Cell(STATX_BYTES);

/** Describes an open file; or `-errno`. Synchronous unless its file system may answer late. */
export function statusOf(fd: number): FileStatus | number | Promise<FileStatus | number> {
  const mount = askHere(fd);
  if (typeof mount === "number") return mount;
  return isKnown(mount) ? decode(out.view, mount) : askRemote(fd, mount);
}

/** Like {@linkcode statusOf}; `undefined` if another machine or process would have to answer. */
export function localStatus(fd: number): FileStatus | number | undefined {
  const mount = askHere(fd);
  if (typeof mount === "number") return mount;
  return isKnown(mount) ? decode(out.view, mount) : undefined;
}

/** Everything that a copy needs to know, obtained as in {@linkcode statusOf}. */
export async function copyFacts(fd: number): Promise<FileFacts | number> {
  const mount = askHere(fd);
  if (typeof mount === "number") return mount;
  if (isKnown(mount)) return factsIn(out.view);
  const answer = new SharedArrayBuffer(STATX_BYTES);
  const result = await onMount(mount, "statInto", fd, answer);
  return result < 0 ? result : factsIn(new DataView(answer));
}

/**
 * Like {@linkcode copyFacts}, with the mount; `undefined` on failure, or if another machine or process
 * would have to answer.
 */
export function localFacts(fd: number): { facts: FileFacts; mount: Mount } | undefined {
  const mount = askHere(fd);
  if (typeof mount === "number" || !isKnown(mount)) return undefined;
  return { facts: factsIn(out.view), mount };
}

/** Fills `out` with what this machine knows, and finds the mount by the same call; or `-errno`. */
function askHere(fd: number): Mount | number {
  const result = statxInto(fd, DONT_SYNC, BASIC_STATS | MOUNT_MASK, out);
  // The first look-up of a mount makes another call, which does not overwrite `out`.
  return result < 0 ? result : mountAsked(fd, out.view);
}

/**
 * Whether {@linkcode askHere} found everything. The kernel alone answers for pipes and sockets, whose
 * own mounts no table lists.
 */
function isKnown(mount: Mount): boolean {
  const type = out.view.getUint16(28, true) & 0o170000;
  return mount.storage !== "remote" || type === FileType.FIFO || type === FileType.SOCKET;
}

/** Like {@linkcode statusOf}, in a thread that may wait. */
export function statusNow(fd: number): FileStatus | number {
  const result = statxInto(fd, 0, BASIC_STATS | MOUNT_MASK, out);
  return result < 0 ? result : decode(out.view, mountAsked(fd, out.view));
}

async function askRemote(fd: number, mount: Mount): Promise<FileStatus | number> {
  const answer = new SharedArrayBuffer(STATX_BYTES);
  const result = await onMount(mount, "statInto", fd, answer);
  return result < 0 ? result : decode(new DataView(answer), mount);
}

// struct statx is the same on every processor: include/uapi/linux/stat.h.
function decode(view: DataView, mount: Mount): FileStatus {
  return {
    ...identityIn(view),
    blocks: Number(view.getBigUint64(48, true)),
    rdev: [view.getUint32(128, true), view.getUint32(132, true)],
    mount,
  };
}

/**
 * Size in bytes as far as this machine knows, or `-errno`; another may have changed it meanwhile.
 */
export function knownSize(fd: number): number {
  const result = statxInto(fd, DONT_SYNC, BASIC_STATS, out);
  return result < 0 ? result : Number(out.view.getBigUint64(40, true));
}

/** Whether calls on an open file depend on this machine only. */
export function isLocal(fd: number): boolean {
  return mountOf(fd).storage !== "remote";
}

/** Runs a call in a thread of a mount; without permission for Workers, in this thread. */
export async function onMount<C extends keyof BlockingCalls>(
  { key }: Pick<Mount, "key">,
  call: C,
  ...args: Parameters<BlockingCalls[C]>
): Promise<number> {
  try {
    return await runRemote(key, call, ...args);
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    return (CALLS[call] as (...args: unknown[]) => number)(...args);
  }
}

/**
 * Runs a call on an open file: in a thread of its mount where another machine or process may have to be
 * asked, else at once.
 */
export function onFile<C extends keyof BlockingCalls>(
  fd: number,
  call: C,
  ...args: Parameters<BlockingCalls[C]>
): number | Promise<number> {
  const mount = mountOf(fd);
  return mount.storage === "remote"
    ? onMount(mount, call, ...args)
    : (CALLS[call] as (...args: unknown[]) => number)(...args);
}

/** Reads from a file in a thread of its mount; a count, 0 at the end, or `-errno`. */
export async function readRemote(
  fd: number,
  target: Uint8Array,
  offset: number,
  mount: Pick<Mount, "key"> = mountOf(fd),
): Promise<number> {
  const memory = new SharedArrayBuffer(target.length);
  const count = await onMount(mount, "readInto", fd, offset, target.length, memory);
  if (count > 0) target.set(new Uint8Array(memory, 0, count));
  return count;
}

/**
 * Closes a descriptor that sluice owns. Uses a thread if closing may wait for the file system: FUSE
 * flushes, NFS writes dirty pages. Do not use the number any more.
 */
export function closeFile(fd: number): void {
  const mount = askHere(fd);
  if (typeof mount === "number" || isKnown(mount)) raw.close(fd);
  else closeOn(mount, fd);
}

/** Closes a descriptor in a thread of a mount, without waiting for it. */
export function closeOn(mount: Pick<Mount, "key">, fd: number): void {
  onMount(mount, "close", fd).catch(() => {});
}
