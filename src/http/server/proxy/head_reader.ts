/** Collects the head of a response from any number of pieces. @module */

import type { Cell } from "../../../../ffi/libc/cell.ts";
import { concat } from "../../../bytes.ts";
import { EAGAIN, EINTR } from "../../../errno.ts";
import { recvCell } from "../../../sys/raw/cells.ts";
import { MessageFlag } from "../../../sys/flags/socket.ts";
import { Moved } from "./body_pipe.ts";
import { type Asked, endOfHead, readResponse, type ResponseHead } from "./response.ts";

/** Maximum length of a head in bytes. */
const MOST_HEAD = 64 * 1024;

/** Maximum number of 1xx responses before the final one. */
const MOST_INTERIM = 16;

const NOTHING = new Uint8Array(0);

/** Reads all heads of one response, including interim ones. */
export class HeadReader {
  /** What has arrived; at first a part of the shared buffer. */
  #arrived: Uint8Array = NOTHING;
  /** Whether {@linkcode #arrived} is a copy. */
  #own = true;
  /** Offset up to which the end of the head has been searched. */
  #searched = 0;
  #heads = 0;

  /** Whether not a single byte has arrived. */
  get empty(): boolean {
    return this.#heads === 0 && this.#arrived.length === 0;
  }

  /**
   * The next head; `undefined` if it is incomplete, `null` if it is invalid. `date` is for a response
   * without one.
   */
  next(asked: Asked, date: Uint8Array): ResponseHead | null | undefined {
    const arrived = this.#arrived;
    const end = endOfHead(arrived, this.#searched - 3);
    if (end < 0) {
      this.#searched = arrived.length;
      return arrived.length > MOST_HEAD ? null : undefined;
    }
    const head = readResponse(arrived, end, asked, date);
    if (head === null || ++this.#heads > MOST_INTERIM) return null;
    this.#arrived = arrived.subarray(head.end);
    this.#searched = 0;
    // The one that follows is read in a later turn.
    if (head.status < 200) this.#keep();
    return head;
  }

  /** Bytes received after the last head; valid until others use the shared buffer. */
  rest(): Uint8Array {
    const rest = this.#arrived;
    this.#arrived = NOTHING;
    return rest;
  }

  /** Receives more; returns `MORE` if there was data, else another value of `Moved`. */
  receive(fd: number, buffer: Cell): number {
    this.#keep();
    const { bytes } = buffer;
    const count = recvCell(fd, buffer, 0, bytes.length, MessageFlag.DONTWAIT);
    if (count === EAGAIN) return Moved.READ;
    if (count === EINTR) return Moved.MORE;
    if (count <= 0) return count === 0 ? Moved.CUT : Moved.SOURCE_FAILED;
    const before = this.#arrived;
    const received = bytes.subarray(0, count);
    this.#own = before.length > 0;
    this.#arrived = this.#own ? concat([before, received]) : received;
    return Moved.MORE;
  }

  /** Copies what has arrived out of the shared buffer. */
  #keep(): void {
    if (!this.#own) this.#arrived = this.#arrived.slice();
    this.#own = true;
  }
}
