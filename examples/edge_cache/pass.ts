/** Passes one response from the origin to one client, by splice(2), and stores nothing. @module */

import * as sys from "../../src/sys/mod.ts";
import { Exchange, type Origin } from "./exchange.ts";
import { forwardable, type RequestHead, type ResponseHead } from "./head.ts";
import type { Loop } from "./loop.ts";

const { raw } = sys;
const { NONBLOCK } = sys.SpliceFlag;
const EAGAIN = -11;
const PIPE_BYTES = 64 * 1024;

/** The client of a pass. */
export interface Recipient {
  readonly fd: number;
  /** Sends a head, and afterwards calls {@linkcode Pass.move}. */
  head(head: ResponseHead): void;
  /** Waits until the client takes more. */
  awaitRoom(): void;
  /** The response is complete, or it was cut. */
  finish(complete: boolean): void;
  refuse(status: number): void;
}

/** A response on its way to one client. */
export class Pass {
  readonly #exchange: Exchange;
  readonly #client: Recipient;
  readonly #pipe = sys.pipe2(sys.OpenFlag.NONBLOCK | sys.OpenFlag.CLOEXEC);
  /** Bytes in the pipe. */
  #held = 0;
  /** Bytes to come; `Infinity` if the connection ends the body. */
  #left = 0;
  #started = false;
  #closed = false;

  constructor(loop: Loop, origin: Origin, request: RequestHead, client: Recipient) {
    this.#client = client;
    try {
      this.#exchange = new Exchange(loop, origin, requestText(request, origin), {
        onHead: (head) => this.#begin(head, request.method === "HEAD"),
        onReadable: () => this.move(),
        onFail: (status) => this.#fail(status),
      });
    } catch (error) {
      for (const fd of this.#pipe) sys.close(fd);
      throw error;
    }
  }

  /** Moves bytes until the origin has no more now, or the client takes no more. */
  move(): void {
    if (this.#closed) return;
    const [read, write] = this.#pipe;
    this.#exchange.touch();
    // Fills the pipe only when it is empty. A full pipe gives the same EAGAIN as an empty socket.
    while (this.#left > 0 || this.#held > 0) {
      if (this.#held === 0) {
        const wanted = Math.min(this.#left, PIPE_BYTES);
        const count = raw.splice(this.#exchange.fd, null, write, null, wanted, NONBLOCK);
        if (count === EAGAIN) return this.#exchange.read(true);
        if (count <= 0) return this.#end(count === 0 && this.#left === Infinity);
        this.#held = count;
        this.#left -= count;
      }
      const count = raw.splice(read, null, this.#client.fd, null, this.#held, NONBLOCK);
      if (count === EAGAIN) {
        this.#exchange.read(false);
        return this.#client.awaitRoom();
      }
      if (count <= 0) return this.#end(false);
      this.#held -= count;
    }
    this.#end(true);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#exchange.close();
    for (const fd of this.#pipe) sys.close(fd);
  }

  #begin(head: ResponseHead, withoutBody: boolean): void {
    const length = head.fields.get("content-length");
    const none = withoutBody || head.status === 204 || head.status === 304;
    this.#left = none ? 0 : length === undefined ? Infinity : Number(length);
    this.#started = true;
    this.#exchange.read(false);
    this.#client.head(head);
  }

  #end(complete: boolean): void {
    this.close();
    this.#client.finish(complete);
  }

  #fail(status: number): void {
    this.close();
    if (this.#started) this.#client.finish(false);
    else this.#client.refuse(status);
  }
}

function requestText(request: RequestHead, { host }: Origin): Buffer {
  const own = new Set(["host", "content-length", "via"]);
  const lines = forwardable(request.fields, request.fields)
    .filter(([name]) => !own.has(name))
    .map(([name, value]) => `${name}: ${value}\r\n`);
  const via = `Via: 1.1 edge-cache\r\n`;
  return Buffer.from(
    `${request.method} ${request.target} HTTP/1.0\r\nHost: ${host}\r\n${via}${lines.join("")}\r\n`,
    "latin1",
  );
}
