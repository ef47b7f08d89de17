/** Sends the responses to requests that arrived together. @module */

import { Cell } from "../../../../ffi/libc/cell.ts";
import { EINTR } from "../../../errno.ts";
import { Outcome, outcomeOf } from "../../../move/engine/step/outcome.ts";
import { Method } from "../parser/request_line.ts";
import { EMPTY_LINE_BYTES, type Reply, type Rest } from "../response/response.ts";
import { latin1Bytes } from "../parser/syntax.ts";
import type { ConnectionHandle, ConnectionService } from "./contracts.ts";

/** Ends of a head that include a Connection field. */
const CLOSE = latin1Bytes("Connection: close\r\n\r\n");
const KEEP_ALIVE = latin1Bytes("Connection: keep-alive\r\n\r\n");

/**
 * Collects responses, so that a client with many requests gets them in few calls; a single response
 * is sent without a copy. One object serves a whole thread.
 */
export class Output {
  readonly #service: ConnectionService;
  readonly #cell: Cell;
  #connection: ConnectionHandle | undefined;
  #used = 0;
  #result: number = Outcome.MOVED;

  /** Allocates `capacity` bytes: at least the largest response in memory. */
  constructor(service: ConnectionService, capacity: number) {
    this.#service = service;
    this.#cell = new Cell(capacity);
  }

  /** The connection whose requests are being answered, or were last. */
  get connection(): ConnectionHandle | undefined {
    return this.#connection;
  }

  /** Starts with the responses for a connection. */
  begin(connection: ConnectionHandle): void {
    this.#connection = connection;
    this.#used = 0;
    this.#result = Outcome.MOVED;
  }

  /**
   * Adds the response to the request in the service's head.
   *
   * @param keep Whether the connection stays open.
   * @param more Whether another request may follow.
   * @returns False if the socket is full, and the response must be added again.
   */
  add(reply: Reply, keep: boolean, more: boolean): boolean {
    if (this.#result !== Outcome.MOVED) return false;
    const { clock, head: request } = this.#service;
    const bodiless = request.method === Method.HEAD;
    const memory = bodiless ? reply.headBytes : reply.memoryBytes;
    const rest: Rest = bodiless ? NOTHING : reply;
    const follows = rest.parts.length > 0 || rest.source !== null;
    const line = keep ? request.minor === 1 ? null : KEEP_ALIVE : CLOSE;
    const size = memory + (line?.length ?? 0);
    const { length: room } = this.#cell.bytes;
    if (this.#used + size > room && !this.flush()) return false;
    reply.refresh(clock);
    const head = reply.headBytes + (line === null ? 0 : line.length - EMPTY_LINE_BYTES);
    this.#service.answered(this.#connection!, reply, head, bodiless ? 0 : reply.bodyBytes);
    if (bodiless) reply.source?.close();
    if (this.#used === 0 && line === null && !more && (reply.kept || size > room)) {
      this.#transmit(reply.cell, memory, rest, reply, memory < reply.memoryBytes);
      return true;
    }
    // A page of a folder with thousands of files does not fit.
    const cell = size > room ? new Cell(size) : this.#cell;
    this.#append(cell, reply, memory, line);
    if (follows || cell !== this.#cell) {
      this.#transmit(cell, this.#used, rest, reply, true);
    }
    return true;
  }

  /** Sends the collected responses; returns an {@linkcode Outcome}. */
  end(): number {
    if (this.#result === Outcome.MOVED && this.#used > 0) this.flush();
    return this.#result;
  }

  #append({ bytes }: Cell, reply: Reply, memory: number, line: Uint8Array | null): void {
    const source = reply.cell.bytes;
    if (line === null) {
      bytes.set(source.subarray(0, memory), this.#used);
      this.#used += memory;
      return;
    }
    const fields = reply.headBytes - EMPTY_LINE_BYTES;
    bytes.set(source.subarray(0, fields), this.#used);
    bytes.set(line, this.#used + fields);
    bytes.set(source.subarray(reply.headBytes, memory), this.#used + fields + line.length);
    this.#used += memory - EMPTY_LINE_BYTES + line.length;
  }

  /** Sends the collected responses; true if everything has left and there is room again. */
  flush(): boolean {
    if (this.#used > 0) this.#transmit(this.#cell, this.#used, NOTHING, null, true);
    return this.#result === Outcome.MOVED;
  }

  /** Sends bytes, then the parts; copies `shared` bytes if they have to wait. */
  #transmit(
    cell: Cell,
    end: number,
    rest: Rest,
    reply: Reply | null,
    shared: boolean,
  ): void {
    this.#used = 0;
    const { sender } = this.#connection!;
    const follows = rest.parts.length > 0 || rest.source !== null;
    const sent = sender.attempt(cell, end, rest.parts.length > 0);
    if (sent === end && !follows) return;
    const outcome = sent >= 0 || sent === EINTR ? Outcome.MOVED : outcomeOf(sent);
    if (outcome !== Outcome.MOVED && outcome !== Outcome.BLOCKED && outcome !== Outcome.STARVED) {
      this.#result = Outcome.FAILED;
      rest.source?.close();
      return;
    }
    let at = Math.max(0, sent);
    // The date in a cached head changes with the second, and the collected bytes are overwritten.
    if (at < end && (shared || at < reply!.headBytes)) {
      const left = new Cell(end - at);
      left.bytes.set(cell.bytes.subarray(at, end));
      cell = left;
      end -= at;
      at = 0;
    }
    sender.queue(cell, at, end, rest);
    this.#result = outcome === Outcome.MOVED ? sender.pump() : outcome;
  }
}

const NOTHING: Rest = Object.freeze({ file: null, parts: [], source: null });
