/** What a broadcast sets on the connections of others, and takes back. @module */

import { limitUnsent } from "../../guest/tcp.ts";
import type { Guest } from "../../guest/types.ts";
import { pacedAgain, unpaced } from "../../wait/loopback.ts";

/** Bytes from which on a connection is worth the calls. */
const MUCH = 256 * 1024;

/** The options of one connection of somebody else. Does nothing on what is not TCP. */
export class Tuning {
  #limited = false;
  #looked = false;
  #unpaced = false;

  /**
   * Before something is written to a connection that has taken `bytes` so far. Who is watched by an
   * idle timer must make visible progress. Who takes much, on loopback, need not be paced.
   */
  begin(guest: Guest, fd: number, bytes: number): void {
    if (!this.#limited && guest.timed()) {
      this.#limited = true;
      limitUnsent(fd);
    }
    if (this.#looked || bytes < MUCH) return;
    this.#looked = true;
    this.#unpaced = unpaced(fd);
  }

  /** The connection goes back to its owner as it was. */
  end(guest: Guest): void {
    if (!this.#unpaced) return;
    this.#unpaced = false;
    const fd = guest.fd();
    if (fd >= 0) pacedAgain(fd);
  }
}
