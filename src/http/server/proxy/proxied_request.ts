/** One request that the program answers: its way there, and the answer's way back. @module */

import { concat } from "../../../bytes.ts";
import { EpollEvent } from "../../../sys/flags/event.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { ShutdownHow } from "../../../sys/flags/socket.ts";
import { resetOnClose } from "../../../move/relay/pair.ts";
import type { Task } from "../../../threads/loop/loop.ts";
import type { Client, Told } from "./client.ts";
import { type Fallback, type PassedRequest, WEB_SOCKET_MS } from "./proxy.ts";
import { BodyPipe, faultOf, LOOKED_AT_BYTES, Moved } from "./body_pipe.ts";
import { Counted, type Framing } from "./framing.ts";
import { HeadReader } from "./head_reader.ts";
import { type AnswerHead, clientHead, type ResponseHead } from "./response.ts";
import { Upstream, type UpstreamOwner } from "./upstream.ts";

const { ERR, HUP, IN, OUT, RDHUP } = EpollEvent;

/** Passes one request on, over a connection to the program that is for it alone. */
export class ProxiedRequest implements UpstreamOwner, Task {
  /** Whether the client's socket is full: its reading is what is waited for. */
  waitsForClient = false;
  readonly #fallback: Fallback;
  readonly #client: Client;
  readonly #request: PassedRequest;
  readonly #upstream: Upstream;
  #up: BodyPipe | null = null;
  /** Whether nothing more is moved up. */
  #upDone = false;
  #down: BodyPipe | null = null;
  #downDone = false;
  readonly #heads = new HeadReader();
  /** Whether nothing but the end of the connection ends the answer. */
  #untilEnd = false;
  #status = 0;
  /** Why there is no answer, or not the whole. */
  #error: string | undefined;
  #headBytes = 0;
  #keep = false;
  #reported = 0;
  #activeAt: number;
  #queued = false;
  #over = false;

  /** Call {@linkcode start} next. */
  constructor(fallback: Fallback, client: Client, request: PassedRequest) {
    this.#fallback = fallback;
    this.#client = client;
    this.#request = request;
    this.#activeAt = fallback.loop.now;
    this.#upstream = new Upstream(fallback, this);
  }

  start(): void {
    this.#client.watch(this.#gone());
    this.#upstream.connect();
  }

  connected(): void {
    this.#activeAt = this.#fallback.loop.now;
    this.#sendUp(this.#request.ahead, this.#request.framing);
    this.onEvents();
  }

  /** Called for events of the client's socket. */
  onClient(events: number): void {
    if (this.#over) return;
    if ((events & (ERR | HUP | this.#gone())) !== 0) this.#fail();
    else this.onEvents();
  }

  /** The event of a client that has left, or only shut its sending side down: both look the same. */
  #gone(): number {
    const arrived = this.#up === null ? this.#request.framing.done : this.#upDone;
    return arrived && this.#status !== 101 ? RDHUP : 0;
  }

  onTurn(): void {
    this.#queued = false;
    this.onEvents();
  }

  /** Ends what has been silent for too long; a client that does not read is its owner's affair. */
  look(now: number): void {
    if (this.#over || this.waitsForClient) return;
    const { connectMs, silenceMs } = this.#fallback.config;
    const most = this.#up === null ? connectMs : this.#status === 101 ? WEB_SOCKET_MS : silenceMs;
    if (now - this.#activeAt < most) return;
    if (this.#up !== null && !this.#upDone) this.refuse(408);
    else this.refuse(504, `it was silent for ${most} ms`);
  }

  /** Closes all but the client's socket; returns how far the answer has come, the first time. */
  abort(): Told | undefined {
    if (this.#over) return undefined;
    this.#over = true;
    this.#up?.release();
    this.#down?.release();
    this.#upstream.close();
    const bytes = this.#status === 0 ? 0 : Math.max(0, this.#reported - this.#headBytes);
    return { status: this.#status, bytes, error: this.#error };
  }

  /** Moves what can be moved; called for events of the program's socket too. */
  onEvents(): void {
    if (this.#over) return;
    const up = this.#moveUp();
    const down = this.#over ? Moved.DONE : this.#moveDown();
    if (this.#over) return;
    this.waitsForClient = down === Moved.WRITE;
    const client = (up === Moved.READ ? IN : 0) | (down === Moved.WRITE ? OUT : 0);
    this.#client.watch(client | this.#gone());
    if (this.#upstream.ready) {
      this.#upstream.watch((down === Moved.READ ? IN : 0) | (up === Moved.WRITE ? OUT : 0));
    }
    if (up === Moved.MORE || down === Moved.MORE) this.#again();
  }

  /** Moves what the client sends; returns one of `Moved`. */
  #moveUp(): number {
    const up = this.#up;
    if (up === null || this.#upDone) return Moved.DONE;
    const before = up.bytes;
    const moved = up.move();
    if (up.bytes !== before) this.#activeAt = this.#fallback.loop.now;
    if (moved < Moved.DONE) return moved;
    this.#upDone = true;
    if (moved === Moved.DONE) {
      if (this.#status === 101) this.#endTunnel(this.#upstream.fd);
    } else if (moved === Moved.MALFORMED) this.refuse(400);
    // A program that takes no more may have answered all the same.
    else if (moved !== Moved.TARGET_FAILED) this.#fail();
    return Moved.DONE;
  }

  /** Moves what the program answers; returns one of `Moved`. */
  #moveDown(): number {
    if (this.#downDone) return Moved.DONE;
    let moved: number = Moved.MORE;
    while (moved === Moved.MORE && this.#down === null) moved = this.#readHead();
    const down = this.#down;
    if (down !== null) {
      moved = down.move();
      const sent = down.bytes - this.#reported;
      this.#reported = down.bytes;
      if (sent > 0) {
        this.#activeAt = this.#fallback.loop.now;
        this.#client.sent(sent);
      }
    }
    if (moved < Moved.DONE) return moved;
    if (moved !== Moved.DONE) this.refuse(502, faultOf(moved));
    else if (this.#status === 0) {
      // That was an interim answer.
      this.#down = null;
      return Moved.MORE;
    } else if (this.#status === 101) this.#endTunnel(this.#client.fd);
    else this.#finish();
    return Moved.DONE;
  }

  /** Reads the head of an answer; `MORE` when there is one, or a part of one. */
  #readHead(): number {
    if (!this.#upstream.ready) return Moved.READ;
    const { date, loop, buffers } = this.#fallback;
    const head = this.#heads.next({ ...this.#request, date });
    if (head !== undefined) return head === null ? Moved.MALFORMED : this.#begin(head);
    const received = this.#heads.receive(this.#upstream.fd, buffers.buffer);
    if (received === Moved.MORE) this.#activeAt = loop.now;
    return received;
  }

  /** An answer begins. */
  #begin(head: ResponseHead): number {
    const { framing, redirection, status, text } = head;
    if (status < 200 && status !== 101) {
      if (this.#request.minor === 1) this.#send(clientHead(text, null), new Counted(0));
      return Moved.MORE;
    }
    if (redirection !== undefined) {
      this.#finish(redirection);
      return Moved.READ;
    }
    const rest = this.#heads.rest();
    const last = framing.scan(rest, 0, rest.length);
    if (last < 0) return Moved.MALFORMED;
    this.#answer(head, rest.subarray(0, last - framing.removed));
    if (status === 101) {
      // From here on nothing is looked at, in either direction.
      this.#sendUp(this.#request.rest, new Counted(Infinity));
      this.#again();
    }
    return Moved.MORE;
  }

  /** Sends a head to the client, and then the body. */
  #answer({ framing, required, status, text, untilEnd }: AnswerHead, body: Uint8Array): void {
    const { framing: { done }, keep } = this.#request;
    this.#status = status;
    this.#untilEnd = untilEnd;
    // What of the request has not been received would be taken for the next one.
    this.#keep = keep && done && !untilEnd && !this.#client.closing;
    const connection = status === 101 ? "upgrade" : this.#keep ? "keep-alive" : "close";
    const head = clientHead(text, connection, required);
    this.#headBytes = head.length;
    this.#send(concat([head, body]), framing);
  }

  #send(ahead: Uint8Array, framing: Framing): void {
    this.#reported = 0;
    const ends = { from: this.#upstream.fd, to: this.#client.fd };
    this.#down = new BodyPipe(this.#fallback.buffers, { ...ends, framing, ahead });
  }

  #sendUp(ahead: Uint8Array, framing: Framing): void {
    this.#upDone = false;
    const ends = { from: this.#client.fd, to: this.#upstream.fd, lookedAt: LOOKED_AT_BYTES };
    this.#up = new BodyPipe(this.#fallback.buffers, { ...ends, framing, ahead });
  }

  /** One direction has ended: the other may go on. */
  #endTunnel(target: number): void {
    raw.shutdown(target, ShutdownHow.WR);
    if (target === this.#client.fd) this.#downDone = true;
    if (this.#upDone && this.#downDone) this.#finish();
  }

  /** Answers in the place of the program, unless it has begun to. */
  refuse(status: number, error?: string): void {
    if (this.#over) return;
    this.#error ??= error;
    if (this.#status !== 0 || this.#down !== null) return this.#fail();
    this.#upDone = true;
    this.#up?.release();
    this.#upstream.close();
    const { body, head } = this.#fallback.refusal(status, this.#request.bodiless);
    this.#answer(head, body);
    this.#again();
  }

  #finish(redirection?: ResponseHead["redirection"]): void {
    const behind = this.#up?.behind ?? this.#request.rest;
    const told = this.abort();
    if (told !== undefined) this.#client.answered(told, this.#keep, behind, redirection);
  }

  #fail(): void {
    const told = this.abort();
    if (told === undefined) return;
    // An ordinary end would look like that of the body.
    if (this.#untilEnd) resetOnClose(this.#client.fd);
    this.#client.failed(told);
  }

  #again(): void {
    if (!this.#queued) this.#fallback.loop.again(this);
    this.#queued = true;
  }
}
