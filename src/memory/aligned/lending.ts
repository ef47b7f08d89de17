/** Showing blocks of memory to users, and taking them back. @module */

import { emptied, isWhole } from "../../bytes.ts";
import type { Checked } from "../../checked.ts";
import type { Block } from "./slabs.ts";

/** Blocks by the buffer that shows them. */
const shown = new WeakMap<ArrayBufferLike, { readonly block: Block; readonly from: number }>();

/** Blocks whose buffer the runtime was still using when it was taken back. */
const stuck: { readonly buffer: ArrayBuffer; readonly block: Block }[] = [];

/** Memory that an operation can use as it is. */
export interface Place {
  readonly block: Block;
  /** First byte in the block's region. */
  readonly at: number;
}

/** Shows a part of a block, in a buffer of its own. */
export function show(block: Block, from: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = block.window(from, length);
  shown.set(bytes.buffer, { block, from: block.at + from });
  return bytes;
}

/** Where an array lies, when it shows a block, and all of it lies within that. */
export function placeOf(bytes: Checked<Uint8Array>): Place | undefined {
  const found = shown.get(bytes.buffer);
  if (found === undefined) return undefined;
  const { block, from } = found;
  const at = from + bytes.byteOffset;
  const inside = at >= block.at && at + bytes.length <= block.at + block.size;
  return inside ? { block, at } : undefined;
}

/**
 * Empties what `show()` returned, and everything else that shows the same buffer; then undoes one hold of
 * the block.
 *
 * A buffer that somebody has transferred away has taken the memory along: the block stays lost. One that
 * cannot be emptied stays: see `emptied()`.
 *
 * @returns Whether the block was let go at once.
 */
export function takeBack(buffer: ArrayBuffer, block: Block): boolean {
  if (isWhole(buffer, 0)) return false;
  if (!emptied(buffer)) {
    stuck.push({ buffer, block });
    return false;
  }
  block.drop();
  return true;
}

/** Takes back what could not be taken back before. */
export function retry(): void {
  for (let i = stuck.length - 1; i >= 0; i--) {
    const { buffer, block } = stuck[i]!;
    if (!emptied(buffer)) continue;
    stuck.splice(i, 1);
    block.drop();
  }
}
