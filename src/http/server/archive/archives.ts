/** Archives of folders that one serving thread sends. @module */

import * as raw from "../../../sys/raw/mod.ts";
import type { Loop } from "../../../threads/loop/loop.ts";
import { archiveHeaders, planNoArchive } from "../../archive/response.ts";
import { Frames } from "../listing/frames.ts";
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
  readonly loop: Loop;
  /** This thread's end of the socket to the thread of archives. */
  readonly fd: number;
  /** Called before the first request, to start that thread. */
  wake(): void;
  /** Answers a request that has waited. */
  grant(reply: Reply, waiter: AnswerWaiter): void;
}

/** The archives of one serving thread. */
export class Archives {
  readonly #options: ArchivesOptions;
  readonly #frames: Frames;
  /** Called with the answers; `undefined` says that the thread is gone. */
  readonly #waiting = new Map<number, (message: Uint8Array | undefined) => void>();
  readonly #asking = new Map<AnswerWaiter, WantedArchive>();
  #lastId = 0;
  #started = false;

  constructor(options: ArchivesOptions) {
    this.#options = options;
    this.#frames = new Frames(options.loop, options.fd, {
      received: (id, message) => this.#end(id, message),
      ended: () => this.#fail(),
    });
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

  /** Sends a request; `done` gets the answer. */
  send(request: ArchiveRequest, done: (message: Uint8Array | undefined) => void): void {
    if (!this.#started) {
      this.#started = true;
      this.#options.wake();
    }
    const id = this.#lastId = (this.#lastId + 1) >>> 0;
    this.#waiting.set(id, done);
    if (!this.#frames.send(id, encodeJson(request))) this.#end(id, undefined);
  }

  /** Takes the last answers, which may have descriptors. Call it after the other thread has ended. */
  close(): void {
    this.#frames.readAll();
    this.#fail();
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

  #end(id: number, message: Uint8Array | undefined): void {
    const done = this.#waiting.get(id);
    this.#waiting.delete(id);
    done?.(message);
  }

  #fail(): void {
    for (const id of [...this.#waiting.keys()]) this.#end(id, undefined);
  }
}

const GONE: ArchiveBegun = { status: 503, reason: "" };

/** The body of an archive: pieces from the thread of archives, one at a time. */
class ArchiveSource implements BodySource {
  readonly #archives: Archives;
  readonly #id: number;
  #piece: Piece | undefined;
  #asked = false;
  #ended = false;
  #closed = false;
  #ready: (() => void) | undefined;

  constructor(archives: Archives, id: number) {
    this.#archives = archives;
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
    if (!this.#ended) this.#archives.send({ op: "end", id: this.#id }, () => {});
    this.#ended = true;
  }

  #ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    this.#archives.send({ op: "step", id: this.#id }, (message) => {
      this.#asked = false;
      const piece = message === undefined ? FAILED : decodePiece(message);
      if (this.#closed) return drop(piece);
      this.#piece = piece;
      const ready = this.#ready;
      this.#ready = undefined;
      ready?.();
    });
  }
}

const FAILED: Piece = { kind: "failed", bytes: new Uint8Array(0) };

function drop(piece: Piece): void {
  if (piece.kind === "file") raw.close(piece.fd);
}
