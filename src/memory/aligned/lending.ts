/** Lends blocks of memory to users as buffers, and takes them back. @module */

import { emptied, isWhole } from "../../bytes.ts";
import type { Checked } from "../../checked.ts";
import type { Block } from "./slabs.ts";

/** Blocks by the buffer that shows them. */
const shown = new WeakMap<ArrayBufferLike, { readonly block: Block; readonly from: number }>();

/** Blocks whose buffer could not be detached because the runtime was using it. */
const stuck: { readonly buffer: ArrayBuffer; readonly block: Block }[] = [];

/** Memory that an operation can use directly. */
export interface Place {
  readonly block: Block;
  /** First byte within the block's region. */
  readonly at: number;
}

/** Returns part of a block as a view with its own buffer. */
export function show(block: Block, from: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = block.window(from, length);
  shown.set(bytes.buffer, { block, from: block.at + from });
  return bytes;
}

/** Finds the block that holds all of an array, if there is one. */
export function placeOf(bytes: Checked<Uint8Array>): Place | undefined {
  const found = shown.get(bytes.buffer);
  if (found === undefined) return undefined;
  const { block, from } = found;
  const at = from + bytes.byteOffset;
  const inside = at >= block.at && at + bytes.length <= block.at + block.size;
  return inside ? { block, at } : undefined;
}

/**
 * Detaches a buffer that `show()` returned, with all its views, then undoes one hold of the block.
 *
 * If the user has transferred the buffer, the memory went with it and the block is lost. A buffer
 * that cannot be detached keeps its block: see `emptied()`.
 *
 * @returns Whether the block was released at once.
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

/** Retries the buffers that could not be detached before. */
export function retry(): void {
  for (let i = stuck.length - 1; i >= 0; i--) {
    const { buffer, block } = stuck[i]!;
    if (!emptied(buffer)) continue;
    stuck.splice(i, 1);
    block.drop();
  }
}
