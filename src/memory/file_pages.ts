/** The pages of a mapped file: writing them, dropping them, and what stores into them do. @module */

import { platform } from "../../ffi/platform/mod.ts";
import type { Checked } from "../checked.ts";
import { UnsupportedError } from "../errors.ts";
import { describe } from "../options.ts";
import { check } from "../sys/check.ts";
import { FileAdvice } from "../sys/file_flags.ts";
import { MemoryAdvice, MsyncFlag } from "../sys/memory_flags.ts";
import { dupCloexec } from "../sys/open.ts";
import { mapOver } from "../sys/raw/fixed.ts";
import * as raw from "../sys/raw/mod.ts";
import { runBlocking } from "../wait/blocking.ts";
import {
  type Core,
  coreOf,
  type MappedRange,
  onPages,
  openCore,
  pagesOf,
  throwIfFaulted,
  throwIfShorter,
} from "./core.ts";

const { PRIVATE, SHARED, NORESERVE } = platform.map;
const READ_WRITE = 3;

/** Runs an operation on a duplicate of the descriptor: the mapping may be closed meanwhile. */
export async function withFile<T>(core: Core, run: (fd: number) => Promise<T>): Promise<T> {
  const fd = dupCloexec(core.file!.fd);
  try {
    return await run(fd);
  } finally {
    raw.close(fd);
  }
}

/** Writes what was stored, and waits. */
export function flush(core: Core, range: Checked<MappedRange>): void {
  const action = `flush ${core.name}`;
  const { length } = pagesOf(core, range);
  if (core.access !== "write" || length === 0) return;
  onPages(core, range, "msync", action, (region, start, count) => {
    return raw.msync(region, start, count, MsyncFlag.SYNC);
  });
  checkFlushed(core, range, action);
}

/** As above, in the thread for blocking calls. */
export async function flushElsewhere(
  mapping: object,
  range: Checked<MappedRange>,
): Promise<void> {
  const core = coreOf(mapping, "flush");
  const action = `flush ${core.name}`;
  const { length } = pagesOf(core, range);
  if (core.access !== "write" || length === 0) return;
  try {
    // What is stored into a shared mapping are pages of the file, like what is written.
    const result = await withFile(core, (fd) => runBlocking("fdatasync", fd));
    check(result, "fdatasync", () => action);
    if (core === openCore(mapping)) checkFlushed(core, range, action);
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    // No thread to be had: then this one waits.
    if (core === openCore(mapping)) flush(core, range);
  }
}

/** Stores behind the end of the file are lost without an error. */
function checkFlushed(core: Core, range: Checked<MappedRange>, action: string): void {
  const { offset = 0, length = core.length - offset } = range;
  throwIfShorter(core, offset, length, action);
  throwIfFaulted(core, "flush");
}

/** Takes pages out of memory and out of the page cache. */
export function dropCache(core: Core, range: Checked<MappedRange>): void {
  const { start, length } = pagesOf(core, range);
  if (length === 0) return;
  flush(core, range);
  const action = `drop ${core.name} from memory`;
  // Of private pages it would drop what was stored: with "read" that is as it should be.
  if (core.access !== "copy-on-write") {
    onPages(core, range, "madvise", action, (region, from, count) => {
      return raw.madvise(region, from, count, MemoryAdvice.DONTNEED);
    });
  }
  const from = core.offset - core.delta + start;
  check(
    raw.posixFadvise(core.file!.fd, from, length, FileAdvice.DONTNEED),
    "posix_fadvise",
    () => action,
  );
}

/** Replaces the mapping of a range by a private or a shared one, in one step. */
export function protect(
  core: Core,
  access: "read" | "write",
  range: Checked<MappedRange>,
): void {
  if (access !== "read" && access !== "write") {
    throw new TypeError(`Cannot protect with ${describe(access)}: expected "read" or "write"`);
  }
  if (core.access !== "write") {
    throw new TypeError(
      `Cannot protect ${core.name}: it is mapped with access "${core.access}", not "write"`,
    );
  }
  const flags = access === "write" ? SHARED : PRIVATE | NORESERVE;
  const { fd } = core.file!;
  onPages(core, range, "mmap", `protect ${core.name}`, (region, start, length) => {
    const from = core.offset - core.delta + start;
    return mapOver(region, start, length, READ_WRITE, flags, fd, from);
  });
}
