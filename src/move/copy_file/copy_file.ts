/** Copies files: `copyFile`. @module */

import { builtin } from "../../builtins.ts";
import type { Checked } from "../../checked.ts";
import { describe, type TransferResult } from "../../options.ts";
import { available, libc } from "../../sys/libc.ts";
import { copyRange } from "../engine/portable_copy.ts";
import { type FileFacts, FileType } from "../../sys/file/statx.ts";
import { copyAtOnce } from "./small.ts";
import { copyData, type CopyMethod, SMALL } from "./data.ts";
import { checkOptions, type CopyOptions, isPlain, pathOf, refusal } from "./options.ts";
import { closeFolder, namingOf, type Place, placeOf, reserves } from "./destination.ts";
import { contentsOf, describeFile, isRegular } from "./source.ts";
import { PERMISSIONS } from "./open.ts";
import { copyNow, mayCopyNow } from "./now.ts";
import { makeTarget } from "./target.ts";
import { temporaryName } from "./name.ts";
import { TransferProgress } from "../engine/progress.ts";
import { discard } from "../engine/file/pseudo_files.ts";
import { openFile } from "../../threads/blocking/opening.ts";
import { portableSink } from "../engine/connection/sink.ts";
import { transfer } from "../transfer/transfer.ts";

/** Default options, already checked. */
const USUAL: Checked<CopyOptions> = checkOptions({});

/** Result of {@linkcode copyFile}; holes don't count as bytes. */
export interface CopyReport extends TransferResult {
  /** What moved the last bytes: a {@linkcode CopyMethod}, or `"none"` if there were none. */
  method: CopyMethod | "none";
  /** All methods that moved bytes, in the order of use. */
  methods: CopyMethod[];
}

/**
 * Copies a file.
 *
 * The target appears under its name only when it is complete. A failure, an abort or a full disk
 * leaves nothing behind, and an existing target stays as it was. Until then, the file has no name
 * at all if the file system supports that (`O_TMPFILE`: ext4, XFS, btrfs, tmpfs, overlayfs since
 * Linux 6.3), so nothing remains however the process ends. (A file that replaces another has two
 * names for some microseconds.) Otherwise, and without foreign calls, it is named `.name.*.sluice`,
 * and removed when the process exits or gets SIGHUP, SIGINT or SIGTERM; `SIGKILL` or a power cut
 * leaves it. Holes stay holes. The length is that of the source when it was opened.
 *
 * The event loop waits for no disk. As an exception, it copies up to 1 MiB of cached pages itself,
 * on a file system of this machine, because waking a thread would take longer. If two of
 * eight such copies take more than 5 ms, threads make them for the next 10 seconds.
 *
 * Links are followed, at both ends; a link that leads nowhere is replaced. If the target is a device
 * or a FIFO, the bytes are written to it. The copy gets the source's bytes, its permissions and, with `times`, its times.
 *
 * @param from Path or `file:` URL of a file.
 * @param to Path or `file:` URL of the copy; not a folder.
 * @param options Method, cache use, progress, rate limit, signal and more.
 *
 * @throws {TypeError} When an argument has the wrong type.
 * @throws {RangeError} When a number is out of range.
 * @throws {SyscallError} `ENOENT`, `EACCES` and others for a path; `EISDIR` for a folder; `EINVAL`
 * when `from` is not a file, when both are the same file, or when `method` does not fit; `EEXIST`
 * without `overwrite`; `EOPNOTSUPP`, `EXDEV` for an impossible reflink; `ENOSPC`, `EIO`; `EFBIG`
 * (on Deno, SIGXFSZ ends the process instead).
 * @throws {TruncatedError} When the source was truncated.
 * @throws {AbortError} When the signal fired; its reason is the `cause`.
 * @throws {UnsupportedError} When `method` is not available here.
 *
 * @example Copy without filling the page cache
 * ```ts ignore
 * await copyFile("database.bin", "backup.bin", { cache: "drop", maxRate: 50_000_000 });
 * ```
 */
export async function copyFile(
  from: string | URL,
  to: string | URL,
  options: CopyOptions = USUAL,
): Promise<CopyReport> {
  const own = options === USUAL ? USUAL : checkOptions(options);
  const source = pathOf(from, "from");
  const target = pathOf(to, "to");
  if (mayCopyNow(own)) {
    const copied = copyNow(source, target, own);
    const report = copied instanceof Promise ? await copied : copied;
    if (report !== undefined) return report;
  }
  const [file, place] = await Promise.allSettled([openFile(source), placeOf(target)]);
  try {
    if (file.status === "rejected") throw file.reason;
    if (place.status === "rejected") throw place.reason;
    return await copyOpen(file.value.fd, source, place.value, own);
  } finally {
    if (file.status === "fulfilled") file.value.close();
    if (place.status === "fulfilled") closeFolder(place.value);
  }
}

async function copyOpen(
  fd: number,
  name: string,
  place: Place,
  options: Checked<CopyOptions>,
): Promise<CopyReport> {
  const stats = await describeFile(fd, name);
  const action = `copy ${describe(name)}`;
  if (!isRegular(stats)) {
    throw refusal(stats.type === FileType.DIRECTORY ? "EISDIR" : "EINVAL", action);
  }
  const there = place.facts;
  if (there !== undefined) {
    const to = `${action} to ${describe(place.path)}`;
    if (there.type === FileType.DIRECTORY) throw refusal("EISDIR", `${to}, which is a folder`);
    if (there.dev === stats.dev && there.ino === stats.ino) {
      throw refusal("EINVAL", `${to}: they are the same file`);
    }
    if (there.type !== FileType.REGULAR) return await writeOnto(fd, place.path, options);
  }
  const generated = await contentsOf(fd, name, stats, options.signal ?? undefined);
  const size = generated?.size ?? stats.size;
  const occupied = generated === undefined ? stats.blocks * 512 : size;
  const total = Math.min(size, occupied === 0 ? size : occupied);
  const progress = new TransferProgress(options, total, "copyFile", name);
  try {
    return await progress.report<CopyMethod>(async () => {
      const whole = generated === undefined && occupied >= size && isPlain(options);
      if (whole && await atOnce({ fd, stats, place, options, progress })) return;
      const source = generated?.fd ?? fd;
      await stepByStep({ fd: source, stats, place, options, progress }, size, occupied);
    });
  } finally {
    if (generated !== undefined) discard(generated);
  }
}

/** A copy that is ready to start. */
interface Job {
  readonly fd: number;
  readonly stats: FileFacts;
  readonly place: Place;
  readonly options: Checked<CopyOptions>;
  readonly progress: TransferProgress;
}

async function atOnce({ fd, stats, place, options, progress }: Job): Promise<boolean> {
  const { folder, path } = place;
  if (folder === undefined) return false;
  const { basename } = builtin("path");
  return await copyAtOnce({
    source: fd,
    device: stats.dev,
    size: stats.size,
    folder,
    name: basename(path),
    hidden: basename(temporaryName(path)),
    mode: options.mode === false ? -1 : stats.mode & PERMISSIONS,
    naming: namingOf(place, stats.size),
    progress,
  });
}

async function stepByStep(
  { fd, stats, place, options, progress }: Job,
  size: number,
  occupied: number,
): Promise<void> {
  const { atomic = true, overwrite = true, mode = true, times = false, durable = false } = options;
  const plain = occupied >= size && isPlain({ ...options, overwrite: true });
  const target = await makeTarget(place, {
    reserve: plain && size > SMALL && reserves(place, size) ? size : 0,
    atomic,
    overwrite,
    durable,
    mode: mode ? stats.mode : undefined,
    times: times ? stats : undefined,
  });
  try {
    await fill(fd, target.fd, size, occupied, options, progress);
    if (progress.aborted) throw progress.abortError();
    await target.finish();
  } catch (cause) {
    await target.discard();
    throw cause;
  }
}

async function fill(
  source: number,
  target: number,
  size: number,
  occupied: number,
  options: Checked<CopyOptions>,
  progress: TransferProgress,
): Promise<void> {
  const { method = "auto", cache, chunkSize } = options;
  if (available()) {
    const drops = cache === "drop";
    return await copyData({ source, target, size, occupied, method, drops, chunkSize, progress });
  }
  // Throws an error that names what is missing.
  if (method !== "auto" && method !== "copy") libc();
  await copyRange(source, { start: 0, length: size }, portableSink(target, 0), progress);
}

/** Writes to a device or a FIFO, which is not replaced by a file. */
async function writeOnto(
  fd: number,
  path: string,
  options: Checked<CopyOptions>,
): Promise<CopyReport> {
  const { constants } = builtin("fs");
  const flags = constants.O_WRONLY | constants.O_NONBLOCK;
  const { method, signal, onProgress, maxRate, chunkSize } = options;
  if (method !== undefined && method !== "auto" && method !== "copy") {
    throw refusal("EINVAL", `copy to ${describe(path)} by ${method}: it is not a file`);
  }
  const target = await openFile(path, flags);
  try {
    return await transfer(fd, target.fd, { method, signal, onProgress, maxRate, chunkSize });
  } finally {
    target.close();
  }
}
