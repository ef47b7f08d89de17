/** Copying files: `copyFile`. @module */

import { builtin } from "../builtins.ts";
import { errnoNumber, SyscallError } from "../errors.ts";
import { checkFlow, describe, type FlowOptions, type TransferResult } from "../options.ts";
import { available, libc } from "../sys/libc.ts";
import { copyRange } from "./copy.ts";
import { FileType } from "../sys/statx.ts";
import { copyData, type CopyMethod } from "./copy_data.ts";
import { factsOf, isRegular } from "./copy_source.ts";
import { type CopyTarget, makeTarget, type Place, placeOf } from "./copy_target.ts";
import { Flow } from "./flow.ts";
import { discard, snapshot } from "./generated.ts";
import { openFile } from "./source.ts";
import { fromDescriptor } from "./transfer_ends.ts";
import { floorSink } from "./transfer_floor.ts";

/** Options of {@linkcode copyFile}. */
export interface CopyOptions extends FlowOptions {
  /**
   * `"auto"` takes what is fastest here, and what works. Anything else is used, or the copy fails:
   * `"reflink"` shares the blocks (btrfs, XFS, bcachefs); `"range"` is copy_file_range(2);
   * `"sendfile"`; `"splice"` goes through a pipe; `"direct"` bypasses the page cache with `O_DIRECT`;
   * `"mmap"` maps the source and writes from there; `"copy"` reads and writes.
   *
   * @default {"auto"}
   */
  method?: CopyMethod | "auto" | undefined;
  /**
   * `"drop"` leaves in the page cache what was there before, and adds neither file to it.
   *
   * @default {"keep"}
   */
  cache?: "keep" | "drop" | undefined;
  /**
   * Whether the target has a temporary name in the same folder until it is complete. Without it an
   * existing target is emptied at once and filled in place: it keeps its owner, its other names and
   * whoever has it open, and others see half a file.
   *
   * @default {true}
   */
  atomic?: boolean | undefined;
  /** Whether a target that exists is replaced; `EEXIST` otherwise. @default {true} */
  overwrite?: boolean | undefined;
  /**
   * Whether the target gets the permission bits of the source, as with `fs.copyFile`, or those of any
   * new file.
   *
   * @default {true}
   */
  mode?: boolean | undefined;
  /** Whether the target gets the times of the source, to the microsecond. @default {false} */
  times?: boolean | undefined;
  /** Whether the disk must have the bytes before the target gets its name. @default {false} */
  durable?: boolean | undefined;
}

/** What a finished {@linkcode copyFile} reports; holes are not counted as bytes. */
export interface CopyReport extends TransferResult {
  /** What moved the last bytes: a {@linkcode CopyMethod}, or `"none"` when there were none. */
  method: CopyMethod | "none";
  /** All that moved some, in the order in which they did. */
  methods: CopyMethod[];
}

/**
 * Copies a file.
 *
 * The target appears under its name only when it is complete: whatever fails, aborts or fills the disk
 * leaves nothing behind, and what was there before stays. (Only the end of the process by `SIGKILL` or
 * a power cut leaves a `.name.*.sluice`.) Holes stay holes. The length is that of the source when it
 * was opened. The event loop waits for no disk.
 *
 * Links are followed, at both ends. A target that is a device or a FIFO is written to as it is. What
 * is copied of a file are its bytes, its permissions and, if asked for, its times.
 *
 * @param from Path or `file:` URL of a file.
 * @param to Path or `file:` URL of the copy; no folder.
 * @param options How to copy, and how to watch, slow down and stop it.
 *
 * @throws {TypeError} When an argument is of the wrong kind.
 * @throws {RangeError} When a number is outside its range.
 * @throws {SyscallError} `ENOENT`, `EACCES` ... for a path; `EISDIR` for a folder; `EINVAL` when `from` is
 * no file, when both are the same file, or `method` does not suit; `EEXIST`
 * without `overwrite`; `EOPNOTSUPP`, `EXDEV` for a reflink that cannot be; `ENOSPC`, `EFBIG`, `EIO`.
 * @throws {TruncatedError} When the source became shorter.
 * @throws {AbortError} When the signal fired; its reason is the `cause`.
 * @throws {UnsupportedError} When `method` cannot be used here.
 *
 * @example Copy without filling the page cache
 * ```ts ignore
 * await copyFile("database.bin", "backup.bin", { cache: "drop", maxRate: 50_000_000 });
 * ```
 */
export async function copyFile(
  from: string | URL,
  to: string | URL,
  options: CopyOptions = {},
): Promise<CopyReport> {
  checkOptions(options);
  const source = pathOf(from, "from");
  const target = pathOf(to, "to");
  const [file, place] = await Promise.allSettled([openFile(source), placeOf(target)]);
  if (file.status === "rejected") throw file.reason;
  try {
    if (place.status === "rejected") throw place.reason;
    return await copyOpen(file.value.fd, source, place.value, options);
  } finally {
    file.value.close();
  }
}

async function copyOpen(
  fd: number,
  name: string,
  place: Place,
  options: CopyOptions,
): Promise<CopyReport> {
  const stats = factsOf(fd);
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
  const { atomic = true, overwrite = true, mode = true, times = false, durable = false } = options;
  const generated = available() ? snapshot(fd, stats) : undefined;
  const size = generated?.size ?? stats.size;
  const occupied = generated === undefined ? stats.blocks * 512 : size;
  const flow = new Flow(options, Math.min(size, occupied === 0 ? size : occupied));
  let target: CopyTarget | undefined;
  let error: Error | undefined;
  try {
    if (flow.aborted) throw flow.abortError();
    target = await makeTarget(place, {
      atomic,
      overwrite,
      durable,
      mode: mode ? stats.mode : undefined,
      times: times ? stats : undefined,
    });
    await fill(generated?.fd ?? fd, target.fd, size, occupied, options, flow);
    if (flow.aborted) throw flow.abortError();
    await target.finish();
  } catch (cause) {
    await target?.discard();
    throw error = cause as Error;
  } finally {
    if (generated !== undefined) discard(generated);
    flow.finish(flow.method, error === undefined);
    flow.publish(error);
  }
  return {
    bytes: flow.bytes,
    method: flow.method as CopyReport["method"],
    methods: [...flow.methods] as CopyMethod[],
    durationMs: flow.elapsedMs,
  };
}

async function fill(
  source: number,
  target: number,
  size: number,
  occupied: number,
  options: CopyOptions,
  flow: Flow,
): Promise<void> {
  const { method = "auto", cache, chunkSize } = options;
  if (available()) {
    const drops = cache === "drop";
    return await copyData({ source, target, size, occupied, method, drops, chunkSize, flow });
  }
  // Throws, and says what is missing.
  if (method !== "auto" && method !== "copy") libc();
  await copyRange(source, { start: 0, length: size }, floorSink(target, 0), flow);
}

/** A device or a FIFO takes bytes; it is not replaced by a file. */
async function writeOnto(fd: number, path: string, options: CopyOptions): Promise<CopyReport> {
  const { constants } = builtin("fs");
  const flags = constants.O_WRONLY | constants.O_NONBLOCK;
  const { method, ...flow } = options;
  if (method !== undefined && method !== "auto" && method !== "copy") {
    throw refusal("EINVAL", `copy to ${describe(path)} by ${method}: it is not a file`);
  }
  const target = await openFile(path, flags);
  try {
    return await fromDescriptor(fd, target.fd, { ...flow, method });
  } finally {
    target.close();
  }
}

function refusal(code: string, action: string): SyscallError {
  return new SyscallError({ syscall: "open", errno: errnoNumber(code), action });
}

const METHODS = ["auto", "reflink", "range", "sendfile", "splice", "direct", "mmap", "copy"];

function checkOptions(options: CopyOptions): void {
  const action = "copy a file";
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot ${action}: options must be an object, not ${describe(options)}`);
  }
  checkFlow(options, action);
  const { method, cache, atomic, overwrite, mode, times, durable } = options;
  if (method !== undefined && !METHODS.includes(method)) {
    const known = METHODS.join(", ");
    throw new TypeError(
      `Cannot ${action}: method must be one of ${known}, not ${describe(method)}`,
    );
  }
  if (cache !== undefined && cache !== "keep" && cache !== "drop") {
    throw new TypeError(
      `Cannot ${action}: cache must be "keep" or "drop", not ${describe(cache)}`,
    );
  }
  for (const [name, value] of Object.entries({ atomic, overwrite, mode, times, durable })) {
    if (value !== undefined && typeof value !== "boolean") {
      throw new TypeError(`Cannot ${action}: ${name} must be a boolean, not ${describe(value)}`);
    }
  }
}

function pathOf(path: string | URL, name: string): string {
  if (path instanceof URL) return builtin("url").fileURLToPath(path);
  if (typeof path === "string" && path !== "" && !path.includes("\0")) return path;
  throw new TypeError(
    `Cannot copy a file: ${name} must be a path or a file: URL, not ${describe(path)}`,
  );
}
