/// <reference lib="esnext.disposable" preserve="true" />
/** Files as memory. @module */

import { wholeNumber } from "../../options.ts";
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
import { mapFile } from "./map_file.ts";
import { Mapping } from "./mapping.ts";
import { openFile } from "./open_file.ts";
import { fit, resize, type Wanted } from "./resize.ts";

/** How a file is mapped. */
export interface MapOptions {
  /**
   * What stores do. `"read"`: nothing lasting; a page that was stored into no longer shows what others
   * write to the file. `"write"`: they reach the file, and all who map it. `"copy-on-write"`: they stay
   * in this mapping.
   *
   * @default {"read"}
   */
  access?: MapAccess | undefined;
  /** First byte of the file, a safe integer >= 0; any, not only the first of a page. @default {0} */
  offset?: number | undefined;
  /**
   * Bytes, a safe integer >= 0. With `"write"` a file that is shorter grows.
   *
   * @default {up to the end of the file}
   */
  length?: number | undefined;
  /**
   * Whether stores are durable once the processor has written them back (`MAP_SYNC`): with `"write"`,
   * on persistent memory (DAX) alone.
   *
   * @default {false}
   */
  sync?: boolean | undefined;
}

/** How a mapping is flushed. */
export interface FlushOptions {
  /** Whether to wait in another thread; the call then returns a promise. @default {false} */
  async?: boolean | undefined;
}

/**
 * A file as memory.
 *
 * The system reads pages in as they are touched, and forgets them when it needs the room: a file may
 * be far larger than memory. What is slow about the disk happens on the thread that touches: see
 * {@linkcode MappedFile.prefetch}.
 *
 * When somebody makes the file shorter, bytes behind its new end read as zeroes, and the next call
 * throws `TruncatedError`; the process goes on. (Without the fault guard, touching such bytes ends it:
 * `capabilities().faultGuard` tells.)
 *
 * @example Read a file that is larger than memory
 * ```ts ignore
 * using map = MappedFile.open("weights.bin");
 * const weights = new Float32Array(map.bytes.buffer, map.bytes.byteOffset, map.length / 4);
 * ```
 */
export class MappedFile extends Mapping {
  /**
   * Maps a file, at once and without reading it.
   *
   * Synchronous: the thread waits while the file system opens the file and tells its size. That takes
   * microseconds on a local disk, and as long as the server likes on NFS, SMB and FUSE. So does touching
   * pages that are not in memory, and {@linkcode Mapping.close}.
   *
   * One open file is kept until {@linkcode Mapping.close}. The process may have about 65,000 mappings.
   *
   * @param file Path, `file:` URL, or a descriptor or `FileHandle` that is open as the access needs
   * it (for `"write"`, for reading and writing) and may be closed afterwards.
   * @param options Default: all of the file, for reading.
   * @returns The mapping; close it, or declare it with `using`.
   *
   * @throws {TypeError} When an option or `file` is of the wrong kind.
   * @throws {RangeError} When the range is not inside the file.
   * @throws {SyscallError} `ENOENT`, `EACCES` and the like for the path; `EACCES` when a descriptor is
   * not open as needed; `ENODEV` for a pipe, a socket, a device without pages or a file of procfs;
   * `EISDIR`; `EPERM` for a sealed memfd and `"write"`; `ENOMEM` when there are no addresses, or too
   * many mappings; `EOPNOTSUPP` for `sync` on an ordinary disk; `ENOSPC`, `EFBIG` when it cannot grow (SIGXFSZ
   * on Deno, at `RLIMIT_FSIZE`).
   * @throws {UnsupportedError} When the system cannot be called.
   *
   * @see {@link https://man7.org/linux/man-pages/man2/mmap.2.html}
   */
  static open(file: string | URL | FdLike, options: MapOptions = {}): MappedFile {
    const { access, offset, length, sync } = checkOptions(options);
    libc();
    const opened = openFile(file, access === "write");
    try {
      const range = fit(opened, { access, offset, length, sync });
      const mapping = new MappedFile();
      adopt(mapping, mapFile(opened, range));
      watchDropped(mapping, opened.name, range.length);
      return mapping;
    } catch (error) {
      opened.close();
      throw error;
    }
  }

  /** What stores do; `"read"` when closed. */
  get access(): MapAccess {
    return openState(this)?.access ?? "read";
  }

  /** First byte in the file. */
  get offset(): number {
    return openState(this)?.offset ?? 0;
  }

  /**
   * Writes what was stored to the disk, and waits for it. Does nothing unless the access is `"write"`.
   *
   * @param range Default: all. With `async` the whole file is written.
   * @param options With `async` the thread for blocking calls waits, and not this one.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is not inside the mapping.
   * @throws {TruncatedError} When the file is shorter: stores are lost.
   * @throws {SyscallError} `EIO`, `ENOSPC`, `EDQUOT` when writing failed.
   *
   * @see {@link https://man7.org/linux/man-pages/man2/msync.2.html}
   */
  flush(range?: MappedRange, options?: FlushOptions & { async?: false | undefined }): void;
  /** As above, in another thread. */
  flush(range: MappedRange | undefined, options: FlushOptions & { async: true }): Promise<void>;
  flush(range?: MappedRange, { async = false }: FlushOptions = {}): void | Promise<void> {
    const own = ownRange(range);
    return async ? flushElsewhere(this, own) : flush(stateOf(this, "flush"), own);
  }

  /**
   * Starts to read a range in, and tells when it is there. The event loop goes on meanwhile.
   *
   * @param range Default: all.
   * @returns Resolves when the pages are in the page cache, if they fit there.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is not inside the mapping.
   * @throws {TruncatedError} When the file was found to be shorter.
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
   * Takes a range out of memory and out of the page cache; what was stored is written before.
   *
   * With `"read"`, pages that were stored into show the file again. With `"copy-on-write"`, pages that
   * the mapping has touched stay.
   *
   * @param range Default: all.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is not inside the mapping.
   * @throws {TruncatedError} When the file is shorter.
   * @throws {SyscallError} `EINVAL` for what is locked; as {@linkcode flush}.
   */
  dropCache(range?: MappedRange): void {
    const own = ownRange(range);
    dropCache(stateOf(this, "drop"), own);
  }

  /**
   * Makes stores into a range harmless, or undoes that. For access `"write"` alone.
   *
   * @param access `"read"`: what is stored from now on stays in this mapping, page by page. `"write"`:
   * the file shows again, and stores reach it; what was stored meanwhile is gone.
   * @param range Default: all. Resizing undoes it.
   *
   * @throws {TypeError} When the mapping is closed, or its access is not `"write"`.
   * @throws {RangeError} When the range is not inside the mapping.
   * @throws {TruncatedError} When the file was found to be shorter.
   * @throws {SyscallError} `ENOMEM` where memory is set aside for private pages; `EPERM` when sealed.
   */
  protect(access: "read" | "write", range?: MappedRange): void {
    const own = ownRange(range);
    protect(stateOf(this, "protect"), access, own);
  }

  /**
   * Maps more or less of the file. Every array that shows the mapping is emptied.
   *
   * With `"write"` a file that is shorter grows; one that ended with the mapping is cut to its new
   * end. Otherwise the file stays as it is. A mapping that was found to be truncated is sound again.
   *
   * @param length New length in bytes.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When `length` is no safe integer >= 0, or the file has not so many bytes.
   * @throws {SyscallError} As {@linkcode MappedFile.open}; the mapping then stays as it is.
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
