/// <reference lib="esnext.disposable" preserve="true" />
/** Memory that threads and processes share by descriptor. @module */

import { builtin } from "../../builtins.ts";
import { describe, wholeNumber } from "../../options.ts";
import { addSeals, seals } from "../../sys/file/allocation.ts";
import type { FdLike } from "../../sys/fd.ts";
import { libc } from "../../sys/libc.ts";
import { MemoryAdvice, Seal } from "../../sys/flags/memory.ts";
import * as raw from "../../sys/raw/mod.ts";
import { adopt, ALL, type MapAccess, onPages, openState, stateOf } from "./mapping_state.ts";
import { watchDropped } from "./dropped.ts";
import { protect } from "./file_pages.ts";
import { mapAnonymous } from "./map_file.ts";
import { MADE, Mapping } from "./mapping.ts";
import { assertGrows, createMemory, openMemory } from "./memory_file.ts";
import { resize } from "./resize.ts";

/** Options of {@linkcode MappedMemory.allocate}. */
export interface MemoryOptions {
  /**
   * Whether the memory has a descriptor, so that other threads and processes can map it.
   *
   * @default {true}
   */
  shared?: boolean | undefined;
  /** Name in `/proc/self/maps`; at most 249 bytes. @default {"sluice"} */
  name?: string | undefined;
  /**
   * `"transparent"`: huge pages if the system has some available. `"2MB"`, `"1GB"`: pages of that
   * size from the reserved pool; the length is rounded up to a multiple of it.
   *
   * @default {ordinary pages}
   */
  hugePages?: "transparent" | "2MB" | "1GB" | undefined;
}

/** Operations that a seal forbids; see {@linkcode MappedMemory.seal}. */
export type MemorySeal = "grow" | "write" | "future-write" | "seal";

const SEALS: Record<MemorySeal, number> = {
  grow: Seal.GROW,
  write: Seal.WRITE,
  "future-write": Seal.FUTURE_WRITE,
  seal: Seal.SEAL,
};

/** Binary logarithm of the page size, for the flags of `mmap()` and `memfd_create()`. */
const HUGE: Record<string, number> = { "2MB": 21, "1GB": 30 };

/**
 * Memory outside the runtime: beyond its size limits, or shared with other threads and processes.
 *
 * Shared memory is a file without a name (memfd). Memory from {@linkcode MappedMemory.allocate} is
 * sealed against shrinking, so touching it never raises a signal. Memory that others created is
 * guarded like a mapped file. To share memory, pass its descriptor number to a Worker, or let a
 * child process inherit the descriptor or open {@linkcode MappedMemory.path}; the other side calls
 * {@linkcode MappedMemory.open}. `Atomics` on typed arrays of its bytes are atomic between all of
 * them.
 *
 * @example Share memory with a Worker
 * ```ts ignore
 * const memory = MappedMemory.allocate(1 << 20);
 * new Worker(url, { workerData: memory.fd });   // there: MappedMemory.open(workerData)
 * ```
 */
export class MappedMemory extends Mapping {
  private constructor(made: typeof MADE) {
    super();
    if (made === MADE) return;
    throw new TypeError("Cannot construct a MappedMemory: use MappedMemory.allocate(length)");
  }

  /**
   * Allocates zeroed memory. A page takes memory once you first store into it.
   *
   * @param length Bytes, a safe integer >= 0.
   * @param options Default: shared, in ordinary pages.
   * @returns The memory; close it, or declare it with `using`. Other mappings of it stay.
   *
   * @throws {TypeError} When an option has the wrong type.
   * @throws {RangeError} When `length` is not a safe integer >= 0.
   * @throws {SyscallError} `ENOMEM` when memory, mappings or the pool of huge pages run out;
   * `EFBIG` beyond `RLIMIT_FSIZE` (on Deno, SIGXFSZ ends the process instead); `EINVAL` for a longer
   * name, or a huge page size that the processor lacks; `EMFILE`.
   * @throws {UnsupportedError} Without foreign calls.
   */
  static allocate(length: number, options: MemoryOptions = {}): MappedMemory {
    const { shared = true, name = "sluice", hugePages } = options;
    const action = "allocate memory";
    wholeNumber(length, "length", action);
    if (typeof shared !== "boolean" || typeof name !== "string") {
      throw new TypeError(`Cannot ${action}: shared must be a boolean, and name a string`);
    }
    if (hugePages !== undefined && hugePages !== "transparent" && !Object.hasOwn(HUGE, hugePages)) {
      throw new TypeError(
        `Cannot ${action}: hugePages must be "transparent", "2MB" or "1GB", not ` +
          describe(hugePages),
      );
    }
    libc();
    const shift = HUGE[hugePages ?? ""];
    const pageSize = shift === undefined ? raw.pageSize() : 2 ** shift;
    const size = shift === undefined ? length : Math.ceil(length / pageSize) * pageSize;
    const memory = new MappedMemory(MADE);
    const state = shared ? createMemory(size, name, shift) : mapAnonymous(size, pageSize, shift);
    adopt(memory, state);
    watchDropped(memory, state.name, state.length);
    if (hugePages === "transparent") memory.advise("hugepage");
    // An empty pool is an error now instead of a signal later.
    if (shift !== undefined) populate(memory);
    return memory;
  }

  /**
   * Maps memory that another thread or process created.
   *
   * @param memory Descriptor, or {@linkcode MappedMemory.path} of the other process. You may close
   * the descriptor afterwards.
   * @param options `access`: `"write"` (default), `"read"` or `"copy-on-write"`, as for
   * `MappedFile.open()`.
   * @returns A separate mapping; close it.
   *
   * @throws {TypeError} When an argument has the wrong type.
   * @throws {SyscallError} `EINVAL` when the file is not shared memory; `EPERM` when it is sealed
   * against writing; `ENOENT`, `EACCES` for the path; `EBADF`; `ENOMEM`.
   */
  static open(
    memory: FdLike | string,
    options: { access?: MapAccess | undefined } = {},
  ): MappedMemory {
    const { access = "write" } = options;
    if (access !== "read" && access !== "write" && access !== "copy-on-write") {
      throw new TypeError(`Cannot open memory with access ${describe(access)}`);
    }
    libc();
    const mapping = new MappedMemory(MADE);
    const state = openMemory(memory, access);
    adopt(mapping, state);
    watchDropped(mapping, state.name, state.length);
    return mapping;
  }

  /** Descriptor of shared memory, valid until `close()`; -1 without one. */
  get fd(): number {
    return openState(this)?.file?.fd ?? -1;
  }

  /**
   * Path by which another process of the same user opens the memory; `undefined` without a
   * descriptor.
   */
  get path(): string | undefined {
    return this.fd < 0 ? undefined : `/proc/${builtin("process").pid}/fd/${this.fd}`;
  }

  /** Seals in force, for all mappings of the memory. */
  get seals(): readonly (MemorySeal | "shrink")[] {
    if (this.fd < 0) return [];
    const bits = seals(this.fd);
    const names = Object.keys(SEALS) as MemorySeal[];
    const set: (MemorySeal | "shrink")[] = names.filter((name) => (bits & SEALS[name]) !== 0);
    return (bits & Seal.SHRINK) === 0 ? set : [...set, "shrink"];
  }

  /**
   * Forbids changes, for all mappings and forever.
   *
   * @param names `"write"`: the bytes; later stores into this mapping stay in it. `"future-write"`:
   * the bytes, except through existing mappings. `"grow"`: the length. `"seal"`: further seals.
   *
   * @throws {TypeError} When the memory is closed or not shared, or the seal is unknown.
   * @throws {SyscallError} `EBUSY` for `"write"` while another mapping is writable, or an operation
   * uses the memory; `EPERM` when sealed against seals.
   *
   * @see {@link https://man7.org/linux/man-pages/man2/F_GET_SEALS.2const.html}
   */
  seal(...names: readonly MemorySeal[]): void {
    const state = stateOf(this, "seal");
    const wrong = names.find((name) => !Object.hasOwn(SEALS, name));
    if (wrong !== undefined || state.file === undefined) {
      throw new TypeError(
        `Cannot seal ${state.name}${wrong === undefined ? "" : ` against ${describe(wrong)}`}: ` +
          `expected shared memory and some of ${Object.keys(SEALS)}`,
      );
    }
    const bits = names.reduce((sum, name) => sum | SEALS[name], 0);
    const freezes = (bits & Seal.WRITE) !== 0 && state.access === "write";
    if (freezes) protect(state, "read", ALL);
    try {
      addSeals(state.file.fd, bits);
    } catch (error) {
      if (freezes) protect(state, "write", ALL);
      throw error;
    }
    if (freezes) adopt(this, { ...state, access: "read" });
  }

  /**
   * Extends the memory; memory that is not shared can also shrink. Detaches every array that shows
   * it. Other mappings of shared memory keep their length.
   *
   * @param length New length in bytes.
   *
   * @throws {TypeError} When the memory is closed.
   * @throws {RangeError} When `length` is not a safe integer, or would shrink shared memory.
   * @throws {SyscallError} `EPERM` when sealed against growing, or against writing; `ENOMEM`; `EFBIG`
   * (SIGXFSZ on Deno). The memory is then unchanged.
   */
  resize(length: number): void {
    const state = stateOf(this, "resize");
    const { pageSize } = state;
    wholeNumber(length, "length", "resize memory");
    if (state.file !== undefined && length < state.length) {
      throw new RangeError(
        `Cannot resize ${state.name} to ${length} bytes: shared memory cannot shrink`,
      );
    }
    if (state.file !== undefined && length > state.length) assertGrows(state.file, state, length);
    if (pageSize === raw.pageSize()) return resize(this, length);
    resize(this, Math.ceil(length / pageSize) * pageSize);
    populate(this);
  }
}

/** Takes huge pages from their pool; if the pool lacks them, closes the memory. */
function populate(memory: MappedMemory): void {
  const state = stateOf(memory, "allocate");
  try {
    onPages(state, ALL, "madvise", `allocate ${state.name}`, (region, start, length) => {
      return raw.madvise(region, start, length, MemoryAdvice.POPULATE_WRITE);
    });
  } catch (error) {
    memory.close();
    throw error;
  }
}
