/** Paths for C. @module */

import { Cell } from "../../../ffi/libc/cell.ts";

/** Bytes of a path with its NUL; the kernel also rejects longer ones: `PATH_MAX`. */
const MOST = 4097;

const encoder = new TextEncoder();

/**
 * A path for C. It is passed by address: these calls run for every small file, and an array for each
 * of them would be slower.
 */
export class PathCell {
  readonly #cell = new Cell(MOST);
  readonly #room = this.#cell.bytes.subarray(0, -1);

  /** Address of the path. */
  get address(): bigint {
    return this.#cell.address;
  }

  /** Holds a path, in UTF-8 with a final NUL; false if it is too long. */
  put(path: string): boolean {
    const { read, written } = encoder.encodeInto(path, this.#room);
    this.#cell.bytes[written] = 0;
    return read === path.length;
  }
}
