/// <reference lib="esnext.disposable" preserve="true" />
/** Memory-mapped files. @module */

import { checkObject, wholeNumber } from "../../options.ts";
import type { FdLike } from "../../sys/fd.ts";
import { FileAdvice } from "../../sys/flags/file.ts";
import { libc } from "../../sys/libc.ts";
import * as raw from "../../sys/raw/mod.ts";
import { bringIn } from "../../page_cache/prefetch.ts";
import {
  adopt,
  type MapAccess,
  type MappedRange,
  openState,
  ownRange,
  pagesOf,
  stateOf,
} from "./mapping_state.ts";
import { watchDropped } from "./dropped.ts";
import { dropCache, flush, flushElsewhere, protect, withFile } from "./file_pages.ts";
import { MADE, Mapping } from "./mapping.ts";
import { openFile } from "./open_file.ts";
import { mapFitted, resize, type Wanted } from "./resize.ts";

/** Options of {@linkcode MappedFile.open}. */
export interface MapOptions {
  /**
   * Effect of stores. `"read"`: none lasting, but a page that you store into no longer shows what
   * others write to the file. `"write"`: they reach the file and all its mappings.
   * `"copy-on-write"`: they stay in this mapping.
   *
   * @default {"read"}
   */
  access?: MapAccess | undefined;
  /** First byte of the file, a safe integer >= 0; need not be page-aligned. @default {0} */
  offset?: number | undefined;
  /**
   * Bytes, a safe integer >= 0. With `"write"`, a shorter file grows.
   *
   * @default {up to the end of the file}
   */
  length?: number | undefined;
  /**
   * Whether stores are durable once the processor has written them back (`MAP_SYNC`). Needs access
   * `"write"` and persistent memory (DAX).
   *
   * @default {false}
   */
  sync?: boolean | undefined;
}

/** Options of {@linkcode MappedFile.flush}. */
export interface FlushOptions {
  /** Whether to wait in another thread; the call then returns a promise. @default {false} */
  async?: boolean | undefined;
}

/**
 * A memory-mapped file.
 *
 * The system reads pages when you touch them, and drops them when it needs memory, so a file may be
 * far larger than memory. A slow disk blocks the thread that touches the page: see
 * {@linkcode MappedFile.prefetch}.
 *
 * If another process truncates the file, bytes past its new end read as zeroes, and the next call
 * throws `TruncatedError`; your process continues. Without the fault guard, touching such bytes
 * ends the process: see `capabilities().faultGuard`.
 *
 * @example Read a file that is larger than memory
 * ```ts ignore
 * using map = MappedFile.open("weights.bin");
 * const weights = new Float32Array(map.bytes.buffer, map.bytes.byteOffset, map.length / 4);
 * ```
 */
export class MappedFile extends Mapping {
  private constructor(made: typeof MADE) {
    super();
    if (made === MADE) return;
    throw new TypeError("Cannot construct a MappedFile: use MappedFile.open(path)");
  }

  /**
   * Maps a file without reading it.
   *
   * Synchronous: the thread waits while the file system opens the file and tells its size. That takes
   * microseconds on a local disk, and as long as the server likes on NFS, SMB and FUSE. So does touching
   * pages that are not in memory, and {@linkcode Mapping.close}.
   *
   * The mapping keeps one descriptor open until {@linkcode Mapping.close}. A process may have about
   * 65,000 mappings.
   *
   * @param file Path, `file:` URL, or a descriptor or `FileHandle` opened with the access needed
   * (for `"write"`, reading and writing). You may close it afterwards.
   * @param options Default: the whole file, for reading.
   * @returns The mapping; close it, or declare it with `using`.
   *
   * @throws {TypeError} When an option or `file` has the wrong type.
   * @throws {RangeError} When the range is outside the file.
   * @throws {SyscallError} `ENOENT`, `EACCES` and others for the path; `EACCES` when a descriptor
   * lacks the access; `ENODEV` for a pipe, a socket, a device without pages or a procfs file;
   * `EISDIR`; `EPERM` for a sealed memfd and `"write"`; `ENOMEM` when addresses or mappings run
   * out; `EOPNOTSUPP` for `sync` on an ordinary disk; `ENOSPC`, `EFBIG` when the file cannot grow
   * (on Deno, SIGXFSZ at `RLIMIT_FSIZE`).
   * @throws {UnsupportedError} Without foreign calls.
   *
   * @see {@link https://man7.org/linux/man-pages/man2/mmap.2.html}
   */
  static open(file: string | URL | FdLike, options: MapOptions = {}): MappedFile {
    const { access, offset, length, sync } = checkOptions(options);
    libc();
    const opened = openFile(file, access === "write");
    try {
      const mapping = new MappedFile(MADE);
      const state = mapFitted(opened, { access, offset, length, sync });
      adopt(mapping, state);
      watchDropped(mapping, opened.name, state.length);
      return mapping;
    } catch (error) {
      opened.close();
      throw error;
    }
  }

  /** Effect of stores; `"read"` when closed. */
  get access(): MapAccess {
    return openState(this)?.access ?? "read";
  }

  /** First byte of the mapping within the file. */
  get offset(): number {
    return openState(this)?.offset ?? 0;
  }

  /**
   * Writes stored bytes to the disk, and waits. Does nothing unless the access is `"write"`.
   *
   * @param range Default: the whole mapping. With `async`, always the whole file.
   * @param options With `async`, the thread for blocking calls waits instead of yours.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is outside the mapping.
   * @throws {TruncatedError} When the file has been truncated: stores are lost.
   * @throws {SyscallError} `EIO`, `ENOSPC`, `EDQUOT` when writing failed.
   *
   * @see {@link https://man7.org/linux/man-pages/man2/msync.2.html}
   */
  flush(range?: MappedRange, options?: FlushOptions & { async?: false | undefined }): void;
  /** The same, in another thread. */
  flush(range: MappedRange | undefined, options: FlushOptions & { async: true }): Promise<void>;
  flush(range?: MappedRange, options: FlushOptions = {}): void | Promise<void> {
    checkObject(options, "flush");
    const { async = false } = options;
    const own = ownRange(range);
    return async ? flushElsewhere(this, own) : flush(stateOf(this, "flush"), own);
  }

  /**
   * Starts to read a range into memory. Does not block the event loop.
   *
   * @param range Default: the whole mapping.
   * @returns Resolves when the pages are in the page cache, as far as they fit.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is outside the mapping.
   * @throws {TruncatedError} When the file was found to be truncated.
   * @throws {SyscallError} `EIO` when the disk fails.
   */
  async prefetch(range?: MappedRange): Promise<void> {
    const own = ownRange(range);
    const state = stateOf(this, "prefetch");
    const { start, length } = pagesOf(state, own);
    if (length === 0) return;
    const from = state.offset - state.delta + start;
    raw.posixFadvise(state.file!.fd, from, length, FileAdvice.WILLNEED);
    await withFile(state, (fd) => bringIn(fd, from, length));
  }

  /**
   * Writes stored bytes to the disk, then drops a range from memory and from the page cache.
   *
   * With `"read"`, pages that you stored into show the file again. With `"copy-on-write"`, pages
   * that the mapping has touched stay.
   *
   * @param range Default: the whole mapping.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is outside the mapping.
   * @throws {TruncatedError} When the file has been truncated.
   * @throws {SyscallError} `EINVAL` for locked pages; as {@linkcode flush}.
   */
  dropCache(range?: MappedRange): void {
    const own = ownRange(range);
    dropCache(stateOf(this, "drop"), own);
  }

  /**
   * Keeps stores into a range away from the file, or lets them reach it again. Only for access
   * `"write"`.
   *
   * @param access `"read"`: later stores stay in this mapping, page by page. `"write"`: the range
   * shows the file again and stores reach it; stores made meanwhile are discarded.
   * @param range Default: the whole mapping. Resizing undoes the protection.
   *
   * @throws {TypeError} When the mapping is closed, or its access is not `"write"`.
   * @throws {RangeError} When the range is outside the mapping.
   * @throws {TruncatedError} When the file was found to be truncated.
   * @throws {SyscallError} `ENOMEM` if the system reserves memory for private pages; `EPERM` when
   * sealed.
   */
  protect(access: "read" | "write", range?: MappedRange): void {
    const own = ownRange(range);
    protect(stateOf(this, "protect"), access, own);
  }

  /**
   * Maps more or less of the file. Detaches every array that shows the mapping.
   *
   * With `"write"`, a shorter file grows, and a file that ended with the mapping is cut to the new
   * end. Otherwise the file does not change. Resizing clears the state of a truncated mapping.
   *
   * @param length New length in bytes.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When `length` is not a safe integer >= 0, or exceeds the file.
   * @throws {SyscallError} As {@linkcode MappedFile.open}; the mapping is then unchanged.
   */
  resize(length: number): void {
    resize(this, length);
  }
}

function checkOptions({ access = "read", offset = 0, length, sync = false }: MapOptions): Wanted {
  const action = "map a file";
  if (access !== "read" && access !== "write" && access !== "copy-on-write") {
    throw new TypeError(
      `Cannot ${action}: access must be "read", "write" or "copy-on-write", not ${String(access)}`,
    );
  }
  if (typeof sync !== "boolean" || (sync && access !== "write")) {
    throw new TypeError(`Cannot ${action}: sync must be a boolean, and needs access "write"`);
  }
  wholeNumber(offset, "offset", action);
  if (length !== undefined) wholeNumber(length, "length", action);
  return { access, offset, length, sync };
}
