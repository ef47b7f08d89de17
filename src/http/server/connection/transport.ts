/** Reads and writes the bytes of a connection, in plain text or through TLS. @module */

import type { Cell } from "../../../../ffi/libc/cell.ts";
import { sendCopyStep } from "../../../move/engine/step/memory.ts";
import { sendfileStep } from "../../../move/engine/step/sendfile.ts";
import { recvCell, sendCell } from "../../../sys/raw/cells.ts";
import { MessageFlag } from "../../../sys/flags/socket.ts";

/** Reads and writes a connection. Results are counts, or `-errno`. */
export interface Transport {
  /** Whether {@linkcode recv} has more even if the socket does not: see `TlsSession.buffered`. */
  readonly buffered: boolean;
  /** Whether files are copied: they are encrypted outside the kernel. */
  readonly copies: boolean;
  /** Whether a read waits for room in the socket instead of data. */
  readonly readWantsWrite: boolean;
  /** Whether the peer's end, once `recv` has told of it, is one that it has announced. */
  readonly complete: boolean;
  /** Whether the connection must end after the response: see `TlsSession`. */
  readonly keyUpdateDue: boolean;
  /** Receives at most `room` bytes into `cell`; 0 at the end. */
  recv(cell: Cell, start: number, room: number): number;
  /**
   * Sends from `cell`; after `EAGAIN`, pass the same data again. `more` means that more follows at
   * once.
   */
  send(cell: Cell, start: number, count: number, more: boolean): number;
  /**
   * Sends part of a file; 0 if the file ends before it. After `EAGAIN`, pass the same range again.
   */
  sendFile(file: number, position: number, count: number): number;
  /** Like `sendFile`, through memory, for a file that cannot pass on its pages. */
  sendCopy(file: number, position: number, count: number): number;
  /** Ends the output: 0, or `EAGAIN` if there is no room for it. */
  shutdown(): number;
  /** Frees memory; the socket stays open. */
  free(): void;
}

/** A socket without TLS. */
export class PlainTransport implements Transport {
  readonly buffered = false;
  readonly complete = true;
  readonly copies = false;
  readonly readWantsWrite = false;
  readonly keyUpdateDue = false;
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  recv(cell: Cell, start: number, room: number): number {
    return recvCell(this.#fd, cell, start, room, 0);
  }

  send(cell: Cell, start: number, count: number, more: boolean): number {
    const flags = more ? MessageFlag.NOSIGNAL | MessageFlag.MORE : MessageFlag.NOSIGNAL;
    return sendCell(this.#fd, cell, start, count, flags);
  }

  sendFile(file: number, position: number, count: number): number {
    return sendfileStep(this.#fd, file, position, count);
  }

  sendCopy(file: number, position: number, count: number): number {
    return sendCopyStep(this.#fd, file, position, count);
  }

  shutdown(): number {
    return 0;
  }

  free(): void {}
}
