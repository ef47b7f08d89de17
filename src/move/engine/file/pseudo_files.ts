/** Files that tell no length, such as those of procfs and sysfs: their bytes, all of them. @module */

import { platform } from "../../../../ffi/platform/mod.ts";
import { builtin } from "../../../builtins.ts";
import { errnoNumber, SyscallError } from "../../../errors.ts";
import { check } from "../../../sys/check.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { FileType } from "../../../sys/file/statx.ts";
import { CALLS } from "../../../threads/blocking/blocking_calls.ts";
import { type FileStatus, onMount } from "../../../threads/blocking/files.ts";

/** Longest size that is doubted: procfs says 0 bytes, sysfs 4096, and neither has blocks. */
const DOUBTFUL_BYTES = 4096;

/** Most bytes of such a file: they are held in memory until they are sent. */
const MOST_BYTES = 1024 * 1024 * 1024;

/** Bytes that a thread reads before others get their turn, and before an abort is noticed. */
const STEP = 4 * 1024 * 1024;

/** The end is at the first read that brings less; without system calls, by the runtime's own reads. */
const CHUNK = 256 * 1024;

const MFD_CLOEXEC = 1;

const EFBIG = errnoNumber("EFBIG");

/** A copy in memory, which has a length. */
export interface Snapshot {
  readonly fd: number;
  readonly size: number;
}

/** What is known of a file whose size is in doubt. */
type Doubtful = Pick<FileStatus, "type" | "size" | "blocks">;

/**
 * Whether a file has to be read to learn how long it is.
 *
 * The file systems of disks and of memory tell the truth. Those that make contents up tell 0 or one
 * page; those of other machines and programs may do the same.
 */
export function isDoubtful({ type, size, blocks, mount }: Doubtful & Partial<FileStatus>): boolean {
  if (type !== FileType.REGULAR || blocks > 0 || size > DOUBTFUL_BYTES) return false;
  return mount === undefined || mount.storage === "generated" || mount.storage === "remote";
}

/**
 * Copies a file that tells no length into memory, by a thread: all of it, or none.
 *
 * @returns A descriptor of the copy, which the caller closes; `undefined` for a file that is as long as
 * it says.
 *
 * @throws {SyscallError} When the file cannot be read, with the code of the read; `EAGAIN` when it never
 * ends and has nothing to read now, such as a log of the kernel; `EFBIG` when it is longer than 1 GiB
 * or than `RLIMIT_FSIZE` allows; `EMFILE`.
 */
export async function snapshot(
  fd: number,
  status: FileStatus,
  signal?: AbortSignal,
): Promise<Snapshot | undefined> {
  if (!isDoubtful(status)) return undefined;
  const copy = newCopy(fd);
  try {
    let length = 0;
    for (let more = true; more && signal?.aborted !== true;) {
      const most = roomBehind(fd, length);
      const count = await onMount(status.mount, "collect", fd, length, copy, most);
      more = checkCount(fd, count) === most;
      length += count;
    }
    if (length !== status.size || status.mount.storage === "generated") {
      return { fd: copy, size: length };
    }
  } catch (error) {
    raw.close(copy);
    throw error;
  }
  raw.close(copy);
  return undefined;
}

/** As {@linkcode snapshot}, in a thread that may wait; `-errno` where that throws. */
export function snapshotNow(fd: number, status: FileStatus): Snapshot | number | undefined {
  if (!isDoubtful(status)) return undefined;
  let copy = -1;
  try {
    copy = newCopy(fd);
    let length = 0;
    for (let more = true; more;) {
      const most = roomBehind(fd, length);
      const count = checkCount(fd, CALLS.collect(fd, length, copy, most));
      more = count === most;
      length += count;
    }
    if (length !== status.size || status.mount.storage === "generated") {
      return { fd: copy, size: length };
    }
  } catch (error) {
    if (copy >= 0) raw.close(copy);
    return -errnoNumber((error as SyscallError).code);
  }
  raw.close(copy);
  return undefined;
}

function newCopy(fd: number): number {
  return check(raw.memfdCreate("sluice", MFD_CLOEXEC), "memfd_create", () => `read fd ${fd}`);
}

const limits = new BigUint64Array(2);

/** Bytes that may be read next: a memory file counts as a file, and its limit kills some runtimes. */
function roomBehind(fd: number, length: number): number {
  const known = raw.getrlimit(platform.resource.FSIZE, limits) >= 0;
  const most = known && limits[0]! < BigInt(MOST_BYTES) ? Number(limits[0]!) : MOST_BYTES;
  if (length < most) return Math.min(STEP, most - length);
  throw new SyscallError({ syscall: "write", errno: EFBIG, action: `hold fd ${fd} in memory` });
}

function checkCount(fd: number, count: number): number {
  const syscall = count === -EFBIG ? "write" : "pread";
  return check(count, syscall, () => `read fd ${fd}, which tells no length`);
}

/** Closes a copy made by {@linkcode snapshot}. */
export function discard({ fd }: Snapshot): void {
  if (!forget(fd)) raw.close(fd);
}

/** Copies where no system call can be made, by negative numbers in the place of descriptors. */
const held = new Map<number, Uint8Array>();
let lastHeld = -1;

/** As {@linkcode snapshot}, by the runtime's own reads; the number of the copy is no descriptor. */
export async function hold(fd: number, stats: Doubtful): Promise<Snapshot | undefined> {
  if (!isDoubtful(stats)) return undefined;
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const bytes = await readChunk(fd, length);
    if (bytes.length === 0) break;
    pieces.push(bytes);
    length += bytes.length;
    if (length > MOST_BYTES) {
      throw new SyscallError({ syscall: "read", errno: EFBIG, action: `hold fd ${fd} in memory` });
    }
  }
  if (length === stats.size) return undefined;
  held.set(--lastHeld, builtin("buffer").Buffer.concat(pieces));
  return { fd: lastHeld, size: length };
}

/** The bytes under a number that {@linkcode hold} has given out. */
export function heldBytes(fd: number): Uint8Array | undefined {
  return fd < 0 ? held.get(fd) : undefined;
}

/** Lets go of what is held under a number; false when nothing is. */
export function forget(fd: number): boolean {
  return fd < 0 && held.delete(fd);
}

function readChunk(fd: number, position: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(CHUNK);
  return new Promise((resolve, reject) => {
    builtin("fs").read(fd, bytes, 0, CHUNK, position, (error, count) => {
      if (!error) return resolve(bytes.subarray(0, count));
      const errno = errnoNumber(String((error as NodeJS.ErrnoException).code));
      const action = `read fd ${fd}, which tells no length`;
      reject(errno === 0 ? error : new SyscallError({ syscall: "read", errno, action }));
    });
  });
}
