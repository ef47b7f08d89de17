/** Memory for the part of a remote file that a connection sends next. @module */

import * as raw from "../../../sys/raw/mod.ts";

const MFD_CLOEXEC = 1;

/** Most bytes that are held for one connection. */
export const STAGED_BYTES: number = 256 * 1024;

/**
 * A memory file that another thread fills. It can be sent like any other file, without waiting for a
 * disk.
 */
export class Staging {
  /** The memory file; -1 before the first part. */
  fd = -1;
  /** Where in the remote file the part begins, and its bytes. */
  #offset = 0;
  #count = 0;
  #filling = false;
  #closed = false;

  /** Makes room for the part at `offset`; returns the descriptor to write it to, or `-errno`. */
  begin(offset: number): number {
    if (this.fd < 0) {
      const fd = raw.memfdCreate("sluice", MFD_CLOEXEC);
      if (fd < 0) return fd;
      this.fd = fd;
    }
    this.#offset = offset;
    this.#count = 0;
    this.#filling = true;
    return this.fd;
  }

  /** Called when the part is there, with its bytes, or that it will not be. */
  end(result: number): void {
    this.#filling = false;
    this.#count = Math.max(0, result);
    if (this.#closed) this.#release();
  }

  /** Bytes that are there from a position of the remote file on, and where they are. */
  find(position: number): { readonly at: number; readonly count: number } {
    const at = position - this.#offset;
    return { at, count: at >= 0 && at < this.#count ? this.#count - at : 0 };
  }

  /** Frees the memory, once no thread writes to it any more. */
  close(): void {
    this.#closed = true;
    if (!this.#filling) this.#release();
  }

  #release(): void {
    if (this.fd >= 0) raw.close(this.fd);
    this.fd = -1;
  }
}
