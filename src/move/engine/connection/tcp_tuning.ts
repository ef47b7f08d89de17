/** What is set on the connections of others while they are sent to, and taken back. @module */

import { limitUnsent } from "../../../runtime/tcp.ts";
import type { RuntimeConnection } from "../../../runtime/types.ts";
import { pacedAgain, unpaced } from "../../../sys/net/loopback.ts";

/** Bytes from which on a connection is worth the calls: less goes into the kernel's own buffer. */
export const MUCH: number = 256 * 1024;

/** The options of one connection of somebody else. Does nothing on what is not TCP. */
export class Tuning {
  /** Whether what waits unsent is bounded, or need not be: then nobody need ask. */
  limited = false;
  #looked = false;
  #unpaced = false;

  /** Who is watched must make visible progress: see {@linkcode limitUnsent}. */
  limit(fd: number): void {
    this.limited = true;
    limitUnsent(fd);
  }

  /**
   * Who takes much, on loopback, need not be paced: 192 MiB of a file to 16 TCP clients of a broadcast
   * cost 0.17 CPU-seconds per GB then, and 0.20 with BBR; of a pipe 0.25 and 0.28; a bare loop of
   * sendfile(2) in C 0.14 and 0.25 (medians of interleaved rounds, Linux 6.18).
   */
  unpace(fd: number): void {
    if (this.#looked) return;
    this.#looked = true;
    this.#unpaced = unpaced(fd);
  }

  /** The connection goes back to its owner with the congestion control that it had. */
  end(connection: RuntimeConnection): void {
    if (!this.#unpaced) return;
    this.#unpaced = false;
    const fd = connection.fd();
    if (fd >= 0) pacedAgain(fd);
  }
}
