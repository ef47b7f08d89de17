/** Archives of folders that one serving thread sends. @module */

import * as raw from "../../../sys/raw/mod.ts";
import { archiveHeaders, planNoArchive } from "../../archive/response.ts";
import type { Answered, BackgroundLink } from "../background/background_link.ts";
import { joined } from "../response/cached_file.ts";
import { type BodySource, Reply, WAIT } from "../response/response.ts";
import { SharedFile } from "../response/shared_file.ts";
import type { AnswerWaiter } from "../response/waiter.ts";
import {
  type ArchiveBegun,
  type ArchiveRequest,
  decodeJson,
  decodePiece,
  encodeJson,
  type Piece,
} from "./messages.ts";

/** A folder to send. */
export type WantedArchive = Omit<ArchiveRequest & { op: "begin" }, "op">;

/** Parts and callbacks of {@linkcode Archives}. */
export interface ArchivesOptions {
  /** The thread of archives. */
  readonly link: BackgroundLink;
  /** Answers a request that has waited. */
  grant(reply: Reply, waiter: AnswerWaiter): void;
}

/** The archives of one serving thread. */
export class Archives {
  readonly #options: ArchivesOptions;
  readonly #asking = new Map<AnswerWaiter, WantedArchive>();

  constructor(options: ArchivesOptions) {
    this.#options = options;
  }

  /** Has an archive begun; `waiter` gets the response. */
  ask(wanted: WantedArchive, waiter: AnswerWaiter): void {
    this.#asking.set(waiter, wanted);
    this.send({ op: "begin", ...wanted }, (message) => {
      const begun = message === undefined ? GONE : decodeJson<ArchiveBegun>(message);
      const reply = this.#reply(begun, wanted);
      if (this.#asking.get(waiter) !== wanted) return reply.source?.close();
      this.#asking.delete(waiter);
      this.#options.grant(reply, waiter);
    });
  }

  /** Removes a waiter. */
  forget(waiter: AnswerWaiter): void {
    this.#asking.delete(waiter);
  }

  /** Number of the thread of archives; another one does not know its archives. */
  get serial(): number {
    return this.#options.link.serial;
  }

  /** Sends a request, if `serial` is given only to that thread; `answered` gets the answer. */
  send(request: ArchiveRequest, answered: Answered, serial?: number): void {
    this.#options.link.send(encodeJson(request), answered, serial);
  }

  #reply(begun: ArchiveBegun, { format, names }: WantedArchive): Reply {
    if ("status" in begun) {
      const plan = planNoArchive(begun);
      const error = begun.status === 500 ? begun.reason : undefined;
      return new Reply(plan, null, joined(plan.parts), { error });
    }
    const { id, length } = begun;
    const headers = archiveHeaders(names, format, length);
    const plan = { status: 200, headers, parts: [], length };
    return new Reply(plan, null, null, { source: new ArchiveSource(this, id) });
  }
}

const GONE: ArchiveBegun = { status: 503, reason: "" };

/** The body of an archive: pieces from the thread of archives, one at a time. */
class ArchiveSource implements BodySource {
  readonly #archives: Archives;
  readonly #serial: number;
  readonly #id: number;
  #piece: Piece | undefined;
  #asked = false;
  #ended = false;
  #closed = false;
  #ready: (() => void) | undefined;

  constructor(archives: Archives, id: number) {
    this.#archives = archives;
    this.#serial = archives.serial;
    this.#id = id;
  }

  nextPart(): ReturnType<BodySource["nextPart"]> {
    const piece = this.#piece;
    if (piece === undefined) {
      if (this.#ended) return null;
      this.#ask();
      return WAIT;
    }
    if (piece.kind === "failed") return false;
    if (piece.bytes.length > 0) {
      this.#piece = { ...piece, bytes: piece.bytes.subarray(piece.bytes.length) };
      return piece.bytes;
    }
    this.#piece = undefined;
    this.#ended = piece.kind === "end";
    if (piece.kind !== "file") return this.nextPart();
    const { fd, remote, size } = piece;
    return new SharedFile({ fd, size, remote, close: () => void raw.close(fd) });
  }

  wait(ready: () => void): void {
    if (this.#piece !== undefined) ready();
    else this.#ready = ready;
  }

  close(): void {
    this.#closed = true;
    this.#ready = undefined;
    if (this.#piece !== undefined) drop(this.#piece);
    this.#piece = undefined;
    if (!this.#ended) this.#send("end", () => {});
    this.#ended = true;
  }

  #ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    this.#send("step", (message) => {
      this.#asked = false;
      const piece = message === undefined ? FAILED : decodePiece(message);
      if (this.#closed) return drop(piece);
      this.#piece = piece;
      const ready = this.#ready;
      this.#ready = undefined;
      ready?.();
    });
  }

  #send(op: "step" | "end", answered: Answered): void {
    this.#archives.send({ op, id: this.#id }, answered, this.#serial);
  }
}

const FAILED: Piece = { kind: "failed", bytes: new Uint8Array(0) };

function drop(piece: Piece): void {
  if (piece.kind === "file") raw.close(piece.fd);
}
