/** A request on its way to the program. @module */

import { BodyPipe, LOOKED_AT_BYTES, type SharedBuffers } from "./body_pipe.ts";
import type { Client } from "./client.ts";
import { Counted, type Framing } from "./framing.ts";
import type { PassedRequest } from "./proxy.ts";

/** The head and the body of a request; with a WebSocket, all that the client sends afterwards. */
export class Upload {
  /** Whether no more bytes go up. */
  done = false;
  readonly #buffers: SharedBuffers;
  readonly #client: Client;
  readonly #request: PassedRequest;
  #pipe: BodyPipe | null = null;

  constructor(buffers: SharedBuffers, client: Client, request: PassedRequest) {
    this.#buffers = buffers;
    this.#client = client;
    this.#request = request;
  }

  /** The pipe that moves the bytes; `null` before the program is connected. */
  get pipe(): BodyPipe | null {
    return this.#pipe;
  }

  /** Whether the client has sent all of it. */
  get arrived(): boolean {
    return this.#pipe === null ? this.#request.framing.done : this.done;
  }

  /** Begins to send the request to a descriptor. */
  begin(to: number): void {
    const { ahead, aheadBytes, framing, most } = this.#request;
    this.#open(to, framing, most).begin(ahead, aheadBytes);
  }

  /** Begins to send all that follows the request. From here on, nothing is inspected. */
  tunnel(to: number): void {
    this.#open(to, new Counted(Infinity), Infinity).beginWith(this.#request.rest);
  }

  /** Goes back to the time before the program was connected. */
  rewind(): void {
    this.#pipe?.release();
    this.#pipe = null;
  }

  /** Ends it. */
  end(): void {
    this.done = true;
    this.#pipe?.release();
  }

  #open(to: number, framing: Framing, most: number): BodyPipe {
    this.done = false;
    const from = this.#client.fd;
    return this.#pipe = new BodyPipe(this.#buffers, {
      from,
      to,
      lookedAt: LOOKED_AT_BYTES,
      framing,
      most,
    });
  }
}
