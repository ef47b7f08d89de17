/** Lends aligned memory to operations on unaligned bytes. @module */

import { type Block, Slabs } from "../aligned/slabs.ts";

/**
 * Bytes of one loan, and so of one request to the disk. Larger pieces were not faster: see
 * `npm run bench -- direct`.
 */
export const PIECE: number = 256 * 1024;

/** Concurrent loans; further borrowers wait. */
const MOST = 64;

/** Separate from the user's memory, so that loans don't count against `AlignedBuffer.budget`. */
const slabs = new Slabs({ portable: true });

let lent = 0;
const line: (() => void)[] = [];

const PAGE = 4096;

/** Allocates a block for longer use, such as one block of a stream. The caller must `drop()` it. */
export function ownBlock(size: number, alignment: number): Block {
  return slabs.allocate(size, alignment, Infinity)!;
}

/** Borrows a block of at least `size` bytes, at most {@linkcode PIECE}. */
export async function borrow(size: number): Promise<Block> {
  if (lent >= MOST) await new Promise<void>((resolve) => line.push(resolve));
  else lent++;
  return ownBlock(size, PAGE);
}

/** Returns a block. */
export function giveBack(block: Block): void {
  block.drop();
  const next = line.shift();
  // The next borrower inherits the loan, so no other can take it first.
  if (next === undefined) lent--;
  else next();
}
