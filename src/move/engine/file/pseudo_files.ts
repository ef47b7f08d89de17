/** Reads files that report no length, such as those of procfs and sysfs. @module */

import { platform } from "../../../../ffi/platform/mod.ts";
import { builtin } from "../../../builtins.ts";
import { errnoNumber, SyscallError } from "../../../errors.ts";
import { check } from "../../../sys/check.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { FileType } from "../../../sys/file/statx.ts";
import { CALLS } from "../../../threads/blocking/blocking_calls.ts";
import { type FileStatus, onMount } from "../../../threads/blocking/files.ts";

/** Maximum size to doubt: procfs reports 0 bytes, sysfs 4096, and neither has blocks. */
const DOUBTFUL_BYTES = 4096;

/** Maximum bytes of such a file: they stay in memory until they are sent. */
const MOST_BYTES = 1024 * 1024 * 1024;

/** Bytes that a thread reads before other jobs get a turn, and before it detects an abort. */
const STEP = 4 * 1024 * 1024;

/** Bytes of one read by the runtime. */
const CHUNK = 256 * 1024;

const MFD_CLOEXEC = 1;

const EFBIG = errnoNumber("EFBIG");

/** A copy in memory, whose length is known. */
export interface Snapshot {
  readonly fd: number;
  readonly size: number;
}

/** Attributes of a file whose size is in doubt. */
type Doubtful = Pick<FileStatus, "type" | "size" | "blocks">;

/**
 * Whether the length of a file is only known after reading it.
 *
 * File systems on disks and in memory report the size. Those that generate content report 0 or one
 * page, and so may those of other machines and programs.
 */
export function isDoubtful({ type, size, blocks, mount }: Doubtful & Partial<FileStatus>): boolean {
  if (type !== FileType.REGULAR || blocks > 0 || size > DOUBTFUL_BYTES) return false;
  return mount === undefined || mount.storage === "generated" || mount.storage === "remote";
}

/**
 * Copies a whole file that reports no length into memory, in a thread.
 *
 * @returns A descriptor of the copy, which the caller closes; `undefined` if the reported size is
 * right.
 *
 * @throws {SyscallError} When the file cannot be read, with the code of the read; `EAGAIN` when it never
 * ends and has no data now, such as the kernel log; `EFBIG` when it is longer than 1 GiB or than
 * `RLIMIT_FSIZE` allows; `EMFILE`.
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

/** Like {@linkcode snapshot}, in a thread that may wait; returns `-errno` instead of throwing. */
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

/** Bytes to read next. `RLIMIT_FSIZE` also limits memory files, and exceeding it kills some runtimes. */
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

/** Copies made without system calls, by negative numbers that stand for descriptors. */
const held = new Map<number, Uint8Array>();
let lastHeld = -1;

/**
 * Like {@linkcode snapshot}, by the runtime's own reads; the number of the copy is no descriptor. After
 * an abort, the copy holds the bytes read so far.
 */
export async function hold(
  fd: number,
  stats: Doubtful,
  signal?: AbortSignal,
): Promise<Snapshot | undefined> {
  if (!isDoubtful(stats)) return undefined;
  const waitless = await reopenWaitless(fd);
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    while (signal?.aborted !== true) {
      const bytes = await readChunk(fd, waitless ?? fd, length);
      if (bytes.length === 0) break;
      pieces.push(bytes);
      length += bytes.length;
      if (length > MOST_BYTES) {
        const action = `hold fd ${fd} in memory`;
        throw new SyscallError({ syscall: "read", errno: EFBIG, action });
      }
    }
  } finally {
    if (waitless !== undefined) builtin("fs").close(waitless, () => {});
  }
  if (length === stats.size) return undefined;
  held.set(--lastHeld, builtin("buffer").Buffer.concat(pieces));
  return { fd: lastHeld, size: length };
}

/**
 * Opens the same file with `O_NONBLOCK`, so that reading the kernel log blocks no thread of the
 * runtime. Returns `undefined` if `fd` already has that flag, or procfs is missing.
 *
 * @throws {SyscallError} `EBUSY` for a blocking file that allows only one opener.
 */
async function reopenWaitless(fd: number): Promise<number | undefined> {
  const { constants, open } = builtin("fs");
  if (platform.os !== "linux" || await isWaitless(fd)) return undefined;
  return await new Promise((resolve, reject) => {
    open(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NONBLOCK, (error, opened) => {
      if (error?.code !== "EBUSY") return resolve(error ? undefined : opened);
      const action = `read fd ${fd} without waiting: open it with O_NONBLOCK`;
      reject(new SyscallError({ syscall: "open", errno: errnoNumber("EBUSY"), action }));
    });
  });
}

/** Whether a descriptor has `O_NONBLOCK`, as far as procfs says. */
function isWaitless(fd: number): Promise<boolean> {
  return new Promise((resolve) => {
    builtin("fs").readFile(`/proc/self/fdinfo/${fd}`, "latin1", (_, text) => {
      const flags = parseInt(/^flags:\s*([0-7]+)/m.exec(text ?? "")?.[1] ?? "0", 8);
      resolve((flags & platform.open.NONBLOCK) !== 0);
    });
  });
}

/** The bytes under a number that {@linkcode hold} returned. */
export function heldBytes(fd: number): Uint8Array | undefined {
  return fd < 0 ? held.get(fd) : undefined;
}

/** Frees the bytes held under a number; false if there are none. */
export function forget(fd: number): boolean {
  return fd < 0 && held.delete(fd);
}

/** Reads a chunk; without a position if the file has none. `fd` is the caller's descriptor. */
function readChunk(fd: number, waitless: number, position: number | null): Promise<Uint8Array> {
  const bytes = new Uint8Array(CHUNK);
  return new Promise((resolve, reject) => {
    builtin("fs").read(waitless, bytes, 0, CHUNK, position, (error, count) => {
      if (!error) return resolve(bytes.subarray(0, count));
      const code = String((error as NodeJS.ErrnoException).code);
      if (code === "ESPIPE" && position !== null) return resolve(readChunk(fd, waitless, null));
      const errno = errnoNumber(code);
      const action = `read fd ${fd}, which tells no length`;
      reject(errno === 0 ? error : new SyscallError({ syscall: "read", errno, action }));
    });
  });
}
