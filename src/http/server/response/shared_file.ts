/** A file that is being sent, by one connection or by many. @module */

import { fdStat } from "../../../sys/file/statx.ts";
import { newFileId, type ResidentFile } from "../../../threads/residency_cache.ts";

/** Bytes of the blocks that statx(2) counts. */
const BLOCK = 512;

/** What is shared. */
interface Closable {
  readonly fd: number;
  readonly size: number;
  readonly remote?: boolean | undefined;
  close(): void;
}

/** An open file that is closed when nobody uses it any more, and nobody will. */
export class SharedFile implements ResidentFile {
  /** The descriptor. */
  readonly fd: number;
  /** Bytes, when it was opened. */
  readonly size: number;
  readonly id: number = newFileId();
  /** Whether another machine or process has it. */
  readonly remote: boolean;
  readonly #file: Closable;
  #users = 0;
  #retired = false;
  #sparse: boolean | undefined;

  /** Owns `file`. */
  constructor(file: Closable) {
    this.fd = file.fd;
    this.size = file.size;
    this.remote = file.remote === true;
    this.#file = file;
  }

  /** Whether it has holes, by the blocks that it takes; asked of the kernel once. */
  get sparse(): boolean {
    if (this.#sparse !== undefined) return this.#sparse;
    const stat = fdStat(this.fd);
    return this.#sparse = typeof stat !== "number" && stat.blocks * BLOCK < stat.size;
  }

  /** Adds a user. */
  use(): this {
    this.#users++;
    return this;
  }

  /** Takes a user away. */
  release(): void {
    this.#users--;
    this.#closeUnused();
  }

  /** Nobody new will come: closes the file now, or when the last user leaves. */
  retire(): void {
    this.#retired = true;
    this.#closeUnused();
  }

  #closeUnused(): void {
    if (this.#retired && this.#users === 0) this.#file.close();
  }
}
