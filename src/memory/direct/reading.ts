/** Reads directly into aligned memory, and through it into any other memory. @module */

import type { Checked } from "../../checked.ts";
import { AbortError, errnoNumber } from "../../errors.ts";
import { IoOp } from "../../threads/io_queue/types.ts";
import type { Block } from "../aligned/slabs.ts";
import { borrow, giveBack, PIECE } from "./bounce.ts";
import type { Channel } from "./channel.ts";
import { inPieces } from "./pieces.ts";

const EINVAL = -errnoNumber("EINVAL");

/** Largest call: a power of two below the kernel's limit of 2 GiB minus a page. */
export const MOST: number = 1024 ** 3;

/**
 * Reads into memory that meets the file's alignment, as do `length` and `offset`.
 *
 * @returns Fewer bytes than `length` only at the end of the file.
 */
export async function readInto(
  channel: Channel,
  block: Block,
  at: number,
  length: number,
  offset: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const unit = channel.alignment.offset;
  let moved = 0;
  while (moved < length) {
    if (signal?.aborted) throw new AbortError(moved, signal.reason);
    const count = Math.min(length - moved, MOST);
    const result = await channel.run(IoOp.READ, block, at + moved, count, offset + moved, signal);
    if (result < 0) {
      // Some file systems return EINVAL right after a last, partial block.
      if (result === EINVAL && moved > 0 && channel.endsBefore(offset + moved)) break;
      throw channel.error(IoOp.READ, result, moved, signal);
    }
    moved += result;
    // An unaligned count means the end of the file.
    if (result === 0 || result % unit !== 0) break;
  }
  return moved;
}

/** Reads into any memory through whole, internal blocks. */
export async function readThrough(
  channel: Channel,
  target: Checked<Uint8Array>,
  offset: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const unit = channel.alignment.offset;
  const end = offset + target.length;
  const first = Math.floor(offset / unit) * unit;
  const length = target.length;
  const done = await inPieces(first, Math.ceil(end / unit) * unit, PIECE, async (start, stop) => {
    const block = await borrow(stop - start);
    try {
      const { count, failure } = await outcome(
        readInto(channel, block, block.at, stop - start, start, signal),
      );
      const from = Math.max(start, offset);
      const to = Math.min(start + count, end);
      if (target.length !== length) {
        throw new TypeError(
          `Cannot read "${channel.name}": the target was detached during the read`,
        );
      }
      if (to > from) target.set(block.bytes.subarray(from - start, to - start), from - offset);
      if (failure !== undefined) throw failure;
      return start + count;
    } finally {
      giveBack(block);
    }
  });
  const moved = Math.min(Math.max(done.reached - offset, 0), length);
  if (done.failure !== undefined) throw withBytesMoved(done.failure, moved);
  return moved;
}

/** Bytes read, and the error that ended the read, if any. */
async function outcome(read: Promise<number>): Promise<{ count: number; failure: unknown }> {
  try {
    return { count: await read, failure: undefined };
  } catch (failure) {
    return { count: (failure as { bytesMoved?: number }).bytesMoved ?? 0, failure };
  }
}

/** Rebuilds the error of one piece with the total of bytes moved. */
export function withBytesMoved(error: unknown, bytesMoved: number): unknown {
  if (error instanceof AbortError) return new AbortError(bytesMoved, error.cause);
  if (error instanceof Error && "bytesMoved" in error) Object.assign(error, { bytesMoved });
  return error;
}
