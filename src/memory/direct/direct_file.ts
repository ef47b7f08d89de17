/// <reference lib="esnext.disposable" preserve="true" />
/** Files that bypass the page cache. @module */

import { ownOptions } from "../../checked.ts";
import { checkObject, own, wholeNumber } from "../../options.ts";
import { checkOperation } from "./arguments.ts";
import type { DirectEngine } from "./backing.ts";
import type { Alignment, DirectMode } from "./channel.ts";
import { type DirectFileOptions, OPEN_OPTIONS, openChannel } from "./opening.ts";
import { Operations } from "./operations.ts";
import {
  type DirectReadable,
  type DirectReadableOptions,
  readable,
  READABLE_OPTIONS,
} from "./readable.ts";
import { type DirectWritableOptions, writable, WRITABLE_OPTIONS } from "./writable.ts";

/** Options of one operation. */
export interface DirectOptions {
  /**
   * Stops the operation. The promise settles once the memory is no longer in use. An operation that
   * has reached the disk runs to its end.
   */
  signal?: AbortSignal | undefined;
}

/**
 * Reads and writes a file past the page cache (`O_DIRECT`), so a backup, scan or log does not evict
 * pages that other programs use.
 *
 * io_uring runs the operations, else threads, else the runtime's own `fs`. Any number may be in flight.
 * Operations on {@linkcode AlignedBuffer} memory copy nothing if offset and length are multiples of
 * {@linkcode DirectFile.alignment}. Any other memory, offset and length works through an internal
 * buffer. Writing part of a block reads the block first. Writing part of a block past the end of
 * the file extends the file by a whole block, then truncates it.
 *
 * If the file system refuses `O_DIRECT`, operations use the page cache and drop their pages
 * afterwards; {@linkcode DirectFile.mode} reports this. Other descriptors of the same file see what
 * you write. If both change the same block at the same time, one change may be lost: open(2),
 * NOTES.
 *
 * A file that reports no length, as in procfs and on some FUSE servers, is read to its end all the
 * same, but never directly.
 *
 * While at least eight operations of up to 64 KiB are in flight, and the disk answers within half a
 * millisecond, the event loop polls instead of sleeping. Other work does not wait, but one
 * processor is busy.
 *
 * @example Hash a large file without filling the page cache
 * ```ts ignore
 * await using file = await DirectFile.open("table.dat");
 * for await (const bytes of file.readable({ lend: true })) hash.update(bytes);
 * ```
 */
export class DirectFile {
  readonly #operations: Operations;

  private constructor(operations: Operations) {
    this.#operations = own(operations, Operations, "DirectFile.open(path)");
  }

  /**
   * Opens a file or a block device.
   *
   * @param path Path, or `file:` URL.
   *
   * @throws {TypeError} When an argument has the wrong type, or the path is neither a file nor a
   * block device.
   * @throws {RangeError} When `permissions` is out of range.
   * @throws {SyscallError} `ENOENT`, `EACCES`, `EEXIST`, `EISDIR`, `EMFILE` and others.
   * @throws {UnsupportedError} When `mode: "direct"` is impossible here, or the file holds more bytes
   * than it reports.
   */
  static async open(path: string | URL, options: DirectFileOptions = {}): Promise<DirectFile> {
    const own = ownOptions(options, OPEN_OPTIONS);
    const channel = await openChannel(path, own);
    return new DirectFile(new Operations(channel, own.access === "write"));
  }

  /**
   * How bytes move: `"direct"`; `"buffered"`, through the page cache and dropped from it
   * afterwards; or `"copy"` without foreign calls, by the runtime's own calls, which leave them in
   * the page cache.
   */
  get mode(): DirectMode {
    return this.#operations.channel.mode;
  }

  /**
   * What runs the operations: io_uring (`"ring"`), sluice's own `"threads"`, or the `"runtime"`.
   */
  get engine(): DirectEngine {
    return this.#operations.channel.engine;
  }

  /** Alignment, in bytes, that an operation needs to avoid a copy. */
  get alignment(): Alignment {
    return this.#operations.channel.alignment;
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#operations.channel.closed;
  }

  /** Current size in bytes. Without a length: 0, 4096 in sysfs, or `EINVAL` in procfs. */
  get size(): number {
    this.#operations.channel.assertOpen("measure");
    return this.#operations.channel.size();
  }

  /**
   * Reads from an offset.
   *
   * @param target Memory to fill. Do not change or read it until the promise settles.
   * @param offset First byte in the file.
   * @returns Bytes read: fewer than `target.length` only at the end of the file; 0 past the end.
   *
   * @throws {TypeError} When an argument has the wrong type, the file is closed, or `target` is
   * detached during the read.
   * @throws {RangeError} When `offset` is not a safe integer >= 0.
   * @throws {AbortError} When `signal` stopped the read; `bytesMoved` counts the bytes read so far.
   * @throws {SyscallError} `EIO` and others; `EINVAL` for files of the kernel that cannot be read.
   */
  read(target: Uint8Array, offset: number, options: DirectOptions = {}): Promise<number> {
    try {
      const { bytes, signal } = checkOperation("read", target, offset, options);
      return this.#operations.read(bytes, offset, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Writes all of `source`; past the end of the file, the file grows.
   *
   * @param source Memory to write. Do not change it until the promise settles.
   * @param offset First byte in the file.
   * @returns `source.length`.
   *
   * @throws {TypeError} When an argument has the wrong type, the file is closed or open for
   * reading, or `source` is detached during the write.
   * @throws {RangeError} When `offset` is not a safe integer >= 0.
   * @throws {AbortError} When `signal` stopped the write; `bytesMoved` counts the bytes written so
   * far.
   * @throws {SyscallError} `ENOSPC`, `EDQUOT`, `EIO`, or `EFBIG` (on Deno, SIGXFSZ ends the process
   * instead); `bytesMoved` counts the bytes written so far.
   */
  write(source: Uint8Array, offset: number, options: DirectOptions = {}): Promise<number> {
    try {
      const { bytes, signal } = checkOperation("write", source, offset, options);
      this.#assertWritable("write");
      return this.#operations.write(bytes, offset, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Appends all of `source` to the file. Appends run one after the other, in the order of the
   * calls.
   *
   * Each append finds the end of the file when its write begins. If two processes append, one may
   * overwrite the other's bytes.
   *
   * @returns Offset at which `source` was written.
   *
   * @throws As {@linkcode DirectFile.write}.
   */
  async append(source: Uint8Array, options: DirectOptions = {}): Promise<number> {
    const { bytes, signal } = checkOperation("append", source, 0, options);
    this.#assertWritable("append to");
    return await this.#operations.append(bytes, signal);
  }

  /**
   * Shortens the file, or extends it with a hole.
   *
   * @throws {TypeError} When the file is closed or open for reading.
   * @throws {RangeError} When `length` is not a safe integer >= 0.
   * @throws {SyscallError} `EFBIG` (on Deno, SIGXFSZ ends the process instead); `EINVAL` for a
   * device.
   */
  async truncate(length: number): Promise<void> {
    wholeNumber(length, "length", "truncate");
    this.#assertWritable("truncate");
    await this.#operations.truncate(length);
  }

  /**
   * Waits until all data written so far, including by calls still in flight, is on the disk.
   *
   * @param options With `dataOnly`, skips metadata not needed to find the data, such as times.
   *
   * @throws {TypeError} When the file is closed.
   * @throws {SyscallError} `EIO`, `ENOSPC`, `EDQUOT` when an earlier write failed late.
   */
  async sync(options: { dataOnly?: boolean | undefined } = {}): Promise<void> {
    checkObject(options, "sync");
    const { dataOnly = false } = options;
    await this.#operations.sync(dataOnly);
  }

  /**
   * Drops the clean pages of a range from the page cache, whether other programs or this file in
   * `"buffered"` mode brought them in. Dirty pages stay until `sync()`.
   *
   * @param offset First byte. Default: 0.
   * @param length Bytes; 0 means to the end of the file. Default: 0.
   *
   * @throws {TypeError} When the file is closed.
   * @throws {RangeError} When a number is not a safe integer >= 0.
   */
  dropCache(offset: number = 0, length: number = 0): void {
    wholeNumber(offset, "offset", "drop pages");
    wholeNumber(length, "length", "drop pages");
    this.#operations.channel.assertOpen("drop the pages of");
    this.#operations.channel.dropCache(offset, length);
  }

  /**
   * Reads a range ahead of its consumer. Returns a web stream that is also an async iterable.
   *
   * @see {@linkcode DirectReadableOptions}
   */
  readable(options: DirectReadableOptions = {}): DirectReadable {
    this.#operations.channel.assertOpen("read");
    return readable(this.#operations, ownOptions(options, READABLE_OPTIONS));
  }

  /**
   * Returns a web stream that writes in whole blocks, several at a time.
   *
   * @see {@linkcode DirectWritableOptions}
   */
  writable(options: DirectWritableOptions = {}): WritableStream<Uint8Array> {
    this.#assertWritable("write");
    return writable(this.#operations, ownOptions(options, WRITABLE_OPTIONS));
  }

  /** Waits for operations in flight, then closes the file. Later operations are rejected. */
  async close(): Promise<void> {
    await this.#operations.channel.close();
  }

  /** Closes the file at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #assertWritable(verb: string): void {
    const { channel, writable } = this.#operations;
    channel.assertOpen(verb);
    if (!writable) {
      throw new TypeError(`Cannot ${verb} "${channel.name}": it is open for reading only`);
    }
  }
}
