/** Opening what is broadcast. @module */

import { type BorrowedReading, borrowReading } from "../../guest/borrow.ts";
import { describe, resolveRange } from "../../options.ts";
import { available } from "../../sys/libc.ts";
import * as raw from "../../sys/raw/mod.ts";
import { closeEnd, isFile, isRemote, openEnd } from "../ends.ts";
import { positionless } from "../refusals.ts";
import { byteSource } from "../runtime_ends.ts";
import { openFile, openSource } from "../source.ts";
import { type FdLike, fdOf } from "../../sys/fd.ts";
import { mostBytes } from "../transfer_job.ts";
import type { TransferSource } from "../transfer.ts";
import { BorrowedFeed } from "./borrowed_feed.ts";
import { BytesFeed } from "./bytes_feed.ts";
import { FileFeed, readFile, settled } from "./file_feed.ts";
import type { BroadcastOptions, Feed } from "./job.ts";
import { StreamFeed } from "./stream_feed.ts";

/** Bytes read at once where the system cannot be called. */
const FLOOR_CHUNK = 64 * 1024;

/**
 * Opens a source.
 *
 * @throws {TypeError} When it is of the wrong kind, or a range is given where there are no positions.
 * @throws {RangeError} When the range begins behind the end of the file.
 * @throws {SyscallError} When it cannot be opened or read.
 */
export async function openFeed(source: TransferSource, options: BroadcastOptions): Promise<Feed> {
  const reading = borrowReading(source, true);
  if (reading !== null) return borrowed(reading, options);
  const stream = byteSource(source);
  if (stream !== undefined) {
    positionless(options, "the stream");
    return new BytesFeed(stream, mostBytes(options));
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

function borrowed(reading: BorrowedReading, options: BroadcastOptions): Feed {
  try {
    positionless(options, "the connection");
    return new BorrowedFeed(reading, mostBytes(options));
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
): Promise<Feed> {
  const action = "broadcast a file";
  if (!available()) {
    const held = await openSource(fd);
    const range = resolveRange(options, held.size, action);
    const feed = new BytesFeed(readFile(held.fd, range, FLOOR_CHUNK), range.length, false);
    return closing(feed, () => {
      held.close();
      close();
    });
  }
  let end = await openEnd(fd, "source");
  try {
    if (isFile(end)) {
      end = await settled(end);
      const range = resolveRange(options, end.size, action);
      if (isRemote(end)) {
        const bytes = readFile(end.fd, range, FLOOR_CHUNK);
        return closing(new BytesFeed(bytes, range.length, false), () => {
          closeEnd(end);
          close();
        });
      }
      return closing(new FileFeed(end, range, options.stability === "copy"), close);
    }
    positionless(options, `fd ${fd}`);
    return closing(new StreamFeed(end, mostBytes(options)), close);
  } catch (error) {
    closeEnd(end);
    throw error;
  }
}

/** A feed that closes something more. */
function closing<T extends Feed>(feed: T, close: () => void): T {
  const inner = feed.close.bind(feed);
  feed.close = async () => {
    await inner();
    close();
  };
  return feed;
}

function descriptorLike(value: unknown): FdLike {
  if (typeof value === "number") return value;
  if (typeof value === "object" && value !== null && "fd" in value) return value as FdLike;
  throw new TypeError(
    `Cannot broadcast ${describe(value)}: expected a path, a descriptor or a stream`,
  );
}
