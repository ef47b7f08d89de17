/**
 * Small pieces of memory that the library owns and C functions read and write: offsets, lengths,
 * iovecs, events.
 *
 * They are passed by address. Passing the typed array itself is slower on some backends (node:ffi
 * most of all), and a structure that points to other memory needs addresses anyway.
 *
 * @module
 */

import { addressOf } from "./mod.ts";

/** Memory whose address never changes, alive as long as the cell. */
export class Cell {
  /** The bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same bytes, for wider numbers. */
  readonly view: DataView<ArrayBuffer>;
  #address: bigint | undefined;

  /**
   * Allocates `length` zero bytes. Uses no backend, so a module may create a cell at its top level.
   */
  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Address of the first byte. */
  get address(): bigint {
    return this.#address ??= addressOf(this.bytes);
  }
}
