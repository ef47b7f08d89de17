/** Replaces the reads of a stream while its file leaves by sendfile(2). @module */

import type { ReadStream } from "node:fs";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { builtin } from "../../builtins.ts";
import { TruncatedError } from "../../errors.ts";
import { isKnownStream } from "../../runtime/internals.ts";
import { contentLength, isEligible, isResponse, socketOf } from "../../runtime/response.ts";
import { isPlain, socketConnection } from "../../runtime/socket.ts";
import { CorkGuard } from "../../runtime/tcp.ts";
import { available } from "../../sys/libc.ts";
import { lseek } from "../../sys/raw/files.ts";
import { FileType } from "../../sys/file/statx.ts";
import { givesDescriptors } from "../../threads/blocking/file_numbers.ts";
import { localStatus } from "../../threads/blocking/files.ts";
import { isBrief, keepToLength, mayImplyLength } from "./response_length.ts";
import {
  mayBypass,
  openBody,
  openOnBun,
  type ResponseBody,
} from "../engine/connection/response_body.ts";
import { TransferProgress } from "../engine/progress.ts";
import { Pump, type PumpEnd } from "../engine/sendfile_loop.ts";

const SEEK_SET = 0;
const SEEK_CUR = 1;

/** A `ReadStream` with fields that it has on every runtime. */
export interface FileReadable extends ReadStream {
  readonly fd: number;
  /** The next byte to read; `undefined` while the file's own position is used. */
  pos: number | undefined;
  /**
   * The last byte to read, counted like `pos` or, without it, like `bytesRead`; `Infinity` for all.
   */
  readonly end: number;
}

/** A destination that sluice may write to without the runtime. */
export type Destination = ServerResponse | Socket;

type SentBody = Omit<ResponseBody, "write">;

/** The part of a file that remains to be sent. */
export interface Rest {
  readonly start: number;
  readonly length: number;
  /** Whether the response gets its Content-Length from here. */
  readonly implied: boolean;
}

/**
 * How a sendfile bypass ended by itself.
 *
 * `"complete"`: the peer has all promised bytes. `"open"`: no length was promised; a read will show
 * whether more follows. `"failed"`: ordinary reads must continue from here, and will meet the same
 * error. `"cut"`: the file was shorter than promised, and the connection has been closed.
 */
export type SendfileBypassEnd = "complete" | "open" | "failed" | "cut";

/** Whether bytes may go to `target` without the runtime. */
export function isDestination(target: unknown): target is Destination {
  if (typeof target !== "object" || target === null) return false;
  if (isResponse(target)) return mayBypass(target, contentLength(target) ?? Infinity);
  const { Socket } = builtin("net");
  const { write, _write, end } = Socket.prototype;
  return target instanceof Socket && !target.connecting && !target.writableEnded &&
    target.write === write && target._write === _write && target.end === end && isPlain(target);
}

/** The options of a stream against which its fields are checked. */
export interface GivenOptions {
  readonly start: number | undefined;
  /** A file that the stream did not open itself. */
  readonly fd: unknown;
}

/**
 * The remaining range, if it is known and equals the length promised to the peer.
 *
 * @param ends Whether the end of the stream ends the destination.
 */
export function restFor(
  stream: FileReadable,
  destination: Destination,
  given: GivenOptions,
  ends: boolean,
): Rest | undefined {
  const { fd, pos, end, bytesRead } = stream;
  if (!available() || isBrief(destination, stream)) return undefined;
  const position = () => lseek(fd, 0, SEEK_CUR);
  if (!isKnownStream(stream, given.start, given.fd ? undefined : position)) return undefined;
  // If another machine or program holds the file, the runtime's threads read it.
  const stat = localStatus(fd);
  if (stat === undefined || typeof stat === "number" || stat.type !== FileType.REGULAR) {
    return undefined;
  }
  if (!givesDescriptors(fd)) return undefined;
  const start = pos ?? position();
  const length = Math.min(stat.size - start, end + 1 - (pos ?? bytesRead));
  if (start < 0 || length <= 0) return undefined;
  if (!isResponse(destination)) return { start, length, implied: false };
  if (!isEligible(destination) && (bytesRead > 0 || !mayBypass(destination, length))) {
    return undefined;
  }
  // Part of the body may have gone through the runtime already.
  const promised = contentLength(destination);
  if (promised === length + bytesRead) return { start, length, implied: false };
  const implied = promised === undefined && ends && mayImplyLength(destination, stream);
  return implied ? { start, length, implied } : undefined;
}

/** One sendfile bypass: from the read that it replaces to the end or an interruption. */
export class SendfileBypass {
  /** Settles once no thread reads the file for it: only then may the file be closed. */
  idle: Promise<void> = Promise.resolve();
  readonly #stream: FileReadable;
  readonly #destination: Destination;
  readonly #rest: Rest;
  readonly #progress: TransferProgress;
  readonly #ended: (end: SendfileBypassEnd) => void;
  #body: SentBody | null = null;
  #pump: Pump | undefined;
  #over = false;

  constructor(
    stream: FileReadable,
    destination: Destination,
    rest: Rest,
    ended: (end: SendfileBypassEnd) => void,
  ) {
    this.#stream = stream;
    this.#destination = destination;
    this.#rest = rest;
    this.#ended = ended;
    this.#progress = new StreamProgress(stream, rest.length);
  }

  /** Starts; it may end before this returns. */
  start(): void {
    const destination = this.#destination;
    if (!isResponse(destination)) {
      const connection = socketConnection(destination);
      const cork = new CorkGuard(connection);
      const close = () => {
        cork.end();
        connection.release();
      };
      return this.#pumpTo(this.#body = { connection, cork, close });
    }
    if (!isEligible(destination)) return this.#respondOnBun(destination);
    if (destination.socket !== null) return this.#respond(destination, destination.socket);
    socketOf(destination).then((socket) => {
      if (this.#over) return;
      const changed = this.#rest.implied && !mayImplyLength(destination, this.#stream);
      if (socket !== null && isDestination(destination) && !changed) {
        this.#respond(destination, socket);
      } else this.#finish("failed");
    });
  }

  #respond(response: ServerResponse, socket: Socket): void {
    const promised = this.#rest.length + this.#stream.bytesRead;
    this.#announce(response, promised, () => {
      try {
        // Listeners may have changed the head, or this stream, at the last moment.
        this.#body = openBody(response, socket, (length) => !this.#over && length === promised);
      } catch {
        // An ordinary stream will meet the same error and throw it.
      }
    });
    if (this.#body !== null) this.#pumpTo(this.#body);
    else if (!this.#over) this.#finish("failed");
  }

  #respondOnBun(response: ServerResponse): void {
    const { length } = this.#rest;
    const opening = this.#announce(response, length, () => openOnBun(response, length));
    opening.catch(() => null).then((body) => {
      if (this.#over) return body?.close();
      if (body === null) return this.#finish("failed");
      this.#body = body;
      this.#pumpTo(body);
    });
  }

  /** Calls `send`, which sends the head, with a Content-Length if that is implied. */
  #announce<T>(response: ServerResponse, promised: number, send: () => T): T {
    const { implied } = this.#rest;
    // Immediately before the head is sent: until then, the program may decide otherwise.
    if (implied) response.setHeader("Content-Length", promised);
    const result = send();
    if (implied && !response.headersSent) response.removeHeader("Content-Length");
    else if (implied && contentLength(response) === promised) {
      keepToLength(response, promised, () => this.#over ? this.#progress.bytes : promised);
    }
    return result;
  }

  #pumpTo({ connection, cork }: SentBody): void {
    const { start, length } = this.#rest;
    this.#progress.begin();
    const options = { file: this.#stream.fd, start, length, connection, progress: this.#progress };
    this.#pump = new Pump({ ...options, cork }, (end) => this.#conclude(end));
    this.#pump.start();
  }

  #conclude(end: PumpEnd): void {
    const promised = isResponse(this.#destination);
    if (end === undefined) return this.#finish(promised ? "complete" : "open");
    if (!(end instanceof TruncatedError)) return this.#finish("failed", end);
    if (!promised) return this.#finish("open");
    // Never pad, and never let the next response begin inside this one.
    this.#body!.connection.destroy();
    this.#finish("cut", end);
  }

  #finish(end: SendfileBypassEnd, error?: Error): void {
    this.stop(error);
    this.#ended(end);
  }

  /** Ends the sendfile bypass at its current byte, without a report. */
  stop(error?: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#pump?.stop();
    this.#body?.close();
    if (this.#pump === undefined) return;
    this.idle = this.#pump.idle;
    const { pos, fd: file } = this.#stream;
    if (pos === undefined) lseek(file, this.#pump.position, SEEK_SET);
    this.#progress.publish(error);
  }
}

/** Keeps the stream's own count up to date. */
class StreamProgress extends TransferProgress {
  readonly #stream: FileReadable;

  constructor(stream: FileReadable, total: number) {
    super({}, total, "createReadStream");
    this.#stream = stream;
  }

  override moved(count: number, method: string): void {
    super.moved(count, method);
    const stream = this.#stream;
    stream.bytesRead += count;
    if (stream.pos !== undefined) stream.pos += count;
  }
}
