/** Copies a whole file in one call, in any thread. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { EIO } from "../../errno.ts";
import { OpenFlag } from "../../sys/flags/file.ts";
import { close, fchmod, ioctl, openat, renameat, unlinkat } from "../../sys/raw/mod.ts";
import { copyThrough, spliceThrough } from "./copy_loops.ts";
import { nameFile, openUnnamed } from "./unnamed_file.ts";

const { CLOEXEC, CREAT, EXCL, WRONLY } = OpenFlag;

/** An incomplete copy of a private file must not be readable by others. */
const PRIVATE = 0o600;
const USUAL = 0o666;

/**
 * Creates a file from the first `size` bytes of another; it gets its name when it is complete. A
 * failure leaves nothing behind.
 *
 * @param from The source; only its bytes are used.
 * @param dir The folder of both names.
 * @param hidden An unused name, for an incomplete file if it needs one.
 * @param mode Permission bits of the file, or -1 for those of any new file.
 * @param readFlags Flags of `preadv2()`, for reading and writing.
 * @param pipeRead An empty pipe to move the bytes through, or -1 to read and write them.
 * @param pipeWrite The other end of it.
 * @returns `size`, or `-errno`; `-EIO` also if the file is shorter, or if `readFlags` stop the
 * read.
 */
export function copyWhole(
  from: number,
  size: number,
  dir: number,
  hidden: string,
  name: string,
  mode: number,
  readFlags: number,
  pipeRead: number,
  pipeWrite: number,
): number {
  return make(dir, hidden, name, mode, (out) => {
    const copied = pipeRead < 0
      ? copyThrough(from, 0, out, 0, size, size, readFlags)
      : spliceThrough(from, 0, pipeRead, pipeWrite, out, 0, size, size);
    return copied >= 0 && copied < size ? EIO : copied;
  });
}

/** Like {@linkcode copyWhole}, by sharing all blocks of `from`: see ioctl_ficlone(2). */
export function cloneWhole(
  from: number,
  dir: number,
  hidden: string,
  name: string,
  mode: number,
): number {
  return make(dir, hidden, name, mode, (out) => ioctl(out, platform.ioctl.FICLONE, from));
}

function make(
  dir: number,
  hidden: string,
  name: string,
  mode: number,
  fill: (out: number) => number,
): number {
  const unnamed = openUnnamed(dir, mode < 0 ? USUAL : mode);
  if (unnamed >= 0) return finish(unnamed, dir, hidden, name, mode, fill);
  const out = openat(dir, hidden, WRONLY | CREAT | EXCL | CLOEXEC, mode < 0 ? USUAL : PRIVATE);
  if (out < 0) return out;
  const filled = fill(out);
  const changed = filled >= 0 && mode >= 0 ? fchmod(out, mode) : filled;
  // Some file systems report a full disk only on close.
  const closed = close(out);
  const failure = [filled, changed, closed].find((result) => result < 0) ??
    renameat(dir, hidden, dir, name);
  if (failure >= 0) return filled;
  unlinkat(dir, hidden, 0);
  return failure;
}

/** A file without a name disappears, however the process ends. */
function finish(
  out: number,
  dir: number,
  hidden: string,
  name: string,
  mode: number,
  fill: (out: number) => number,
): number {
  const filled = fill(out);
  // Some file systems allow no change of permissions: the file then keeps its initial ones.
  if (filled >= 0 && mode >= 0) fchmod(out, mode);
  const failure = filled < 0 ? filled : nameFile(out, dir, hidden, name, 1);
  close(out);
  return failure < 0 ? failure : filled;
}
