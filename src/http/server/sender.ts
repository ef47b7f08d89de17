/** Getting an answer into a socket: memory by send(2), files by sendfile(2). @module */

import type { Cell } from "../../../ffi/libc/cell.ts";
import { Cell as OwnCell } from "../../../ffi/libc/cell.ts";
import { errnoNumber } from "../../errors.ts";
import * as raw from "../../sys/raw/mod.ts";
import type { Part } from "../plan/types.ts";
import type { SharedFile } from "./shared_file.ts";
import { isBytes } from "./reply.ts";
import type { Transport } from "./transport.ts";
import type { Warmth } from "./warmth.ts";

/** How sending stands. */
export const Sent = {
  /** Everything is with the kernel. */
  ALL: 0,
  /** The socket is full. */
  BLOCKED: 1,
  /** Others want their turn. */
  YIELDED: 2,
  /** The next window of the file must come from the disk first. */
  COLD: 3,
  /** The kernel has no memory; try again a little later. */
  STARVED: 4,
  /** The file is shorter than what was promised of it. */
  TRUNCATED: 5,
  /** The peer is gone, or the file cannot be read. */
  FAILED: 6,
} as const;

/** Most bytes of a file in one call: what is asked about at once, see residency.ts. */
export const CHUNK: number = 512 * 1024;

/** Bytes after which others get their turn: 2 ms at 10 Gbit/s. */
const BUDGET = 2 * 1024 * 1024;

/** Bytes copied at once where a file cannot hand out its pages. */
const COPY_BYTES = 128 * 1024;

const EAGAIN = -errnoNumber("EAGAIN");
const EINTR = -errnoNumber("EINTR");
const NO_MEMORY = new Set(["ENOBUFS", "ENOMEM"].map((name) => -errnoNumber(name)));
/** What sendfile says of files and sockets between which it cannot move pages. */
const NO_SENDFILE = new Set(
  ["EINVAL", "ENOSYS", "EOPNOTSUPP", "EPERM"].map((name) => -errnoNumber(name)),
);

let copyBuffer: OwnCell | undefined;

/** What of an answer is still to be sent on one connection. One object serves its whole life. */
export class Sender {
  readonly #transport: Transport;
  readonly #warmth: Warmth;
  #cell: Cell | null = null;
  #at = 0;
  #end = 0;
  #file: SharedFile | null = null;
  #position = 0;
  #fileEnd = 0;
  #parts: readonly Part[] = [];
  #next = 0;
  #copies = false;
  /** Bytes that the kernel has taken, over the whole life of the connection. */
  total = 0;

  constructor(transport: Transport, warmth: Warmth) {
    this.#transport = transport;
    this.#warmth = warmth;
  }

  /** Whether something is left. */
  get busy(): boolean {
    return this.#cell !== null || this.#position < this.#fileEnd ||
      this.#next < this.#parts.length;
  }

  /** The file that is being sent, and where its next window is. */
  get cold(): { readonly file: SharedFile; readonly position: number; readonly length: number } {
    const length = Math.min(CHUNK, this.#fileEnd - this.#position);
    return { file: this.#file!, position: this.#position, length };
  }

  /** Tries to send bytes at once, while nothing is queued; what is left is the caller's to queue. */
  attempt(cell: Cell, end: number, more: boolean): number {
    const sent = this.#transport.send(cell, 0, end, more);
    if (sent > 0) this.total += sent;
    return sent;
  }

  /** Queues bytes, which must not change, and then parts of a file, of which it becomes a user. */
  queue(
    cell: Cell,
    at: number,
    end: number,
    parts: readonly Part[],
    file: SharedFile | null,
  ): void {
    this.#cell = at < end ? cell : null;
    this.#at = at;
    this.#end = end;
    this.#parts = parts;
    this.#next = 0;
    this.#file = file?.use() ?? null;
    this.#position = 0;
    this.#fileEnd = 0;
    this.#copies = false;
  }

  /** Forgets what is left, and the file. */
  drop(): void {
    this.#cell = null;
    this.#parts = [];
    this.#next = 0;
    this.#position = this.#fileEnd = 0;
    this.#file?.release();
    this.#file = null;
  }

  /** Sends as much as goes; returns one of {@linkcode Sent}. */
  pump(): number {
    let budget = BUDGET;
    for (;;) {
      let sent: number;
      if (this.#cell !== null) {
        const more = this.#next < this.#parts.length || this.#position < this.#fileEnd;
        sent = this.#transport.send(this.#cell, this.#at, this.#end - this.#at, more);
        if (sent > 0 && (this.#at += sent) === this.#end) this.#cell = null;
      } else if (this.#position < this.#fileEnd) {
        if (budget <= 0) return Sent.YIELDED;
        const left = Math.min(CHUNK, this.#fileEnd - this.#position);
        const count = this.#warmth.ready(this.#file!, this.#position, left);
        if (count === 0) return Sent.COLD;
        sent = this.#copies ? this.#copy(count) : this.#sendfile(count);
        if (sent === 0) return Sent.TRUNCATED;
        if (sent > 0) this.#position += sent;
      } else if (this.#next < this.#parts.length) {
        this.#advance(this.#parts[this.#next++]!);
        continue;
      } else {
        this.drop();
        return Sent.ALL;
      }
      if (sent > 0) {
        this.total += sent;
        budget -= sent;
      } else if (sent === EAGAIN) return Sent.BLOCKED;
      else if (NO_MEMORY.has(sent)) return Sent.STARVED;
      else if (sent !== EINTR && sent !== RETRY) return Sent.FAILED;
    }
  }

  #advance(part: Part): void {
    if (isBytes(part)) {
      this.#cell = new OwnCell(part.length);
      this.#cell.bytes.set(part);
      this.#at = 0;
      this.#end = part.length;
    } else {
      this.#position = part.start;
      this.#fileEnd = part.start + part.length;
    }
  }

  #sendfile(count: number): number {
    const sent = this.#transport.sendFile(this.#file!.fd, this.#position, count);
    if (!NO_SENDFILE.has(sent)) return sent;
    // Some file systems cannot hand out their pages: from here on by way of memory.
    this.#copies = true;
    return RETRY;
  }

  #copy(count: number): number {
    copyBuffer ??= new OwnCell(COPY_BYTES);
    const target = copyBuffer.bytes.subarray(0, Math.min(count, COPY_BYTES));
    const read = raw.pread(this.#file!.fd, target, this.#position);
    if (read <= 0) return read;
    return this.#transport.send(copyBuffer, 0, read, false);
  }
}

/** No result of a call: go round once more. */
const RETRY = -100_000;
