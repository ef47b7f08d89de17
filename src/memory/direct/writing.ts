/** Writes directly from aligned memory, and through it from any other memory. @module */

import type { Checked } from "../../checked.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { AbortError, errnoNumber } from "../../errors.ts";
import { available } from "../../sys/libc.ts";
import * as raw from "../../sys/raw/mod.ts";
import { IoOp } from "../../threads/io_queue/types.ts";
import type { Block } from "../aligned/slabs.ts";
import { borrow, giveBack, PIECE } from "./bounce.ts";
import type { Channel } from "./channel.ts";
import { inPieces } from "./pieces.ts";
import { MOST, readInto, withBytesMoved } from "./reading.ts";

const EINVAL = -errnoNumber("EINVAL");
const EFBIG = -errnoNumber("EFBIG");

/** Writes all of a block of memory. Address, `length` and `offset` meet the file's alignment. */
export async function writeFrom(
  channel: Channel,
  block: Block,
  at: number,
  length: number,
  offset: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  let moved = 0;
  let limited = false;
  while (moved < length) {
    if (signal?.aborted) throw new AbortError(moved, signal.reason);
    const count = Math.min(length - moved, MOST);
    const result = await channel.run(IoOp.WRITE, block, at + moved, count, offset + moved, signal);
    if (result < 0) {
      // RLIMIT_FSIZE cuts the count to one that is not a multiple: Linux then returns EINVAL.
      const room = result === EINVAL ? roomAt(offset + moved) : Infinity;
      if (room >= count) throw channel.error(IoOp.WRITE, result, moved, signal);
      length = moved + room - room % channel.alignment.offset;
      if (moved >= length) throw channel.error(IoOp.WRITE, EFBIG, moved, signal);
      limited = true;
      continue;
    }
    moved += result;
  }
  if (limited) throw channel.error(IoOp.WRITE, EFBIG, moved, signal);
  return moved;
}

/** Bytes that a file may still grow by past an offset, by `RLIMIT_FSIZE`. */
function roomAt(offset: number): number {
  const limits = new BigUint64Array(2);
  if (!available() || raw.getrlimit(platform.resource.FSIZE, limits) < 0) return Infinity;
  // RLIM_INFINITY is the largest 64-bit number.
  return Math.max(0, Number(limits[0]!) - offset);
}

/** Writes memory of any kind to whole blocks of the file. */
export async function writeThrough(
  channel: Channel,
  source: Checked<Uint8Array>,
  offset: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const end = offset + source.length;
  return await finish(
    offset,
    source.length,
    inPieces(offset, end, PIECE, async (start, stop) => {
      const block = await borrow(stop - start);
      try {
        block.bytes.set(part(channel, source, start - offset, stop - offset));
        return start + await writeFrom(channel, block, block.at, stop - start, start, signal);
      } finally {
        giveBack(block);
      }
    }),
  );
}

/**
 * Writes memory of any kind to any offset.
 *
 * Reads the blocks at both ends first, and writes them back with the new bytes. A last block past
 * the end of the file is also written whole, then cut off by ftruncate(2). Until then the file is
 * up to a block too long, and stays so if the system crashes in between.
 *
 * No other operation may use those blocks, nor anything past them if they lie at the end of the
 * file.
 */
export async function writeAnywhere(
  channel: Channel,
  source: Checked<Uint8Array>,
  offset: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const unit = channel.alignment.offset;
  const size = channel.size();
  const end = offset + source.length;
  const first = Math.floor(offset / unit) * unit;
  const last = Math.ceil(end / unit) * unit;
  const done = await inPieces(first, last, PIECE, async (start, stop) => {
    const block = await borrow(stop - start);
    try {
      const bytes = block.bytes;
      const load = (from: number) => readBlock(channel, block, from - start, from, unit, size);
      if (start < offset) await load(start);
      if (stop > end && (stop - unit > start || start >= offset)) await load(stop - unit);
      const from = Math.max(start, offset);
      bytes.set(part(channel, source, from - offset, Math.min(stop, end) - offset), from - start);
      return start + await writeFrom(channel, block, block.at, stop - start, start, signal);
    } finally {
      giveBack(block);
    }
  });
  const reached = Math.min(Math.max(done.reached, offset), end);
  if (last > size) await cut(channel, Math.max(size, reached), done.failure, reached - offset);
  return await finish(offset, source.length, Promise.resolve({ ...done, reached }));
}

/** Reads one block, and zeroes the part past the end of the file. */
async function readBlock(
  channel: Channel,
  block: Block,
  at: number,
  offset: number,
  unit: number,
  size: number,
): Promise<void> {
  const count = offset >= size
    ? 0
    : await readInto(channel, block, block.at + at, unit, offset, undefined);
  block.bytes.fill(0, at + count, at + unit);
}

async function cut(
  channel: Channel,
  length: number,
  failure: unknown,
  moved: number,
): Promise<void> {
  if (channel.size() <= length) return;
  const result = await channel.run(IoOp.TRUNCATE, null, 0, 0, length, undefined);
  if (result < 0 && failure === undefined) {
    throw channel.error(IoOp.TRUNCATE, result, moved);
  }
}

function part(channel: Channel, source: Checked<Uint8Array>, from: number, to: number): Uint8Array {
  const found = source.subarray(from, to);
  if (found.length === to - from) return found;
  throw new TypeError(`Cannot write "${channel.name}": the source was detached during the write`);
}

async function finish(
  offset: number,
  length: number,
  pieces: ReturnType<typeof inPieces>,
): Promise<number> {
  const { reached, failure } = await pieces;
  const moved = Math.min(Math.max(reached - offset, 0), length);
  if (failure !== undefined) throw withBytesMoved(failure, moved);
  return moved;
}
