/**
 * Responses of Bun's `node:http`.
 *
 * sluice writes to a duplicate of the descriptor (see bun_descriptor.ts), whose number no other connection
 * can get.
 *
 * @module
 */

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { builtin } from "../builtins.ts";
import * as raw from "../sys/raw/mod.ts";
import { duplicateOf } from "./bun_descriptor.ts";
import { bytesGiven } from "./tcp.ts";
import type { RuntimeConnection } from "./types.ts";

const BUN = "Bun" in globalThis;

/** `HTTP/1.1 200 ` and the empty line: more than this is before and after the fields of a head. */
const LEAST_HEAD = 15;

/** Looks for bytes that Bun says it has passed on. */
const MOST_LOOKS = 20;

/** Between two looks at what Bun still holds, in milliseconds: at first, and when a client is slow. */
const BUSY_MS = 5;
const LONGEST_BUSY_MS = 80;

/** Bytes below which Bun's own writes cost less: see docs/decisions/39-bun-responses.md. */
const LEAST_BODY = 192 * 1024;

/** Methods of all responses. */
type Methods = Pick<ServerResponse, "write" | "end" | "flushHeaders">;

/** Bun's own; `null` if a program had replaced one of them before they were needed. */
let methods: Methods | null | undefined;

function ownMethods(): Methods | null {
  const { end, flushHeaders, write } = builtin("http").ServerResponse.prototype;
  // Bun shows the sources of its own functions.
  const own = [end, flushHeaders, write].every((method) => {
    return Function.prototype.toString.call(method).includes("this[kHandle]");
  });
  return own ? { end, flushHeaders, write } : null;
}

/**
 * Whether a body of this length might bypass Bun, if {@linkcode bunConnectionOf} agrees. The methods of
 * the response must be Bun's.
 */
export function mayBypassBun(res: ServerResponse, length: number): boolean {
  const { ServerResponse } = builtin("http");
  if (!BUN || length < LEAST_BODY || !(res instanceof ServerResponse)) return false;
  if (methods === undefined) methods = ownMethods();
  const { socket } = res;
  return methods !== null && res.write === methods.write && res.end === methods.end &&
    res.flushHeaders === methods.flushHeaders && res.writableLength === 0 && socket !== null &&
    (socket as { encrypted?: boolean }).encrypted !== true &&
    typeof socket.remotePort === "number";
}

/**
 * Sends the head, and waits until it has left Bun: bytes on the descriptor must not overtake it.
 *
 * The kernel counts the bytes that it was given. It must have got at least what the fields take, while
 * Bun says that it holds none.
 *
 * @param length Bytes of the body: the search takes as long as they are worth.
 * @returns `null` if that is not so, or if the descriptor was not found: Bun must send the body.
 */
export async function bunConnectionOf(
  res: ServerResponse,
  length: number,
): Promise<RuntimeConnection | null> {
  const { socket } = res;
  const fd = socket === null ? -1 : duplicateOf(socket, length);
  if (fd < 0) return null;
  const connection = new BunResponse(res, socket!, fd);
  const before = bytesGiven(fd);
  const least = leastHead(res);
  res.flushHeaders();
  await passedOn();
  const given = bytesGiven(fd) - before >>> 0;
  const left = before >= 0 && given >= least && given < 2 ** 31 && !connection.queued();
  if (left && connection.fd() >= 0) return connection;
  connection.release();
  return null;
}

/** Writes bytes between two parts of a file: what Bun had to send of the first one leaves before. */
export async function writeByBun(connection: RuntimeConnection, bytes: Uint8Array): Promise<void> {
  await passedOn();
  for (let ms = BUSY_MS; connection.queued() && connection.fd() >= 0; ms = longer(ms)) {
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
  await new Promise<void>((resolve, reject) => {
    connection.write!(bytes, (error) => error ? reject(error) : resolve());
  });
}

/** Bun calls back before it passes on what was written: it does so when its handlers have returned. */
function passedOn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function longer(ms: number): number {
  return Math.min(2 * ms, LONGEST_BUSY_MS);
}

function leastHead(res: ServerResponse): number {
  let bytes = LEAST_HEAD;
  for (const [name, value] of Object.entries(res.getHeaders())) {
    bytes += name.length + String(value).length + 4;
  }
  return bytes;
}

class BunResponse implements RuntimeConnection {
  readonly #res: ServerResponse;
  readonly #socket: Socket;
  /** As it was before the length of the body was guarded. */
  readonly #write: ServerResponse["write"];
  #fd: number;
  #waiting: ((error?: Error | null) => void) | undefined;
  readonly polled = true;
  readonly #closed = () => {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.release();
    // Bun calls back no write of a connection that has closed.
    waiting?.(new Error("The connection has been closed"));
  };

  constructor(res: ServerResponse, socket: Socket, fd: number) {
    this.#res = res;
    this.#write = res.write.bind(res);
    this.#socket = socket;
    this.#fd = fd;
    res.once("close", this.#closed);
  }

  fd(): number {
    const { destroyed, socket, writableEnded } = this.#res;
    const open = !destroyed && !writableEnded && socket === this.#socket && !socket.destroyed;
    return open ? this.#fd : -1;
  }

  queued(): boolean {
    return this.#res.writableLength > 0;
  }

  write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    this.#waiting = done;
    const settle = (error?: Error | null) => {
      if (this.#waiting !== done) return;
      this.#waiting = undefined;
      done(error);
    };
    const before = bytesGiven(this.#fd);
    let looks = 0;
    let waitMs = BUSY_MS;
    const look = () => {
      if (this.#waiting !== done) return;
      const given = bytesGiven(this.#fd) - before >>> 0;
      if (!this.queued() && given >= bytes.length) return settle();
      // Whatever followed on the descriptor would overtake them.
      if (!this.queued() && ++looks > MOST_LOOKS) return settle(new Error("Bun keeps the bytes"));
      setTimeout(look, waitMs);
      waitMs = longer(waitMs);
    };
    this.#write(bytes, (error) => error ? settle(error) : void setImmediate(look));
  }

  whenClosed(listener: () => void): void {
    this.#waiting = listener;
  }

  // Bun shows no descriptor of its listener.
  listener(): void {}

  timed(): boolean {
    return (this.#socket.timeout ?? 0) > 0;
  }

  touch(): void {
    if (this.timed()) this.#socket.setTimeout(this.#socket.timeout!);
  }

  destroy(): void {
    this.release();
    this.#res.destroy();
  }

  release(): void {
    if (this.#fd < 0) return;
    raw.close(this.#fd);
    this.#fd = -1;
    this.#res.off("close", this.#closed);
  }
}
