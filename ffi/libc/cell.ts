/**
 * Small pieces of memory that the library owns and C functions read and write: offsets, lengths,
 * iovecs, events.
 *
 * They are passed by address. Passing the typed array itself is what backends make slow (node:ffi
 * takes 0.7 us longer for each call with one, measured), and a structure that points to another
 * piece of memory needs addresses anyway.
 *
 * @module
 */

import { addressOf } from "./mod.ts";

/** Memory with an address that never changes, alive as long as the cell. */
export class Cell {
  /** The bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same bytes, for numbers wider than one. */
  readonly view: DataView<ArrayBuffer>;
  #address: bigint | undefined;

  /** Allocates `length` zero bytes. Touches no backend, so that a module may own a cell. */
  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Address of the first byte. */
  get address(): bigint {
    return this.#address ??= addressOf(this.bytes);
  }
}
