/** One request to the origin, by HTTP/1.0: the body ends with its length or its connection. @module */

import * as sys from "../../src/sys/mod.ts";
import { MOST_HEAD, parseResponse, type ResponseHead } from "./head.ts";
import type { Loop } from "./loop.ts";

const { raw } = sys;
const { IN, OUT } = sys.EpollEvent;
const { STREAM, NONBLOCK, CLOEXEC } = sys.SocketType;
const EAGAIN = -11;

/** Time without a byte of the origin after which it counts as dead, in milliseconds. */
const ORIGIN_TIMEOUT_MS = 30_000;

/** The origin server. */
export interface Origin {
  readonly address: sys.SocketAddress;
  /** Value of the Host field. */
  readonly host: string;
}

/** Who wants the response. */
export interface ExchangeHandler {
  /** The head has arrived; the body is still in the socket. */
  onHead(head: ResponseHead): void;
  /** The body has bytes, or has ended. */
  onReadable(): void;
  /** No response, or no more of it: a status for clients that have no head yet. */
  onFail(status: number): void;
}

const running = new Set<Exchange>();
const scratch = Buffer.alloc(MOST_HEAD);

/** Sends a request, and reads the head of the response and nothing after it. */
export class Exchange {
  readonly fd: number;
  readonly #loop: Loop;
  readonly #handler: ExchangeHandler;
  #unsent: Uint8Array;
  /** Part of the head that has been taken out of the socket. */
  #head = Buffer.alloc(0);
  #state: "connecting" | "head" | "body" | "closed" = "connecting";
  #lastMs: number;

  constructor(loop: Loop, origin: Origin, request: Uint8Array, handler: ExchangeHandler) {
    this.#loop = loop;
    this.#handler = handler;
    this.#unsent = request;
    this.#lastMs = loop.now;
    const inet = origin.address.family === "IPv6" ? "INET6" : "INET";
    this.fd = sys.socket(sys.AddressFamily[inet], STREAM | NONBLOCK | CLOEXEC);
    try {
      sys.connect(this.fd, origin.address);
    } catch (error) {
      if ((error as { code?: string }).code !== "EINPROGRESS") {
        sys.close(this.fd);
        throw error;
      }
    }
    loop.add(this.fd, OUT, () => this.#ready());
    running.add(this);
  }

  /** Waits for bytes of the body, or does not. */
  read(wanted: boolean): void {
    this.#loop.set(this.fd, wanted ? IN : 0);
  }

  /** Notes that the origin is alive. */
  touch(): void {
    this.#lastMs = this.#loop.now;
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    running.delete(this);
    this.#loop.close(this.fd);
  }

  /** Ends with an error. */
  fail(status: number): void {
    if (this.#state === "closed") return;
    this.close();
    this.#handler.onFail(status);
  }

  /** Whether the origin has been silent for too long. */
  get late(): boolean {
    return this.#loop.now - this.#lastMs > ORIGIN_TIMEOUT_MS;
  }

  #ready(): void {
    this.touch();
    if (this.#state === "body") this.#handler.onReadable();
    else if (this.#state === "head") this.#readHead();
    else this.#send();
  }

  #send(): void {
    const count = raw.send(this.fd, this.#unsent, sys.MessageFlag.NOSIGNAL);
    if (count === EAGAIN) return;
    if (count < 0) return this.fail(502); // the outcome of connect(2), too
    this.#unsent = this.#unsent.subarray(count);
    if (this.#unsent.length > 0) return;
    this.#state = "head";
    this.#loop.set(this.fd, IN);
  }

  #readHead(): void {
    // Peeks first: the body stays in the socket for splice(2).
    const count = raw.recv(this.fd, scratch, sys.MessageFlag.PEEK);
    if (count === EAGAIN) return;
    if (count <= 0) return this.fail(502);
    const before = this.#head.length;
    const bytes = Buffer.concat([this.#head, scratch.subarray(0, count)]);
    let head: ResponseHead | null;
    try {
      head = parseResponse(bytes);
    } catch {
      return this.fail(502);
    }
    // Takes what belongs to the head. Otherwise the socket would stay readable.
    raw.recv(this.fd, scratch.subarray(0, (head?.length ?? bytes.length) - before), 0);
    this.#head = bytes;
    if (head === null) return;
    this.#state = "body";
    this.#handler.onHead(head);
  }
}

/** Ends all exchanges with an origin that is silent. */
export function endLateExchanges(): void {
  for (const exchange of running) if (exchange.late) exchange.fail(504);
}
