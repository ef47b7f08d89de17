/** Files that hold more than they tell, as those of some FUSE servers do. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { ECANCELED, EIO } from "../../errno.ts";
import { isDoubtful } from "../../move/engine/file/pseudo_files.ts";
import type { Statx } from "../../sys/file/stat.ts";
import type { Mount } from "../../sys/file/mounts.ts";
import { check } from "../../sys/check.ts";
import { OpenFlag } from "../../sys/flags/file.ts";
import * as raw from "../../sys/raw/mod.ts";
import { onMount } from "../../threads/blocking/files.ts";
import { IoOp } from "../../threads/io_queue/types.ts";
import type { Backing } from "./backing.ts";

const TYPE = 0o170000;

/**
 * Whether a file has bytes past the end that it tells.
 *
 * The kernel reads none of them directly or through io_uring, and reports the end of the file. So this
 * clears `O_DIRECT` of such a file, and {@linkcode readByThreads} reads it.
 *
 * @param flags Flags of the descriptor, from `F_GETFL`.
 * @param far The mount of a file that another machine or program has. The kernel's own files without a
 * length are read by io_uring as by read(2).
 */
export async function holdsMore(
  fd: number,
  { mode, size, blocks }: Statx,
  flags: number,
  far: Mount | undefined,
  action: () => string,
): Promise<boolean> {
  if (far === undefined || !isDoubtful({ type: mode & TYPE, size, blocks })) return false;
  const setFlags = (to: number) => check(raw.fcntl(fd, platform.fcntl.SETFL, to), "fcntl", action);
  setFlags(flags & ~OpenFlag.DIRECT);
  const count = await onMount(far, "readInto", fd, size, 1, new SharedArrayBuffer(1));
  if (count === 0) setFlags(flags);
  // A failure here repeats with the caller's read, which reports it.
  return count !== 0;
}

/** A file whose reads are made by threads of its mount, and everything else as before. */
export function readByThreads(file: Backing, fd: number, far: Mount): Backing {
  const reads = new Map<number, (result: number) => void>();
  // The tickets of a queue are whole numbers.
  let ticket = 0.5;
  return {
    ...file,
    engine: "threads",
    start(op, block, at, length, offset, flags, done) {
      if (op !== IoOp.READ) return file.start(op, block, at, length, offset, flags, done);
      const own = ++ticket;
      reads.set(own, done);
      const memory = new SharedArrayBuffer(length);
      const settle = (result: number) => {
        if (!reads.delete(own)) return;
        if (result > 0) block!.bytes.set(new Uint8Array(memory, 0, result), at - block!.at);
        done(result);
      };
      onMount(far, "readInto", fd, offset, length, memory).then(settle, () => settle(EIO));
      return own;
    },
    cancel(which) {
      const done = reads.get(which);
      if (done === undefined) return file.cancel(which);
      reads.delete(which);
      // Late results go to unused memory.
      done(ECANCELED);
    },
  };
}
