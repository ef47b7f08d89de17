/** What stands in for the reads of a stream while its file leaves by sendfile(2). @module */

import type { ReadStream } from "node:fs";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { builtin } from "../builtins.ts";
import { TruncatedError } from "../errors.ts";
import { contentLength, isEligible, isResponse, socketOf } from "../guest/response.ts";
import { isPlain, socketGuest } from "../guest/socket.ts";
import { Burst } from "../guest/tcp.ts";
import { available } from "../sys/libc.ts";
import { lseek } from "../sys/raw/files.ts";
import { fdStat, FileType } from "../sys/statx.ts";
import { openBody, type ResponseBody } from "./engine/response_body.ts";
import { Flow } from "./flow.ts";
import { Pump, type PumpEnd } from "./pump.ts";

const SEEK_SET = 0;
const SEEK_CUR = 1;

/** A `ReadStream` with the fields that it has on every runtime. */
export interface FileReadable extends ReadStream {
  readonly fd: number;
  /** The next byte to read; `undefined` while the file's own position is used. */
  pos: number | undefined;
  /** The last byte to read, counted as `pos` or, without it, as `bytesRead`; `Infinity` for all. */
  readonly end: number;
}

/** Where bytes can go behind the runtime's back. */
export type Destination = ServerResponse | Socket;

/** The part of a file that is left to send. */
export interface Rest {
  readonly start: number;
  readonly length: number;
}

/**
 * How a bypass ended of its own accord.
 *
 * `"complete"`: the peer has all that it was promised. `"open"`: nothing was promised, and a read
 * will tell whether there is more. `"failed"`: ordinary reads have to go on from here, and meet what
 * stopped us. `"cut"`: the file fell short of the promise, and the connection has been closed.
 */
export type BypassEnd = "complete" | "open" | "failed" | "cut";

/** Whether bytes may go to `target` behind the runtime's back. */
export function isDestination(target: unknown): target is Destination {
  if (typeof target !== "object" || target === null) return false;
  if (isResponse(target)) return isEligible(target);
  const { Socket } = builtin("net");
  const { write, _write, end } = Socket.prototype;
  return target instanceof Socket && !target.connecting && !target.writableEnded &&
    target.write === write && target._write === _write && target.end === end && isPlain(target);
}

/** What is left to send, where that is known and is what the peer has been promised. */
export function restFor(stream: FileReadable, destination: Destination): Rest | undefined {
  const { fd, pos, end, bytesRead } = stream;
  if (!available()) return undefined;
  const stat = fdStat(fd);
  if (typeof stat === "number" || stat.type !== FileType.REGULAR) return undefined;
  const start = pos ?? lseek(fd, 0, SEEK_CUR);
  const length = Math.min(stat.size - start, end + 1 - (pos ?? bytesRead));
  if (start < 0 || length <= 0) return undefined;
  // Part of the body may have gone through the runtime already.
  const promised = isResponse(destination) ? contentLength(destination) : length + bytesRead;
  return promised === length + bytesRead ? { start, length } : undefined;
}

/** One bypass: from the read that would have filled a buffer to the end, or to an interruption. */
export class Bypass {
  /** Settles once no thread reads the file on its behalf: only then may the file be closed. */
  idle: Promise<void> = Promise.resolve();
  readonly #stream: FileReadable;
  readonly #destination: Destination;
  readonly #rest: Rest;
  readonly #flow: Flow;
  readonly #ended: (end: BypassEnd) => void;
  #body: ResponseBody | null = null;
  #pump: Pump | undefined;
  #over = false;

  constructor(
    stream: FileReadable,
    destination: Destination,
    rest: Rest,
    ended: (end: BypassEnd) => void,
  ) {
    this.#stream = stream;
    this.#destination = destination;
    this.#rest = rest;
    this.#ended = ended;
    this.#flow = new StreamFlow(stream, rest.length);
  }

  /** Begins; the end may come before it returns. */
  start(): void {
    const destination = this.#destination;
    if (!isResponse(destination)) {
      const guest = socketGuest(destination);
      const burst = new Burst(guest);
      const close = () => {
        burst.end();
        guest.release();
      };
      return this.#pumpTo(this.#body = { guest, burst, close });
    }
    if (destination.socket !== null) return this.#respond(destination, destination.socket);
    socketOf(destination).then((socket) => {
      if (this.#over) return;
      if (socket !== null && isDestination(destination)) this.#respond(destination, socket);
      else this.#finish("failed");
    });
  }

  #respond(response: ServerResponse, socket: Socket): void {
    const promised = this.#rest.length + this.#stream.bytesRead;
    try {
      // Listeners may have had a last word: on the head, and on this stream.
      this.#body = openBody(response, socket, (length) => !this.#over && length === promised);
    } catch {
      // It throws once more where an ordinary stream lets it.
    }
    if (this.#body !== null) this.#pumpTo(this.#body);
    else if (!this.#over) this.#finish("failed");
  }

  #pumpTo({ guest, burst }: ResponseBody): void {
    const options = { file: this.#stream.fd, ...this.#rest, guest, flow: this.#flow };
    this.#pump = new Pump({ ...options, burst }, (end) => this.#conclude(end));
    this.#pump.start();
  }

  #conclude(end: PumpEnd): void {
    const promised = isResponse(this.#destination);
    if (end === undefined) return this.#finish(promised ? "complete" : "open");
    if (!(end instanceof TruncatedError)) return this.#finish("failed", end);
    if (!promised) return this.#finish("open");
    // Never pad, never let the next response begin inside this one.
    this.#body!.guest.destroy();
    this.#finish("cut", end);
  }

  #finish(end: BypassEnd, error?: Error): void {
    this.stop(error);
    this.#ended(end);
  }

  /** Ends the bypass at the byte that it has reached, without telling. */
  stop(error?: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#body?.close();
    if (this.#pump === undefined) return;
    this.#pump.stop();
    this.idle = this.#pump.idle;
    const { pos, fd: file } = this.#stream;
    if (pos === undefined) lseek(file, this.#pump.position, SEEK_SET);
    this.#flow.publish(error);
  }
}

/** Keeps the stream's own count current. */
class StreamFlow extends Flow {
  readonly #stream: FileReadable;

  constructor(stream: FileReadable, total: number) {
    super({}, total);
    this.#stream = stream;
  }

  override moved(count: number, method: string): void {
    super.moved(count, method);
    const stream = this.#stream;
    stream.bytesRead += count;
    if (stream.pos !== undefined) stream.pos += count;
  }
}
