/** Copies a small, cached file at once, on this thread. @module */

import { builtin } from "../../builtins.ts";
import { ReadFlag } from "../../sys/flags/file.ts";
import { FileSystem, FileType } from "../../sys/file/statx.ts";
import type { Mount } from "../../sys/file/mounts.ts";
import { available } from "../../sys/libc.ts";
import { close } from "../../sys/raw/mod.ts";
import { waitsOfThread } from "../../sys/waits.ts";
import { copyWhole } from "../../threads/blocking/copy_whole.ts";
import { localFacts } from "../../threads/blocking/files.ts";
import { isInMemory, isMappedIn } from "../../page_cache/memory_files.ts";
import { isTraced } from "../engine/diagnostics.ts";
import { OPENING, openNow } from "../../threads/blocking/opening.ts";
import { LoopShare } from "../engine/loop_budget.ts";
import { TransferProgress } from "../engine/progress.ts";
import { closeFolder, namingOf, placeNow } from "./destination.ts";
import { temporaryBase } from "./name.ts";
import { PERMISSIONS } from "./open.ts";
import { type CopyOptions, isSimple } from "./options.ts";
import { mayShare } from "./small.ts";

/** Maximum bytes of a copy on this thread: waking another thread would take longer. */
const MOST_HERE = 1024 * 1024;

const share = new LoopShare(waitsOfThread);

/** A finished copy. */
export interface Copied {
  bytes: number;
  durationMs: number;
  method: "copy";
  methods: "copy"[];
}

/** Whether {@linkcode copyNow} is worth trying. */
export function mayCopyNow(options: CopyOptions): boolean {
  return share.calm && available() && isSimple(options) && options.signal?.aborted !== true &&
    !isTraced();
}

/**
 * Copies a file of at most 1 MiB if everything that it needs is cached, on file systems of this
 * machine. Waits for nothing but its share of the event loop.
 *
 * @returns `undefined` if nothing was copied. Then copy in the usual way, which also reports errors.
 */
export function copyNow(
  from: string,
  to: string,
  options: CopyOptions,
): Copied | undefined | Promise<Copied | undefined> {
  if (share.spent) return share.turn().then(() => copyNow(from, to, options));
  return share.spend(() => copy(from, to, options));
}

function copy(from: string, to: string, options: CopyOptions): Copied | undefined {
  const source = openNow(from, OPENING);
  if (typeof source !== "number") return undefined;
  try {
    const place = placeNow(to);
    if (place === undefined) return undefined;
    try {
      return copyOpen(source, place, options);
    } finally {
      closeFolder(place);
    }
  } finally {
    close(source);
  }
}

function copyOpen(
  source: number,
  place: NonNullable<ReturnType<typeof placeNow>>,
  options: CopyOptions,
): Copied | undefined {
  const known = localFacts(source);
  if (known === undefined) return undefined;
  const { type, size, blocks, mode, dev, ino } = known.facts;
  // A file without blocks may be longer than it says; one with fewer has holes.
  if (type !== FileType.REGULAR || size > MOST_HERE || blocks === 0 || blocks * 512 < size) {
    return undefined;
  }
  const { facts, folder } = place;
  const { overwrite = true } = options;
  if (facts !== undefined && (!overwrite || (facts.dev === dev && facts.ino === ino))) {
    return undefined;
  }
  const flags = readFlags(source, size, known.mount);
  if (flags === undefined || mayShare(dev, folder.fileSystem, size)) return undefined;
  const progress = new TransferProgress(options, size);
  const name = builtin("path").basename(place.path);
  const permissions = options.mode === false ? -1 : mode & PERMISSIONS;
  const naming = namingOf(place, size, overwrite);
  const hidden = temporaryBase(name);
  const args = [folder.fd, hidden, name, permissions, naming, flags, -1, -1] as const;
  if (copyWhole(source, size, ...args) < 0) return undefined;
  return reportOf(progress, size);
}

function reportOf(progress: TransferProgress, size: number): Copied {
  let error: Error | undefined;
  try {
    progress.moved(size, "copy");
  } catch (cause) {
    throw error = cause as Error;
  } finally {
    progress.publish(error);
  }
  return { bytes: size, durationMs: progress.elapsedMs, method: "copy", methods: ["copy"] };
}

/**
 * Flags that keep reads of a cached file from waiting: 0 if nothing can make them wait; `undefined` if
 * they would.
 */
function readFlags(file: number, size: number, { type, storage }: Mount): number | undefined {
  // These reject RWF_NOWAIT.
  if (storage === "memory") return isInMemory(file, 0, size) ? 0 : undefined;
  if (type === FileSystem.OVERLAY) return isMappedIn(file, 0, size) ? 0 : undefined;
  return ReadFlag.NOWAIT;
}
