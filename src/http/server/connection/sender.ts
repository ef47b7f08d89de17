/** Sends a response on a socket: memory by send(2), files by sendfile(2). @module */

import { type Cell, Cell as OwnCell } from "../../../../ffi/libc/cell.ts";
import { EINTR, EINVAL } from "../../../errno.ts";
import { COLD, Outcome, outcomeOf } from "../../../move/engine/step/outcome.ts";
import { WINDOW } from "../../../page_cache/resident.ts";
import type { ResidencyCache } from "../../../threads/residency_cache.ts";
import type { Part } from "../../rules/types.ts";
import { Staging } from "../remote/staging.ts";
import type { SharedFile } from "../response/shared_file.ts";
import { type BodySource, isBytes, type Rest, WAIT } from "../response/response.ts";
import type { RateLimit } from "./rate_limit.ts";
import type { Transport } from "./transport.ts";

/** Result of a step that yields to other connections; otherwise it is an {@linkcode Outcome}. */
export const YIELDED = 100;

/** Bytes after which other connections get their turn: 2 ms at 10 Gbit/s. */
const BUDGET = 2 * 1024 * 1024;

/** The unsent part of a response. One object serves the whole life of a connection. */
export class Sender {
  readonly #transport: Transport;
  readonly #residency: ResidencyCache;
  #cell: Cell | null = null;
  #at = 0;
  #end = 0;
  #file: SharedFile | null = null;
  #position = 0;
  #fileEnd = 0;
  #parts: readonly Part[] = [];
  #next = 0;
  /** What follows the parts. */
  #source: BodySource | null = null;
  #copies = false;
  /** What of a remote file is sent next. */
  #staging: Staging | null = null;
  /** Bytes that the kernel has taken since the connection started. */
  total = 0;
  /** Limits the rate; `null` for no limit. */
  readonly rate: RateLimit | null;

  constructor(transport: Transport, residency: ResidencyCache, rate: RateLimit | null) {
    this.#transport = transport;
    this.#residency = residency;
    this.rate = rate;
  }

  /** Counts bytes that the kernel has taken. */
  taken(count: number): void {
    this.total += count;
    this.rate?.sent(count);
  }

  /** Whether anything is left to send. */
  get busy(): boolean {
    return this.#cell !== null || this.#position < this.#fileEnd ||
      this.#next < this.#parts.length || this.#source !== null;
  }

  /** What has to be waited for, if that is not a file. */
  get awaited(): BodySource | null {
    return this.#position < this.#fileEnd ? null : this.#source;
  }

  /** The file being sent, and the position of its next window. */
  get cold(): { readonly file: SharedFile; readonly position: number; readonly length: number } {
    const length = Math.min(WINDOW, this.#fileEnd - this.#position);
    return { file: this.#file!, position: this.#position, length };
  }

  /** Where the next window of a remote file is to be put. */
  get staging(): Staging {
    return this.#staging ??= new Staging();
  }

  /** Tries to send bytes at once; nothing may be queued. The caller queues the rest. */
  attempt(cell: Cell, end: number, more: boolean): number {
    const sent = this.#transport.send(cell, 0, end, more);
    if (sent > 0) this.taken(sent);
    return sent;
  }

  /** Queues bytes, which must not change, and then the rest, whose file it starts to use. */
  queue(cell: Cell, at: number, end: number, { file, parts, source }: Rest): void {
    this.#cell = at < end ? cell : null;
    this.#at = at;
    this.#end = end;
    this.#parts = parts;
    this.#next = 0;
    this.#source = source;
    this.#file = file?.use() ?? null;
    this.#position = 0;
    this.#fileEnd = 0;
    this.#copies = false;
  }

  /** Drops everything left, and the file. */
  drop(): void {
    this.#cell = null;
    this.#parts = [];
    this.#next = 0;
    this.#position = this.#fileEnd = 0;
    this.#file?.release();
    this.#file = null;
    this.#source?.close();
    this.#source = null;
    this.#staging?.close();
    this.#staging = null;
  }

  /**
   * Sends as much as the socket takes; returns an {@linkcode Outcome}, `MOVED` when the kernel has
   * everything, or {@linkcode YIELDED}.
   */
  pump(): number {
    let budget = Math.min(BUDGET, this.rate?.left ?? BUDGET);
    for (;;) {
      let sent: number;
      if (this.#cell !== null) {
        // A source may take its time for what follows.
        const more = this.#next < this.#parts.length || this.#position < this.#fileEnd;
        sent = this.#transport.send(this.#cell, this.#at, this.#end - this.#at, more);
        if (sent > 0 && (this.#at += sent) === this.#end) this.#cell = null;
      } else if (this.#position < this.#fileEnd) {
        if (budget <= 0) return YIELDED;
        sent = this.#sendFile();
      } else if (this.#next < this.#parts.length) {
        this.#advance(this.#parts[this.#next++]!);
        continue;
      } else {
        const next = this.#source === null ? null : this.#source.nextPart();
        if (next === WAIT) return Outcome.COLD;
        if (next === false) return Outcome.SHORT;
        if (next === null) {
          this.drop();
          return Outcome.MOVED;
        }
        if (next instanceof Uint8Array) this.#advance(next);
        else this.#enter(next);
        continue;
      }
      if (sent > 0) {
        this.taken(sent);
        budget -= sent;
      } else if (sent !== EINTR) return outcomeOf(sent);
    }
  }

  /** Sends one step of the file: see outcome.ts. */
  #sendFile(): number {
    const file = this.#file!;
    const left = Math.min(WINDOW, this.#fileEnd - this.#position);
    if (file.remote) return this.#sendStaged(left);
    const count = this.#residency.ready(file, this.#position, left);
    if (count === 0) return COLD;
    let sent = this.#copies ? EINVAL : this.#transport.sendFile(file.fd, this.#position, count);
    if (outcomeOf(sent) === Outcome.REFUSED) {
      // Some file systems cannot pass on their pages: copy from now on.
      this.#copies = true;
      sent = this.#transport.sendCopy(file.fd, this.#position, count);
    }
    if (sent > 0) this.#position += sent;
    return sent;
  }

  /** One step of a remote file. Its bytes are in memory, or another thread has to bring them. */
  #sendStaged(left: number): number {
    const { staging } = this;
    const { at, count } = staging.find(this.#position);
    if (count === 0) return COLD;
    const sent = this.#transport.sendFile(staging.fd, at, Math.min(count, left));
    if (sent > 0) this.#position += sent;
    return sent;
  }

  /** Begins a file of a source, and owns it. */
  #enter(file: SharedFile): void {
    this.#file?.release();
    this.#file = file.use();
    file.retire();
    this.#staging?.close();
    this.#staging = null;
    this.#copies = false;
    this.#position = 0;
    this.#fileEnd = file.size;
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
}
