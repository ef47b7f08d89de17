/** The body of an upload on its way from the socket into a pipe. @module */

import { EAGAIN, EINTR, EINVAL, EIO } from "../../../errno.ts";
import type { Pipe } from "../../../move/engine/pipe.ts";
import { receiveStep, spliceStep } from "../../../move/engine/step/splice.ts";
import * as raw from "../../../sys/raw/mod.ts";
import type { ConnectionHandle } from "../connection/contracts.ts";
import { LOOKED_AT_BYTES } from "../proxy/body_pipe.ts";
import type { Framing } from "../proxy/framing.ts";
import type { UploadRequest, Uploads } from "./uploads.ts";

/** Results of `receive` beside error numbers: the whole body is here; it is malformed; no descriptor. */
export const DONE = 0;
export const MALFORMED = -100_000;
export const NO_PIPE = -100_001;

/** Shortest rest of a body for which splice(2) is worth it, in bytes. */
const SPLICED_BYTES = 64 * 1024;

/** Bytes of a page that small writes to a pipe may leave unused. */
const SLACK_BYTES = 4096;

/** Receives a body: long parts by splice(2); chunks, the end and encrypted bytes through memory. */
export class UploadBody {
  /** Bytes in the pipe. */
  held = 0;
  /** Bytes received after the end of the body. */
  behind: Uint8Array;
  readonly #uploads: Uploads;
  readonly #connection: ConnectionHandle;
  readonly #framing: Framing;
  /** Bytes of the file that are not in the pipe yet. */
  #ahead: Uint8Array;
  #pipe: Pipe | null = null;
  /** Whether all bytes in the pipe went through memory. */
  #copied = false;
  #splices: boolean;

  /** `splices` says whether the bytes of the file are on the socket as they are. */
  constructor(
    uploads: Uploads,
    connection: ConnectionHandle,
    { ahead, framing, rest }: UploadRequest,
    splices: boolean,
  ) {
    this.#uploads = uploads;
    this.#connection = connection;
    this.#ahead = ahead;
    this.#framing = framing;
    this.#splices = splices;
    this.behind = rest;
  }

  /** Whether the whole body has left the socket. */
  get complete(): boolean {
    return this.#framing.done;
  }

  /** Where to read the bytes in the pipe. */
  get pipeFd(): number {
    return this.#pipe!.readFd;
  }

  /** Fills the pipe: {@linkcode DONE}, or why it does not go on; `EAGAIN` also if the pipe is full. */
  receive(): number {
    this.#pipe ??= this.#uploads.pipes.take();
    if (this.#pipe === null) return NO_PIPE;
    let result = 1;
    while (result > 0 || result === EINTR) result = this.#fill(this.#pipe);
    return result;
  }

  /** The bytes in the pipe have been read. */
  stored(): void {
    this.held = 0;
  }

  /** Gives the pipe up. */
  release(): void {
    const { pipes } = this.#uploads;
    if (this.#pipe !== null && this.held > 0) pipes.drop(this.#pipe);
    else if (this.#pipe !== null) pipes.give(this.#pipe);
    this.#pipe = null;
  }

  #fill(pipe: Pipe): number {
    if (this.#ahead.length > 0) {
      if (this.held > 0) return EAGAIN;
      const written = raw.write(pipe.writeFd, this.#ahead.subarray(0, pipe.capacity));
      if (written <= 0) return written === 0 ? EIO : written;
      this.#ahead = this.#ahead.subarray(written);
      return this.#hold(written, true);
    }
    if (this.#framing.done) return DONE;
    const room = pipe.capacity - this.held;
    const { blind } = this.#framing;
    return this.#splices && blind >= SPLICED_BYTES
      ? this.#splice(pipe, Math.min(blind, room))
      : this.#copy(pipe, blind, room - SLACK_BYTES);
  }

  #splice(pipe: Pipe, most: number): number {
    if (most <= 0) return EAGAIN;
    const { fd } = this.#connection;
    const empty = this.held === 0;
    const moved = empty
      ? receiveStep(fd, pipe.writeFd, most)
      : spliceStep(fd, null, pipe.writeFd, null, most);
    // The end of the stream shows again once the pipe is empty.
    if (moved === 0) return empty ? EIO : EAGAIN;
    if (moved === EINVAL && empty) {
      this.#splices = false;
      return EINTR;
    }
    if (moved < 0) return moved;
    this.#framing.skip(moved);
    return this.#hold(moved, false);
  }

  #copy(pipe: Pipe, blind: number, room: number): number {
    const { buffer } = this.#uploads;
    // Bytes after the end of the body must fit into the buffer of the next requests.
    const wanted = Math.min(buffer.bytes.length, blind > 0 ? blind : LOOKED_AT_BYTES);
    // Spliced pages may be nearly empty: how much fits is then unknown.
    if (this.held > 0 && (!this.#copied || room < wanted)) return EAGAIN;
    const count = this.#connection.transport.recv(buffer, 0, wanted);
    if (count <= 0) return count === 0 ? EIO : count;
    const end = this.#framing.scan(buffer.bytes, 0, count);
    if (end < 0) return MALFORMED;
    if (end < count) this.behind = buffer.bytes.slice(end, count);
    const data = end - this.#framing.removed;
    if (data === 0) return EINTR;
    const written = raw.write(pipe.writeFd, buffer.bytes.subarray(0, data));
    if (written < 0 && written !== EAGAIN) return written;
    // A write fills pages of its own, so the pipe may be full with fewer bytes than its capacity.
    const taken = Math.max(0, written);
    if (taken < data) this.#ahead = buffer.bytes.slice(taken, data);
    return taken === 0 ? EAGAIN : this.#hold(taken, true);
  }

  #hold(count: number, copied: boolean): number {
    this.#copied = this.held === 0 ? copied : this.#copied && copied;
    this.held += count;
    return count;
  }
}
