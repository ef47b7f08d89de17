/** A file that one or several connections are sending. @module */

import { fdStat } from "../../../sys/file/statx.ts";
import { newFileId, type ResidentFile } from "../../../threads/residency_cache.ts";

/** Size of the blocks that statx(2) counts, in bytes. */
const BLOCK = 512;

/** An open file that can be closed. */
interface Closable {
  readonly fd: number;
  readonly size: number;
  readonly remote?: boolean | undefined;
  close(): void;
}

/** Counts the users of an open file, and closes it once it is retired and unused. */
export class SharedFile implements ResidentFile {
  /** The descriptor. */
  readonly fd: number;
  /** Size in bytes when it was opened. */
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

  /** Whether the file has holes, by its block count; asks the kernel once. */
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

  /** Removes a user. */
  release(): void {
    this.#users--;
    this.#closeUnused();
  }

  /** Closes the file now, or when its last user leaves. No new users may follow. */
  retire(): void {
    this.#retired = true;
    this.#closeUnused();
  }

  #closeUnused(): void {
    if (this.#retired && this.#users === 0) this.#file.close();
  }
}
