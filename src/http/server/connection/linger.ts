/** The end of a connection that does not take away what the client has not read yet. @module */

import type { Cell } from "../../../../ffi/libc/cell.ts";
import { EAGAIN, EINTR } from "../../../errno.ts";
import { recvCell } from "../../../sys/raw/cells.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { ShutdownHow } from "../../../sys/flags/socket.ts";

/** Most bytes that are read after the last answer: see RFC 9112, 9.6. */
const MOST_BYTES = 1024 * 1024;

/**
 * Shuts the sending side down, and reads what still comes: closing with unread bytes would reset the
 * connection, and the client would lose the end of the answer.
 */
export class Linger {
  readonly #fd: number;
  readonly #input: Cell;
  #bytes = 0;

  /** Ends the output of `fd`; what comes is read into `input`, and forgotten. */
  constructor(fd: number, input: Cell) {
    this.#fd = fd;
    this.#input = input;
    raw.shutdown(fd, ShutdownHow.WR);
  }

  /** Reads what has arrived; true when it is time to close. */
  received(): boolean {
    const received = recvCell(this.#fd, this.#input, 0, this.#input.bytes.length, 0);
    if (received === EAGAIN || received === EINTR) return false;
    return received <= 0 || (this.#bytes += received) >= MOST_BYTES;
  }
}
