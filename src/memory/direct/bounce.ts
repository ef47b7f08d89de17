/** Aligned memory on loan, for bytes that do not lie or do not end where the disk wants them. @module */

import { type Block, Slabs } from "../aligned/slabs.ts";

/**
 * Bytes of one loan, and so of one request to the disk. Of 64 KiB to 1 MiB, four at a time, 256 KiB was
 * as fast as more.
 */
export const PIECE: number = 256 * 1024;

/** Loans at a time; further ones wait. */
const MOST = 64;

/** Apart from the users' memory, whose budget is not ours to spend. */
const slabs = new Slabs({ portable: true });

let lent = 0;
const line: (() => void)[] = [];

const PAGE = 4096;

/** Takes memory for longer: one block of a stream. Whoever has it calls `drop()` in the end. */
export function ownBlock(size: number, alignment: number): Block {
  return slabs.allocate(size, alignment, Infinity)!;
}

/** Borrows a block of at least `size` bytes, at most {@linkcode PIECE}. */
export async function borrow(size: number): Promise<Block> {
  if (lent >= MOST) await new Promise<void>((resolve) => line.push(resolve));
  else lent++;
  return ownBlock(size, PAGE);
}

/** Gives a block back. */
export function giveBack(block: Block): void {
  block.drop();
  const next = line.shift();
  // Whoever is next in line takes over the loan, so that nobody can come in between.
  if (next === undefined) lent--;
  else next();
}
