/** Makes chunks of each kind of input. @module */

import { isRemote } from "../../engine/endpoint.ts";
import { type Input, rangeOf } from "../../engine/input.ts";
import { byteReader } from "../../../runtime/reading/readers.ts";
import type { BroadcastOptions, ChunkSource } from "../types.ts";
import { BorrowedSource } from "./borrowed_source.ts";
import { BytesSource } from "./bytes_source.ts";
import { FileSource, readFile } from "./file_source.ts";
import { StreamSource } from "./stream_source.ts";

/** Bytes per read without system calls. */
const PORTABLE_CHUNK = 64 * 1024;

/** Makes a chunk source of one kind of input. */
type Maker<K> = (
  input: Extract<Input, { kind: K }>,
  range: { start: number; length: number },
  options: BroadcastOptions,
) => ChunkSource;

/** One maker for each kind of input. */
const MAKERS: { readonly [K in Input["kind"]]: Maker<K> } = {
  borrowed: (input, { length }) => new BorrowedSource(input, length),
  file: ({ end }, range, { stability }) =>
    isRemote(end) ? bytesOf(end.fd, range) : new FileSource(end, range, stability === "copy"),
  portable: ({ fd }, range) => bytesOf(fd, range),
  positionless: ({ end }, { length }) => new StreamSource(end, length),
  stream: ({ open }, { start, length }) => new BytesSource(open(start, length), length),
};

function bytesOf(fd: number, range: { start: number; length: number }): ChunkSource {
  const reader = byteReader(readFile(fd, range, PORTABLE_CHUNK), range.length);
  return new BytesSource(reader, range.length, false);
}

/**
 * Makes a chunk source of an input; closing it closes the input.
 *
 * @throws {SyscallError} `ESPIPE` for a range of an input without positions.
 * @throws {RangeError} When the range begins behind the end of the file.
 */
export function chunkSourceOf(input: Input, options: BroadcastOptions): ChunkSource {
  try {
    const range = rangeOf(input, options, "broadcast a file");
    const source = (MAKERS[input.kind] as Maker<Input["kind"]>)(input, range, options);
    const stop = source.close.bind(source);
    source.close = async () => {
      await stop();
      input.close();
    };
    return source;
  } catch (error) {
    input.close();
    throw error;
  }
}
