/** Socket options set on the runtime's connections during a transfer, then restored. @module */

import { limitUnsent } from "../../../runtime/tcp.ts";
import type { RuntimeConnection } from "../../../runtime/types.ts";
import { isPaced, pacedAgain, unpaced, unpaceListener } from "../../../sys/net/loopback.ts";

/** Bytes above which tuning is worth its calls: less fits into the kernel's own buffer. */
export const MUCH: number = 256 * 1024;

/** The options of one connection. Does nothing on sockets other than TCP. */
export class Tuning {
  /** Whether unsent bytes are limited, or need no limit: skip the check then. */
  limited = false;
  #looked = false;
  #unpaced = false;

  /** Makes progress visible on a watched connection: see {@linkcode limitUnsent}. */
  limit(fd: number): void {
    this.limited = true;
    limitUnsent(fd);
  }

  /**
   * Turns off pacing for the listener of a connection, if it is bound to loopback.
   *
   * The kernel never takes its timers away from a connection that began with pacing. Connections
   * that the listener accepts from now on begin without: see `npm run bench -- unpinned`.
   */
  unpaceListener(connection: RuntimeConnection): void {
    const fd = connection.fd();
    if (fd < 0 || !isPaced(fd)) return;
    connection.listener((listener) => unpaceListener(listener, fd));
  }

  /**
   * Turns off pacing for a large transfer on loopback, where it only costs CPU time: see
   * `npm run bench -- broadcast`.
   */
  unpace(fd: number): void {
    if (this.#looked) return;
    this.#looked = true;
    this.#unpaced = unpaced(fd);
  }

  /** Restores the connection's congestion control for its owner. */
  end(connection: RuntimeConnection): void {
    if (!this.#unpaced) return;
    this.#unpaced = false;
    const fd = connection.fd();
    if (fd >= 0) pacedAgain(fd);
  }
}
