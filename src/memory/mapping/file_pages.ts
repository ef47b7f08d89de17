/** Flushes, drops and protects the pages of a mapped file. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import type { Checked } from "../../checked.ts";
import { UnsupportedError } from "../../errors.ts";
import { describe } from "../../options.ts";
import { check } from "../../sys/check.ts";
import { FileAdvice } from "../../sys/flags/file.ts";
import { MemoryAdvice, MsyncFlag } from "../../sys/flags/memory.ts";
import { dupCloexec } from "../../sys/fd.ts";
import { mapOver } from "../../sys/raw/fixed.ts";
import * as raw from "../../sys/raw/mod.ts";
import { runBlocking } from "../../threads/blocking/blocking.ts";
import {
  type MappedRange,
  type MappingState,
  onPages,
  openState,
  pagesOf,
  stateOf,
  throwIfFaulted,
  throwIfShorter,
} from "./mapping_state.ts";

const { PRIVATE, SHARED, NORESERVE } = platform.map;
const READ_WRITE = 3;

/** Runs an operation on a duplicate of the descriptor, so the mapping may be closed meanwhile. */
export async function withFile<T>(
  state: MappingState,
  run: (fd: number) => Promise<T>,
): Promise<T> {
  const fd = dupCloexec(state.file!.fd);
  try {
    return await run(fd);
  } finally {
    raw.close(fd);
  }
}

/** Writes stored bytes to the disk, and waits. */
export function flush(state: MappingState, range: Checked<MappedRange>): void {
  const action = `flush ${state.name}`;
  const { length } = pagesOf(state, range);
  if (state.access !== "write" || length === 0) return;
  onPages(state, range, "msync", action, (region, start, count) => {
    return raw.msync(region, start, count, MsyncFlag.SYNC);
  });
  checkFlushed(state, range, action);
}

/** Like {@linkcode flush}, in the thread for blocking calls. */
export async function flushElsewhere(
  mapping: object,
  range: Checked<MappedRange>,
): Promise<void> {
  const state = stateOf(mapping, "flush");
  const action = `flush ${state.name}`;
  const { length } = pagesOf(state, range);
  if (state.access !== "write" || length === 0) return;
  try {
    // Stores into a shared mapping dirty the file's pages, as write(2) does.
    const result = await withFile(state, (fd) => runBlocking("fdatasync", fd));
    check(result, "fdatasync", () => action);
    if (state === openState(mapping)) checkFlushed(state, range, action);
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    // Without a thread, this one waits.
    if (state === openState(mapping)) flush(state, range);
  }
}

/** Detects stores past the end of the file, which are lost without an error. */
function checkFlushed(state: MappingState, range: Checked<MappedRange>, action: string): void {
  const { offset = 0, length = state.length - offset } = range;
  throwIfShorter(state, offset, length, action);
  throwIfFaulted(state, "flush");
}

/** Drops pages from memory and from the page cache. */
export function dropCache(state: MappingState, range: Checked<MappedRange>): void {
  const { start, length } = pagesOf(state, range);
  if (length === 0) return;
  flush(state, range);
  const action = `drop ${state.name} from memory`;
  // On private pages this discards stores, as intended for "read" but not for "copy-on-write".
  if (state.access !== "copy-on-write") {
    onPages(state, range, "madvise", action, (region, from, count) => {
      return raw.madvise(region, from, count, MemoryAdvice.DONTNEED);
    });
  }
  const from = state.offset - state.delta + start;
  check(
    raw.posixFadvise(state.file!.fd, from, length, FileAdvice.DONTNEED),
    "posix_fadvise",
    () => action,
  );
}

/** Replaces a range by a private or shared mapping, atomically. */
export function protect(
  state: MappingState,
  access: "read" | "write",
  range: Checked<MappedRange>,
): void {
  if (access !== "read" && access !== "write") {
    throw new TypeError(`Cannot protect with ${describe(access)}: expected "read" or "write"`);
  }
  if (state.access !== "write") {
    throw new TypeError(
      `Cannot protect ${state.name}: it is mapped with access "${state.access}", not "write"`,
    );
  }
  const flags = access === "write" ? SHARED : PRIVATE | NORESERVE;
  const { fd } = state.file!;
  onPages(state, range, "mmap", `protect ${state.name}`, (region, start, length) => {
    const from = state.offset - state.delta + start;
    return mapOver(region, start, length, READ_WRITE, flags, fd, from);
  });
}
