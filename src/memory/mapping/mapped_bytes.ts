/** Reads the bytes of a mapping, as views and as copies. @module */

import { ownBytes } from "../../bytes.ts";
import { bytesOf, integer } from "../../sys/arguments.ts";
import { copy, openState, show, stateOf } from "./mapping_state.ts";
import { find, type Needle, needleOf, type TextEncodingName, textLines } from "./text.ts";

/** Methods that read a mapping. */
export abstract class MappedBytes {
  /** Length of the mapping in bytes; 0 when closed. */
  get length(): number {
    return openState(this)?.length ?? 0;
  }

  /** Whether the mapping is closed. */
  get closed(): boolean {
    return openState(this) === undefined;
  }

  /**
   * Whether an access hit a missing page because the file was truncated.
   *
   * Missing bytes were read as zeroes, and stores there are lost. Every call except `close()` and
   * `resize()` then throws `TruncatedError`. Always false if the fault guard is not active: see
   * `capabilities().faultGuard`.
   */
  get truncated(): boolean {
    return (openState(this)?.exposed?.row?.marks ?? 0) !== 0;
  }

  /**
   * All bytes of the mapping, without a copy.
   *
   * The buffer may start before the mapping: pass `byteOffset` when you create a typed array on
   * `bytes.buffer`.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the mapping is too long for one array: Bun's limit is 4 GiB. Use
   * {@linkcode view}.
   * @throws {TruncatedError} When the file was found to be truncated.
   * @throws {UnsupportedError} When memory may not be shown: see `MappedFile.open()`.
   */
  get bytes(): Uint8Array<ArrayBuffer> {
    return show(this, 0, this.length);
  }

  /**
   * Returns a view of a range, without a copy.
   *
   * @param offset First byte.
   * @param length Bytes; at most 4 GiB on Bun. Default: to the end of the mapping.
   * @returns A view that is detached when the mapping is closed or resized.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is outside the mapping, or too long for one array.
   * @throws {TruncatedError} When the file was found to be truncated.
   * @throws {UnsupportedError} When memory may not be shown: see `MappedFile.open()`.
   */
  view(offset: number, length: number = this.length - offset): Uint8Array<ArrayBuffer> {
    return show(this, offset, length);
  }

  /**
   * Copies a range, and checks that the file still contains it.
   *
   * With access `"read"` or `"write"`, copies the file's content without stray stores.
   *
   * @param offset First byte.
   * @param length Bytes. Default: to the end of the mapping.
   * @returns The bytes, in memory of the runtime.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is outside the mapping.
   * @throws {TruncatedError} When the file no longer contains the whole range.
   */
  read(offset: number, length: number = this.length - offset): Uint8Array<ArrayBuffer> {
    stateOf(this, "read");
    integer(offset, "offset", 0, this.length);
    const target = new Uint8Array(integer(length, "length", 0, this.length - offset));
    copy(this, offset, ownBytes(target));
    return target;
  }

  /**
   * Like {@linkcode read}, into an existing array.
   *
   * @param target Array to fill. If the call throws, its content is unspecified.
   * @param offset First byte. Default: 0.
   * @returns Bytes copied: the length of `target`.
   *
   * @throws {TypeError} When the mapping is closed, or `target` is not a `Uint8Array`.
   * @throws {RangeError} When the range is outside the mapping.
   * @throws {TruncatedError} When the file no longer contains the whole range.
   */
  readInto(target: Uint8Array, offset: number = 0): number {
    const own = ownBytes(bytesOf(target, "target"));
    copy(this, offset, own);
    return own.length;
  }

  /**
   * Decodes a range, as `TextDecoder` does: invalid bytes become U+FFFD.
   *
   * Decodes a copy, so another process may write the memory meanwhile. Decoding `bytes` itself is
   * not safe then: the runtimes first measure the text, then convert it.
   *
   * @param offset First byte. Default: 0.
   * @param length Bytes. Default: to the end of the mapping.
   * @param encoding A label that `TextDecoder` accepts. Default: `"utf-8"`.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is outside the mapping, the encoding is unknown, or the
   * text is too long for a string: use {@linkcode lines}.
   * @throws {TruncatedError} When the file no longer contains the whole range.
   */
  text(
    offset: number = 0,
    length: number = this.length - offset,
    encoding: TextEncodingName = "utf-8",
  ): string {
    const decoder = new TextDecoder(encoding);
    return decoder.decode(this.read(offset, length));
  }

  /**
   * Splits a range into lines, which end with LF or CR LF, and decodes them from copies.
   *
   * Uses memory for 64 KiB and the longest line, however long the range is.
   *
   * @param offset First byte. Default: 0.
   * @param length Bytes. Default: to the end of the mapping.
   * @param encoding A label that `TextDecoder` accepts. Default: `"utf-8"`.
   * @returns The lines without their terminators. Text after the last terminator is a line of its
   * own, unless it is empty.
   *
   * @throws {TypeError} When the mapping is closed, also between two lines.
   * @throws {RangeError} When the range is outside the mapping, or the encoding is unknown.
   * @throws {TruncatedError} When the file no longer contains the whole range.
   */
  lines(
    offset: number = 0,
    length: number = this.length - offset,
    encoding: TextEncodingName = "utf-8",
  ): IterableIterator<string> {
    stateOf(this, "read");
    integer(offset, "offset", 0, this.length);
    integer(length, "length", 0, this.length - offset);
    return textLines(this, offset, length, new TextDecoder(encoding));
  }

  /**
   * Finds bytes. Searches copies of 64 KiB each, so it reads the memory once: by memmem(3) or by the
   * runtime's own search, whichever took less time for the first steps.
   *
   * @param needle Bytes, a string (in UTF-8), or one byte as an integer in 0..255.
   * @param offset Where to start. Default: 0.
   * @returns Offset of the first match; -1 without a match. An empty needle matches at `offset`.
   *
   * @throws {TypeError} When the mapping is closed, or `needle` has the wrong type.
   * @throws {RangeError} When `offset` is outside the mapping, or `needle` is not a byte.
   * @throws {TruncatedError} When the file no longer contains the bytes searched.
   */
  indexOf(needle: Needle, offset: number = 0): number {
    const bytes = needleOf(needle);
    stateOf(this, "search");
    integer(offset, "offset", 0, this.length);
    return find(this, bytes, offset);
  }
}
