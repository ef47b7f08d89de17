/// <reference lib="esnext.disposable" preserve="true" />

/** Files past the page cache. @module */

import { ownOptions } from "../../checked.ts";
import { wholeNumber } from "../../options.ts";
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

/** What stops one operation. */
export interface DirectOptions {
  /**
   * Stops the operation. The promise settles when the memory is in use no more: an operation that the
   * disk is already at goes on to its end, and one that has reached it is not stopped any more.
   */
  signal?: AbortSignal | undefined;
}

/**
 * A file that is read and written past the page cache (`O_DIRECT`): what is backed up, scanned or logged
 * once does not displace what others use.
 *
 * Operations run in the kernel by io_uring, or in threads where that is not to be had; any number may be
 * in flight. Memory of an {@linkcode AlignedBuffer} is read and written without a copy when offset and
 * length are multiples of {@linkcode DirectFile.alignment}; any other memory, offset and length works by
 * way of memory of our own. Writing a part of a block reads the block first; writing past the end in a
 * part of a block makes the file a block longer and cuts it off again.
 *
 * Where the file system refuses `O_DIRECT` the page cache is used and emptied behind each operation, and
 * {@linkcode DirectFile.mode} says so. Whoever has the same file open by other means sees what was
 * written, but simultaneous changes of one block by both may be lost: open(2), NOTES.
 *
 * A file that tells no length, such as those of procfs and of some FUSE servers, is read to its end all
 * the same, and never directly.
 *
 * While eight or more operations of up to 64 KiB are in flight, and the disk answers within half a
 * millisecond, the event loop goes round without sleeping: nothing else has to wait, but a processor
 * is busy.
 *
 * @example Hash a large file, and leave the page cache to others
 * ```ts ignore
 * await using file = await DirectFile.open("table.dat");
 * for await (const bytes of file.readable({ lend: true })) hash.update(bytes);
 * ```
 */
export class DirectFile {
  readonly #operations: Operations;

  private constructor(operations: Operations) {
    this.#operations = operations;
  }

  /**
   * Opens a file or a block device.
   *
   * @param path Path, or `file:` URL.
   *
   * @throws {TypeError} When an argument is of the wrong kind, or the path leads to something else.
   * @throws {RangeError} When `permissions` are out of their range.
   * @throws {SyscallError} `ENOENT`, `EACCES`, `EEXIST`, `EISDIR`, `EMFILE` and the like.
   * @throws {UnsupportedError} With `mode: "direct"` where that is impossible, and for a file that holds
   * more than it tells.
   */
  static async open(path: string | URL, options: DirectFileOptions = {}): Promise<DirectFile> {
    const own = ownOptions(options, OPEN_OPTIONS);
    const channel = await openChannel(path, own);
    return new DirectFile(new Operations(channel, own.access === "write"));
  }

  /**
   * How bytes go: `"direct"`; `"buffered"`, through the page cache and out of it again; or, without
   * foreign functions, `"copy"`, by the runtime's own calls, which leave them in the page cache.
   */
  get mode(): DirectMode {
    return this.#operations.channel.mode;
  }

  /** What moves them: the kernel's `"ring"`, our own `"threads"`, or the `"runtime"`. */
  get engine(): DirectEngine {
    return this.#operations.channel.engine;
  }

  /** What must be a multiple of what, in bytes, for an operation that copies nothing. */
  get alignment(): Alignment {
    return this.#operations.channel.alignment;
  }

  /** Whether the file is closed, or about to be. */
  get closed(): boolean {
    return this.#operations.channel.closed;
  }

  /**
   * Bytes of the file now, or of the device. A file that tells no length has 0, or 4096 in sysfs.
   *
   * @throws {SyscallError} `EINVAL` for a file of procfs whose end cannot be sought.
   */
  get size(): number {
    this.#operations.channel.assertOpen("measure");
    return this.#operations.channel.size();
  }

  /**
   * Reads.
   *
   * @param target Memory to fill; it must not be changed, or looked at, until the promise settles.
   * @param offset First byte in the file.
   * @returns Bytes read: fewer than `target.length` only at the end of the file, and 0 behind it.
   *
   * @throws {TypeError} When an argument is of the wrong kind, the file is closed, or `target` was taken
   * away meanwhile.
   * @throws {RangeError} When `offset` is no safe integer >= 0.
   * @throws {AbortError} When `signal` stopped it; `bytesMoved` says how far it came.
   * @throws {SyscallError} `EIO` and the like; `EINVAL` for a file of the kernel that cannot be read.
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
   * Writes all of `source`; past the end the file grows.
   *
   * @param source Memory to write; it must not be changed until the promise settles.
   * @param offset First byte in the file.
   * @returns `source.length`.
   *
   * @throws {TypeError} When an argument is of the wrong kind, the file is closed or open for reading, or
   * `source` was taken away meanwhile.
   * @throws {RangeError} When `offset` is no safe integer >= 0.
   * @throws {AbortError} When `signal` stopped it; `bytesMoved` says how far it came.
   * @throws {SyscallError} `ENOSPC`, `EDQUOT`, `EIO`; `EFBIG`, in the place of which SIGXFSZ ends Deno;
   * `bytesMoved` says how far it came.
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
   * Writes all of `source` to the end of the file, one after the other in the order of the calls.
   *
   * The end is where it is when the write begins: of two processes that append, one overwrites the other.
   *
   * @returns Where it was written.
   *
   * @throws As {@linkcode DirectFile.write}.
   */
  async append(source: Uint8Array, options: DirectOptions = {}): Promise<number> {
    const { bytes, signal } = checkOperation("append", source, 0, options);
    this.#assertWritable("append to");
    return await this.#operations.append(bytes, signal);
  }

  /**
   * Cuts the file off, or makes it longer by a hole.
   *
   * @throws {TypeError} When the file is closed or open for reading.
   * @throws {RangeError} When `length` is no safe integer >= 0.
   * @throws {SyscallError} `EFBIG` (SIGXFSZ on Deno), `EINVAL` for a device.
   */
  async truncate(length: number): Promise<void> {
    wholeNumber(length, "length", "truncate");
    this.#assertWritable("truncate");
    await this.#operations.truncate(length);
  }

  /**
   * Waits until everything that was written is on the disk: what was called before this, too.
   *
   * @param options With `dataOnly`, leaves out what is not needed to find the data again, such as times.
   *
   * @throws {TypeError} When the file is closed.
   * @throws {SyscallError} `EIO`, `ENOSPC`, `EDQUOT` when an earlier write failed in the end.
   */
  async sync({ dataOnly = false }: { dataOnly?: boolean | undefined } = {}): Promise<void> {
    await this.#operations.sync(dataOnly);
  }

  /**
   * Drops the clean pages of a range from the page cache: what others, or this file in `"buffered"` mode,
   * have brought there. Dirty ones stay until `sync()`.
   *
   * @param offset First byte. Default: 0.
   * @param length Bytes; 0 is to the end. Default: 0.
   *
   * @throws {TypeError} When the file is closed.
   * @throws {RangeError} When a number is no safe integer >= 0.
   */
  dropCache(offset: number = 0, length: number = 0): void {
    wholeNumber(offset, "offset", "drop pages");
    wholeNumber(length, "length", "drop pages");
    this.#operations.channel.assertOpen("drop the pages of");
    this.#operations.channel.dropCache(offset, length);
  }

  /**
   * Reads a range ahead of whoever takes it, as a web stream that is an async iterable as well.
   *
   * @see {@linkcode DirectReadableOptions}
   */
  readable(options: DirectReadableOptions = {}): DirectReadable {
    this.#operations.channel.assertOpen("read");
    return readable(this.#operations, ownOptions(options, READABLE_OPTIONS));
  }

  /**
   * Writes what comes, in whole blocks and several at a time, as a web stream.
   *
   * @see {@linkcode DirectWritableOptions}
   */
  writable(options: DirectWritableOptions = {}): WritableStream<Uint8Array> {
    this.#assertWritable("write");
    return writable(this.#operations, ownOptions(options, WRITABLE_OPTIONS));
  }

  /** Waits for everything in flight, and closes the file. What is called afterwards is refused. */
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
