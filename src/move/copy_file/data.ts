/** Copies the bytes of a file, except for its holes. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { EINVAL, ENXIO, EOPNOTSUPP } from "../../errno.ts";
import { errnoName, SyscallError, UnsupportedError } from "../../errors.ts";
import { FileAdvice, Whence } from "../../sys/flags/file.ts";
import { fileSystemOf } from "../../sys/file/mounts.ts";
import { FileSystem, FileType } from "../../sys/file/statx.ts";
import { closeFile, isLocal, onFile, statusOf } from "../../threads/blocking/files.ts";
import { runOffThread } from "../engine/file/off_loop.ts";
import { type End, ownEnd } from "../engine/endpoint.ts";
import { type FileMethod, fileToFile } from "../engine/file_to_file.ts";
import { copyRange } from "../engine/portable_copy.ts";
import type { TransferProgress } from "../engine/progress.ts";
import { portableSink } from "../engine/connection/sink.ts";

/** How to copy a file: see `CopyOptions.method`. */
export type CopyMethod = "reflink" | FileMethod;

/** One copy of a whole file. */
export interface DataJob {
  readonly source: number;
  readonly target: number;
  readonly size: number;
  /** Bytes that the source occupies: fewer than its size if it has holes. */
  readonly occupied: number;
  readonly method: CopyMethod | "auto";
  readonly drops: boolean;
  readonly chunkSize: number | undefined;
  readonly progress: TransferProgress;
}

/**
 * Largest file, in bytes, that the runtime's own pool writes: starting a thread for it costs time
 * and memory, and a running one is no faster.
 */
export const SMALL: number = 256 * 1024;

/** Fills the target, which is empty, with the content of the source. */
export async function copyData(job: DataJob): Promise<void> {
  const { source, target, size, method, chunkSize, progress } = job;
  if (method === "auto" || method === "reflink") {
    if (await reflink(job)) return;
  }
  if (size === 0) return;
  if (method === "auto" && !job.drops && size <= SMALL && job.occupied >= size) {
    return await copyRange(source, { start: 0, length: size }, portableSink(target, 0), progress);
  }
  if (job.occupied < size) {
    check(await onFile(target, "ftruncate", target, size), "ftruncate", target);
  }
  // O_DIRECT fills no cache, so there is nothing to drop but the last page: see forget().
  const drops = job.drops && method !== "direct";
  const ends = {
    source: ownEnd(source, FileType.REGULAR, size),
    target: ownEnd(target, FileType.REGULAR, size),
  };
  try {
    if (method === "direct") await openDirect(ends.source, ends.target);
    for (let at = 0; at < size;) {
      const [start, end] = job.occupied < size ? await extent(source, at, size) : [0, size];
      const range = { start, length: end - start, targetOffset: start, chunkSize, drops, progress };
      if (end > start) {
        await fileToFile({ ...ends, ...range, method: method as FileMethod | "auto" });
      }
      at = end;
    }
    const now = await statusOf(source);
    // Behind its new end a file that was cut looks like one more hole.
    if (typeof now !== "number" && now.size < size) {
      throw progress.truncated(`copy ${progress.nameOf(source)}`);
    }
    if (method === "direct") await forget(source, target, size);
  } finally {
    if (ends.source.fd !== source) closeFile(ends.source.fd);
    if (ends.target.fd !== target) closeFile(ends.target.fd);
  }
}

/**
 * Lets the file system share the blocks of both files, which takes no time and no space.
 *
 * @returns False if that is impossible and `method` is `"auto"`.
 */
async function reflink({ source, target, size, method, progress }: DataJob): Promise<boolean> {
  const type = fileSystemOf(target);
  const known = type === FileSystem.EXT || type === FileSystem.TMPFS;
  // This file system cannot share blocks: skip the call, and the thread for it.
  const result = known && method === "auto" ? EOPNOTSUPP : await clone(target, source);
  if (result >= 0) {
    progress.moved(size, "reflink");
    return true;
  }
  if (method === "auto") return false;
  throw new SyscallError({
    syscall: "ioctl",
    errno: -result,
    action: "share the blocks of the file (FICLONE)",
  });
}

async function clone(target: number, source: number): Promise<number> {
  const args = ["ioctl", target, platform.ioctl.FICLONE, source] as const;
  const far = [source, target].find((fd) => !isLocal(fd));
  return await (far === undefined ? runOffThread(...args) : onFile(far, ...args));
}

/**
 * The next bytes at or after `at` that are not a hole: `[start, end)`; empty past the last ones.
 */
async function extent(
  file: number,
  at: number,
  size: number,
): Promise<[start: number, end: number]> {
  const data = await onFile(file, "lseek", file, at, Whence.DATA);
  if (data === ENXIO) return [size, size];
  // A file system that cannot tell has no holes.
  if (data < 0) return [at, size];
  const hole = await onFile(file, "lseek", file, data, Whence.HOLE);
  return [Math.min(data, size), hole < 0 ? size : Math.min(hole, size)];
}

/** Opens both files again with `O_DIRECT`, a flag that the original descriptors must not get. */
async function openDirect(...ends: readonly [source: End, target: End]): Promise<void> {
  for (const [index, end] of ends.entries()) {
    const flags = index | platform.open.DIRECT | platform.open.CLOEXEC;
    const fd = await onFile(end.fd, "open", `/proc/self/fd/${end.fd}`, flags, 0);
    if (fd === EINVAL || fd === EOPNOTSUPP) {
      throw new UnsupportedError({
        action: "copy the file directly",
        reason: `its file system refuses O_DIRECT (${errnoName(-fd)}); use another method`,
      });
    }
    check(fd, "open", end.fd);
    end.fd = fd;
    end.direct = true;
  }
}

/** The last bytes of a direct copy, less than a block, went through the page cache. */
async function forget(source: number, target: number, size: number): Promise<void> {
  await runOffThread("fdatasync", target);
  const tail = size - size % 4096;
  for (const fd of [source, target]) {
    await runOffThread("posixFadvise", fd, tail, 4096, FileAdvice.DONTNEED);
  }
}

function check(result: number, syscall: string, fd: number): void {
  if (result >= 0) return;
  throw new SyscallError({ syscall, errno: -result, action: `copy to fd ${fd}` });
}
