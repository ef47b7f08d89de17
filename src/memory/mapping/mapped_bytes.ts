/** The bytes of a mapping: as they are, and as copies. @module */

import { ownBytes } from "../../bytes.ts";
import { bytesOf, integer } from "../../sys/arguments.ts";
import { copy, openState, show, stateOf } from "./mapping_state.ts";
import { find, type Needle, needleOf, type TextEncodingName, textLines } from "./text.ts";

/** What can be read of a mapping. */
export abstract class MappedBytes {
  /** Bytes that are mapped; 0 when closed. */
  get length(): number {
    return openState(this)?.length ?? 0;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return openState(this) === undefined;
  }

  /**
   * Whether a page was found to be missing, because somebody has made the file shorter.
   *
   * Its bytes were read as zeroes, and what was stored there is lost. Every call but `close()` and
   * `resize()` then throws `TruncatedError`. False where the fault guard is not active: see
   * `capabilities().faultGuard`.
   */
  get truncated(): boolean {
    return (openState(this)?.exposed?.row?.marks ?? 0) !== 0;
  }

  /**
   * All bytes, without a copy.
   *
   * Buffers begin on a page: mind `byteOffset` when you make a typed array of `bytes.buffer`.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the runtime has no array so long: Bun's end at 4 GiB. Use {@linkcode view}.
   * @throws {TruncatedError} When the file was found to be shorter.
   * @throws {UnsupportedError} When memory may not be shown: see `MappedFile.open()`.
   */
  get bytes(): Uint8Array<ArrayBuffer> {
    return show(this, 0, this.length);
  }

  /**
   * Shows a range, without a copy.
   *
   * @param offset First byte.
   * @param length Bytes; at most 4 GiB on Bun. Default: all that follow.
   * @returns A view that becomes empty when the mapping is closed or resized.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is not inside the mapping, or too long for one array.
   * @throws {TruncatedError} When the file was found to be shorter.
   * @throws {UnsupportedError} When memory may not be shown: see `MappedFile.open()`.
   */
  view(offset: number, length: number = this.length - offset): Uint8Array<ArrayBuffer> {
    return show(this, offset, length);
  }

  /**
   * Copies a range, and checks that the file still has it.
   *
   * Of a file with access `"read"` or `"write"` it copies what the file holds, without stray stores.
   *
   * @param offset First byte.
   * @param length Bytes. Default: all that follow.
   * @returns The bytes, in memory of the runtime.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is not inside the mapping.
   * @throws {TruncatedError} When the file no longer has all of it.
   */
  read(offset: number, length: number = this.length - offset): Uint8Array<ArrayBuffer> {
    stateOf(this, "read");
    integer(offset, "offset", 0, this.length);
    const target = new Uint8Array(integer(length, "length", 0, this.length - offset));
    copy(this, offset, ownBytes(target));
    return target;
  }

  /**
   * As {@linkcode read}, into an array that is there already.
   *
   * @param target Is filled, or left in part unspecified when the call throws.
   * @param offset First byte. Default: 0.
   * @returns Bytes copied: the length of `target`.
   *
   * @throws {TypeError} When the mapping is closed, or `target` is no `Uint8Array`.
   * @throws {RangeError} When the range is not inside the mapping.
   * @throws {TruncatedError} When the file no longer has all of it.
   */
  readInto(target: Uint8Array, offset: number = 0): number {
    const own = ownBytes(bytesOf(target, "target"));
    copy(this, offset, own);
    return own.length;
  }

  /**
   * Decodes a range, as `TextDecoder` does: what is no text becomes U+FFFD.
   *
   * Decodes a copy, so another process may write the memory meanwhile. Decoding `bytes` itself is not
   * safe then: the runtimes measure the text first, and convert it afterwards.
   *
   * @param offset First byte. Default: 0.
   * @param length Bytes. Default: all that follow.
   * @param encoding A name that `TextDecoder` knows. Default: `"utf-8"`.
   *
   * @throws {TypeError} When the mapping is closed.
   * @throws {RangeError} When the range is not inside the mapping, there is no such encoding, or the
   * runtime has no string so long: use {@linkcode lines}.
   * @throws {TruncatedError} When the file no longer has all of it.
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
   * Needs memory for 64 KiB and the longest line, however long the range is.
   *
   * @param offset First byte. Default: 0.
   * @param length Bytes. Default: all that follow.
   * @param encoding A name that `TextDecoder` knows. Default: `"utf-8"`.
   * @returns The lines without their ends. What follows the last end is a line unless it is empty.
   *
   * @throws {TypeError} When the mapping is closed, also between two lines.
   * @throws {RangeError} When the range is not inside the mapping, or there is no such encoding.
   * @throws {TruncatedError} When the file no longer has all of it.
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
   * Finds bytes. Looks at copies, of 64 KiB each, and so reads the memory once.
   *
   * @param needle Bytes, a text (in UTF-8), or one byte as an integer in 0..255.
   * @param offset Where to begin. Default: 0.
   * @returns Offset of the first byte of what was found; -1 when there is nothing. What is empty is
   * found at `offset`.
   *
   * @throws {TypeError} When the mapping is closed, or `needle` is of the wrong kind.
   * @throws {RangeError} When `offset` is not inside the mapping, or `needle` is no byte.
   * @throws {TruncatedError} When the file no longer has what is looked at.
   */
  indexOf(needle: Needle, offset: number = 0): number {
    const bytes = needleOf(needle);
    stateOf(this, "search");
    integer(offset, "offset", 0, this.length);
    return find(this, bytes, offset);
  }
}
