/** Copies a file by the runtime's own calls, on the calling thread. @module */

import { builtin } from "../../builtins.ts";
import { asSyscallError } from "../../errors.ts";
import { describe } from "../../options.ts";
import { FileType } from "../../sys/file/statx.ts";
import { isDoubtful } from "../engine/file/pseudo_files.ts";
import { TransferProgress } from "../engine/progress.ts";
import type { CopyReport } from "./copy_file.ts";
import { temporaryName } from "./name.ts";
import { FIRST, PERMISSIONS, REFUSED } from "./open.ts";
import { type CopySyncOptions, refusal } from "./options.ts";
import { TYPE } from "./source.ts";

/** Bytes of one read. */
const CHUNK = 256 * 1024;

/** Copies a file, or throws the reason why it cannot. */
export function copyByRuntime(from: string, to: string, options: CopySyncOptions): CopyReport {
  const { closeSync, constants, fstatSync, openSync } = builtin("fs");
  const action = `copy ${describe(from)}`;
  // Opening a FIFO would wait for its writer.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const source = attempt("open", action, () => openSync(from, flags));
  try {
    const stats = attempt("fstat", action, () => fstatSync(source, { bigint: true }));
    const type = Number(stats.mode) & TYPE;
    if (type !== FileType.REGULAR) {
      throw refusal(type === FileType.DIRECTORY ? "EISDIR" : "EINVAL", action);
    }
    const target = examine(to, stats, action, options.overwrite ?? true);
    const size = Number(stats.size);
    const doubtful = isDoubtful({ type, size, blocks: Number(stats.blocks) });
    const progress = new TransferProgress({}, size);
    progress.begin();
    let error: Error | undefined;
    try {
      write(source, target, doubtful ? undefined : size, Number(stats.mode), progress, options);
    } catch (cause) {
      throw error = cause as Error;
    } finally {
      progress.publish(error);
    }
    const { bytes, elapsedMs: durationMs } = progress;
    return bytes === 0
      ? { bytes, durationMs, method: "none", methods: [] }
      : { bytes, durationMs, method: "copy", methods: ["copy"] };
  } finally {
    closeSync(source);
  }
}

/** Returns the path of the target, with links resolved. */
function examine(
  path: string,
  source: { dev: bigint; ino: bigint },
  action: string,
  overwrite: boolean,
): string {
  const { realpathSync, statSync } = builtin("fs");
  const to = `${action} to ${describe(path)}`;
  let real: string;
  try {
    real = realpathSync(path);
  } catch (error) {
    // A dangling link is replaced.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return path;
    throw asSyscallError(error as Error, "stat", `examine ${describe(path)}`);
  }
  const { mode, dev, ino } = attempt("stat", to, () => statSync(real, { bigint: true }));
  const type = Number(mode) & TYPE;
  if (type === FileType.DIRECTORY) throw refusal("EISDIR", `${to}, which is a folder`);
  if (dev === source.dev && ino === source.ino) {
    throw refusal("EINVAL", `${to}: they are the same file`);
  }
  if (type !== FileType.REGULAR) {
    throw refusal("EINVAL", `${to}: it is not a file; copyFile() writes to devices and FIFOs`);
  }
  if (!overwrite) throw refusal("EEXIST", `${to}, which exists`);
  return real;
}

function write(
  source: number,
  target: string,
  size: number | undefined,
  mode: number,
  progress: TransferProgress,
  options: CopySyncOptions,
): void {
  const fs = builtin("fs");
  const action = `copy to ${describe(target)}`;
  const hidden = temporaryName(target);
  const first = options.mode === false ? 0o666 : FIRST;
  const out = attempt("open", action, () => fs.openSync(hidden, "wx", first));
  try {
    try {
      fill(source, out, size ?? Infinity, progress, action);
      if (size !== undefined && progress.bytes < size) {
        throw progress.truncated(action);
      }
      complete(source, out, mode, options, action);
    } finally {
      attempt("close", action, () => fs.closeSync(out));
    }
    if (options.overwrite ?? true) {
      attempt("rename", action, () => fs.renameSync(hidden, target));
    } else {
      attempt("link", action, () => fs.linkSync(hidden, target));
      fs.unlinkSync(hidden);
    }
  } catch (error) {
    try {
      fs.unlinkSync(hidden);
    } catch {
      // It has its name already, or its folder is gone.
    }
    throw error;
  }
}

function fill(
  source: number,
  out: number,
  size: number,
  progress: TransferProgress,
  action: string,
): void {
  const { readSync, writeSync } = builtin("fs");
  const memory = new Uint8Array(Math.min(CHUNK, size));
  while (progress.bytes < size) {
    const most = Math.min(memory.length, size - progress.bytes);
    const count = attempt("read", action, () => readSync(source, memory, 0, most, progress.bytes));
    if (count === 0) return;
    for (let at = 0; at < count;) {
      at += attempt("write", action, () => writeSync(out, memory, at, count - at));
    }
    progress.moved(count, "copy");
  }
}

/** Sets the attributes of the file, and syncs it if requested. */
function complete(
  source: number,
  out: number,
  mode: number,
  options: CopySyncOptions,
  action: string,
): void {
  const fs = builtin("fs");
  if (options.mode !== false) {
    try {
      fs.fchmodSync(out, mode & PERMISSIONS);
    } catch (error) {
      if (!REFUSED.has(String((error as NodeJS.ErrnoException).code))) throw error;
    }
  }
  if (options.times === true) {
    const { atime, mtime } = fs.fstatSync(source);
    attempt("futimes", action, () => fs.futimesSync(out, atime, mtime));
  }
  if (options.durable === true) attempt("fsync", action, () => fs.fsyncSync(out));
}

/** Makes a call of the runtime, and converts its error. */
function attempt<T>(syscall: string, action: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw asSyscallError(error as Error, syscall, action);
  }
}
