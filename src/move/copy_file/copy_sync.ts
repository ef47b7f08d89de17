/** Copies files on the calling thread: `copyFileSync`. @module */

import { guardsPaths } from "../../../ffi/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { type Checked, type Names, ownOptions } from "../../checked.ts";
import { ENOENT } from "../../errno.ts";
import { checkObject, mustBe } from "../../options.ts";
import { fileSystemOf } from "../../sys/file/mounts.ts";
import { factsOf, type FileFacts, FileType } from "../../sys/file/statx.ts";
import { available } from "../../sys/libc.ts";
import { close, open } from "../../sys/raw/mod.ts";
import { cloneWhole, copySparse, copyWhole } from "../../threads/blocking/copy_whole.ts";
import { isTraced } from "../engine/diagnostics.ts";
import { OPENING } from "../../threads/blocking/opening.ts";
import { TransferProgress } from "../engine/progress.ts";
import type { CopyReport } from "./copy_file.ts";
import type { CopyMethod } from "./data.ts";
import { namingOf } from "./destination.ts";
import { temporaryBase } from "./name.ts";
import { PERMISSIONS } from "./open.ts";
import { type CopySyncOptions, pathOf } from "./options.ts";
import { mayShare } from "./small.ts";
import { copyByRuntime } from "./sync_by_runtime.ts";

const NAMES: Names<CopySyncOptions> = { overwrite: true, mode: true, times: true, durable: true };

/**
 * Copies a file on the calling thread, which waits for the disk. Use it in command-line programs and
 * while a program starts; a server calls {@linkcode copyFile}.
 *
 * As with `copyFile`, the target appears under its name only when it is complete, and a failure leaves
 * nothing behind. Holes stay holes. Links are followed, at both ends; a link that leads nowhere is
 * replaced. Without foreign calls, and with `times` or `durable`, the incomplete file is named
 * `.name.*.sluice`, and holes are filled.
 *
 * @param from Path or `file:` URL of a file.
 * @param to Path or `file:` URL of the copy; not a folder, a device or a FIFO.
 * @param options Whether to replace a file, and what else to copy.
 *
 * @throws {TypeError} When an argument has the wrong type.
 * @throws {SyscallError} `ENOENT`, `EACCES` and others for a path; `EISDIR` for a folder; `EINVAL`
 * when one of them is no file, or when both are the same file; `EEXIST` without `overwrite`;
 * `ENOSPC`, `EIO`.
 * @throws {TruncatedError} When the source was truncated.
 *
 * @example Keep the last version of a file
 * ```ts ignore
 * copyFileSync("settings.json", "settings.json.old", { times: true });
 * ```
 */
export function copyFileSync(
  from: string | URL,
  to: string | URL,
  options: CopySyncOptions = {},
): CopyReport {
  const own = checkOptions(options);
  const source = pathOf(from, "from");
  const target = pathOf(to, "to");
  const { times = false, durable = false } = own;
  const able = platform.os === "linux" && available() && !guardsPaths();
  const simple = !times && !durable && !isTraced();
  return (able && simple ? copyByCalls(source, target, own) : undefined) ??
    copyByRuntime(source, target, own);
}

function checkOptions(given: CopySyncOptions): Checked<CopySyncOptions> {
  const action = "copy a file";
  const options = ownOptions(given, NAMES);
  checkObject(options, action);
  for (const [name, value] of Object.entries(options)) {
    mustBe(value === undefined || typeof value === "boolean", action, name, "a boolean", value);
  }
  return options;
}

/** Returns `undefined` if that failed; the runtime then finds the reason, or a way. */
function copyByCalls(
  from: string,
  to: string,
  options: CopySyncOptions,
): CopyReport | undefined {
  if (to.endsWith("/")) return undefined;
  const source = open(from, OPENING, 0);
  if (source < 0) return undefined;
  const { PATH, DIRECTORY, CLOEXEC } = platform.open;
  const folder = open(builtin("path").dirname(to), PATH | DIRECTORY | CLOEXEC, 0);
  try {
    const facts = factsOf(source);
    if (folder < 0 || typeof facts === "number") return undefined;
    return copyOpen(source, facts, folder, to, options);
  } finally {
    close(source);
    if (folder >= 0) close(folder);
  }
}

function copyOpen(
  source: number,
  { type, size, blocks, mode, dev, ino }: FileFacts,
  folder: number,
  path: string,
  options: CopySyncOptions,
): CopyReport | undefined {
  // A file without blocks may be longer than it says.
  if (type !== FileType.REGULAR || blocks === 0) return undefined;
  const name = builtin("path").basename(path);
  const found = factsOf(folder, name);
  const facts = found === ENOENT ? undefined : found;
  const { overwrite = true } = options;
  if (typeof facts === "number") return undefined;
  if (facts !== undefined) {
    if (facts.type !== FileType.REGULAR || !overwrite) return undefined;
    if (facts.dev === dev && facts.ino === ino) return undefined;
  }
  const fileSystem = fileSystemOf(folder);
  const progress = new TransferProgress({}, size);
  const permissions = options.mode === false ? -1 : mode & PERMISSIONS;
  const naming = namingOf({ path, facts, folder: { fd: folder, fileSystem } }, size, overwrite);
  const names = [folder, temporaryBase(name), name, permissions, naming] as const;
  if (mayShare(dev, fileSystem, size) && cloneWhole(source, ...names) >= 0) {
    return reportOf(progress, size, "reflink");
  }
  const copied = blocks * 512 < size
    ? copySparse(source, size, ...names)
    : copyWhole(source, size, ...names, 0, -1, -1);
  return copied < 0 ? undefined : reportOf(progress, copied, "copy");
}

function reportOf(progress: TransferProgress, bytes: number, method: CopyMethod): CopyReport {
  progress.moved(bytes, method);
  progress.publish(undefined);
  return { bytes, durationMs: progress.elapsedMs, method, methods: [method] };
}
