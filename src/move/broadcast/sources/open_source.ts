/** Opening what is broadcast. @module */

import { type BorrowedReading, borrowReading } from "../../../runtime/borrow.ts";
import { describe, resolveRange } from "../../../options.ts";
import { available } from "../../../sys/libc.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { closeEnd, isFile, isRemote, openEnd } from "../../engine/endpoint.ts";
import { positionless } from "../../transfer/refusals.ts";
import { byteSource } from "../../transfer/runtime_endpoints.ts";
import { openFile, openSource } from "../../engine/file/open_file.ts";
import { type FdLike, fdOf } from "../../../sys/fd.ts";
import { mostBytes } from "../../transfer/options.ts";
import type { TransferSource } from "../../transfer/transfer.ts";
import { BorrowedSource } from "./borrowed_source.ts";
import { BytesSource } from "./bytes_source.ts";
import { FileSource, readFile, settled } from "./file_source.ts";
import type { BroadcastOptions, ChunkSource } from "../types.ts";
import { StreamSource } from "./stream_source.ts";

/** Bytes read at once where the system cannot be called. */
const FLOOR_CHUNK = 64 * 1024;

/**
 * Opens a source.
 *
 * @throws {TypeError} When it is of the wrong kind, or a range is given where there are no positions.
 * @throws {RangeError} When the range begins behind the end of the file.
 * @throws {SyscallError} When it cannot be opened or read.
 */
export async function openChunkSource(
  source: TransferSource,
  options: BroadcastOptions,
): Promise<ChunkSource> {
  const reading = borrowReading(source, true);
  if (reading !== null) return borrowed(reading, options);
  const stream = byteSource(source);
  if (stream !== undefined) {
    positionless(options, "the stream");
    return new BytesSource(stream, mostBytes(options));
  }
  if (typeof source !== "string" && !(source instanceof URL)) {
    return await byDescriptor(fdOf(descriptorLike(source), "source"), options, () => {});
  }
  const { fd, close } = await openFile(source);
  try {
    return await byDescriptor(fd, options, close);
  } catch (error) {
    close();
    throw error;
  }
}

function borrowed(reading: BorrowedReading, options: BroadcastOptions): ChunkSource {
  try {
    positionless(options, "the connection");
    return new BorrowedSource(reading, mostBytes(options));
  } catch (error) {
    raw.close(reading.fd);
    reading.giveBack(reading.ahead);
    throw error;
  }
}

/** `close` closes the descriptor where it is ours. */
async function byDescriptor(
  fd: number,
  options: BroadcastOptions,
  close: () => void,
): Promise<ChunkSource> {
  const action = "broadcast a file";
  if (!available()) {
    const held = await openSource(fd, undefined, options.signal);
    const range = resolveRange(options, held.size, action);
    const chunkSource = new BytesSource(readFile(held.fd, range, FLOOR_CHUNK), range.length, false);
    return closing(chunkSource, () => {
      held.close();
      close();
    });
  }
  let end = await openEnd(fd, "source");
  try {
    if (isFile(end)) {
      end = await settled(end, options.signal);
      const range = resolveRange(options, end.size, action);
      if (isRemote(end)) {
        const bytes = readFile(end.fd, range, FLOOR_CHUNK);
        return closing(new BytesSource(bytes, range.length, false), () => {
          closeEnd(end);
          close();
        });
      }
      return closing(new FileSource(end, range, options.stability === "copy"), close);
    }
    positionless(options, `fd ${fd}`);
    return closing(new StreamSource(end, mostBytes(options)), close);
  } catch (error) {
    closeEnd(end);
    throw error;
  }
}

/** A chunk source that closes something more. */
function closing<T extends ChunkSource>(chunkSource: T, close: () => void): T {
  const inner = chunkSource.close.bind(chunkSource);
  chunkSource.close = async () => {
    await inner();
    close();
  };
  return chunkSource;
}

function descriptorLike(value: unknown): FdLike {
  if (typeof value === "number") return value;
  if (typeof value === "object" && value !== null && "fd" in value) return value as FdLike;
  throw new TypeError(
    `Cannot broadcast ${describe(value)}: expected a path, a descriptor or a stream`,
  );
}
