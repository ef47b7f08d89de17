/** One request that the program answers: forwards it, and returns the response. @module */

import { EpollEvent } from "../../../sys/flags/event.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { ShutdownHow } from "../../../sys/flags/socket.ts";
import { resetOnClose } from "../../../move/relay/pair.ts";
import type { Task } from "../../../threads/loop/loop.ts";
import type { Client, Told } from "./client.ts";
import type { Fallback, PassedRequest } from "./proxy.ts";
import { BodyPipe, faultOf, Moved } from "./body_pipe.ts";
import { Counted, type Framing } from "./framing.ts";
import { HeadReader } from "./head_reader.ts";
import { INTERIM_END, lastLines } from "./hop.ts";
import type { AnswerHead, ResponseHead } from "./response.ts";
import { Upload } from "./upload.ts";
import { Upstream, type UpstreamOwner } from "./upstream/upstream.ts";

const { ERR, HUP, IN, OUT, RDHUP } = EpollEvent;

/** Forwards one request over a connection to the program that no other request uses meanwhile. */
export class ProxiedRequest implements UpstreamOwner, Task {
  /** Whether it waits for the client to read, because the client's socket is full. */
  waitsForClient = false;
  readonly #fallback: Fallback;
  readonly #client: Client;
  readonly #request: PassedRequest;
  readonly #upstream: Upstream;
  readonly #up: Upload;
  #down: BodyPipe | null = null;
  #downDone = false;
  readonly #heads = new HeadReader();
  /** Whether only the end of the connection ends the response. */
  #untilEnd = false;
  #status = 0;
  /** Why there is no answer, or not the whole. */
  #error: string | undefined;
  #headBytes = 0;
  #keep = false;
  /** Whether nothing will be due on the program's connection after the response. */
  #reusable = false;
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
    this.#up = new Upload(fallback.buffers, client, request);
  }

  start(): void {
    this.#client.watch(this.#gone());
    this.#upstream.connect(this.#request.shared);
  }

  connected(): void {
    this.#activeAt = this.#fallback.loop.now;
    this.#up.begin(this.#upstream.fd);
    this.onEvents(false);
  }

  /** For events of the client's socket. */
  onClient(events: number): void {
    if ((events & (ERR | HUP | this.#gone())) !== 0) this.#fail();
    else this.onEvents();
  }

  /** Returns the event of a client that left, or closed its sending side: both look the same. */
  #gone(): number {
    return this.#up.arrived && this.#status !== 101 ? RDHUP : 0;
  }

  onTurn(): void {
    this.#queued = false;
    this.onEvents();
  }

  /** Ends a silent request. The owner handles clients that do not read. */
  look(now: number): void {
    const most = this.#fallback.patience(this.#up.pipe !== null, this.#status === 101);
    if (this.#over || this.waitsForClient || now - this.#activeAt < most) return;
    if (!this.#up.done && this.#up.pipe !== null) this.refuse(408);
    else this.refuse(504, `it was silent for ${most} ms`);
  }

  /** Closes all but the client's socket; the first call returns the progress of the response. */
  abort(): Told | undefined {
    if (this.#over) return undefined;
    this.#over = true;
    this.#up.end();
    this.#down?.release();
    this.#upstream.close();
    this.#fallback.buffers.giveHead(this.#request.ahead);
    const bytes = this.#status === 0 ? 0 : Math.max(0, this.#reported - this.#headBytes);
    return { status: this.#status, bytes, error: this.#error };
  }

  /** Moves available bytes; also for events of the program's socket. `answered`: whether to read it. */
  onEvents(answered = true): void {
    if (this.#over) return;
    const up = this.#moveUp();
    const down = this.#over ? Moved.DONE : answered ? this.#moveDown() : Moved.READ;
    if (this.#over) return;
    this.waitsForClient = down === Moved.WRITE;
    const client = (up === Moved.READ ? IN : 0) | (down === Moved.WRITE ? OUT : 0);
    this.#client.watch(client | this.#gone());
    this.#upstream.watch((down === Moved.READ ? IN : 0) | (up === Moved.WRITE ? OUT : 0));
    if (up === Moved.MORE || down === Moved.MORE) this.#again();
  }

  /** Moves bytes from the client; returns one of `Moved`. */
  #moveUp(): number {
    const up = this.#up.pipe;
    if (up === null || this.#up.done) return Moved.DONE;
    const before = up.bytes;
    const moved = up.move();
    if (up.bytes !== before) this.#activeAt = this.#fallback.loop.now;
    if (moved < Moved.DONE) return moved;
    this.#up.done = true;
    if (moved === Moved.DONE) {
      if (this.#status === 101) this.#endTunnel(this.#upstream.fd);
    } else if (moved === Moved.TOO_LONG) this.refuse(413);
    else if (moved === Moved.MALFORMED) this.refuse(400);
    // A program that reads no more may have answered all the same.
    else if (moved !== Moved.TARGET_FAILED) this.#fail();
    return Moved.DONE;
  }

  /** Moves bytes from the program; returns one of `Moved`. */
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
    if (moved !== Moved.DONE && this.#repeat()) return Moved.READ;
    if (moved !== Moved.DONE) this.refuse(502, faultOf(moved));
    else if (this.#status === 0) {
      // That was an interim response.
      this.#down = null;
      return Moved.MORE;
    } else if (this.#status === 101) this.#endTunnel(this.#client.fd);
    else this.#finish();
    return Moved.DONE;
  }

  /** Reads the head of a response; returns `MORE` if it got at least a part. */
  #readHead(): number {
    if (!this.#upstream.ready) return Moved.READ;
    const { date, loop, buffers } = this.#fallback;
    const head = this.#heads.next(this.#request, date);
    if (head !== undefined) return head === null ? Moved.MALFORMED : this.#begin(head);
    const received = this.#heads.receive(this.#upstream.fd, buffers.buffer);
    if (received === Moved.MORE) this.#activeAt = loop.now;
    return received;
  }

  #begin(head: ResponseHead): number {
    const { framing, lines, redirection, status } = head;
    if (status < 200 && status !== 101) {
      if (this.#request.minor === 1) this.#send(new Counted(0), lines, INTERIM_END);
      return Moved.MORE;
    }
    if (redirection !== undefined) {
      this.#finish(redirection);
      return Moved.READ;
    }
    const rest = this.#heads.rest();
    const last = framing.scan(rest, 0, rest.length);
    if (last < 0) return Moved.MALFORMED;
    this.#reusable = head.reusable && this.#request.shared && this.#up.done && last === rest.length;
    this.#answer(head, rest.subarray(0, last - framing.removed));
    if (status === 101) {
      this.#up.tunnel(this.#upstream.fd);
      this.#again();
    }
    return Moved.MORE;
  }

  /** Sends a head to the client, then the body. */
  #answer({ framing, lines, required, status, untilEnd }: AnswerHead, body: Uint8Array): void {
    const { framing: { done }, keep } = this.#request;
    this.#status = status;
    this.#untilEnd = untilEnd;
    // Unread bytes of this request could be taken for the next one.
    this.#keep = keep && done && !untilEnd && !this.#client.closing;
    const connection = status === 101 ? "upgrade" : this.#keep ? "keep-alive" : "close";
    const last = lastLines(connection, required);
    this.#headBytes = lines.length + last.length;
    this.#send(framing, lines, last, body);
  }

  #send(framing: Framing, ...pieces: readonly Uint8Array[]): void {
    this.#reported = 0;
    const between = { from: this.#upstream.fd, to: this.#client.fd, framing };
    (this.#down = new BodyPipe(this.#fallback.buffers, between)).beginWith(...pieces);
  }

  /** Repeats the request if the program closed an idle connection before it saw the request. */
  #repeat(): boolean {
    if (!this.#upstream.reused || !this.#heads.empty) return false;
    this.#up.rewind();
    this.#upstream.reconnect();
    return true;
  }

  /** Ends one direction of a tunnel. The other one may continue. */
  #endTunnel(target: number): void {
    raw.shutdown(target, ShutdownHow.WR);
    if (target === this.#client.fd) this.#downDone = true;
    if (this.#up.done && this.#downDone) this.#finish();
  }

  /** Responds instead of the program, unless its response has begun. */
  refuse(status: number, error?: string): void {
    if (this.#over) return;
    this.#error ??= error;
    if (this.#status !== 0 || this.#down !== null) return this.#fail();
    this.#up.end();
    this.#upstream.close();
    const { body, head } = this.#fallback.refusal(status, this.#request.bodiless);
    this.#answer(head, body);
    this.#again();
  }

  #finish(redirection?: ResponseHead["redirection"]): void {
    const behind = this.#up.pipe?.behind ?? this.#request.rest;
    if (this.#reusable && this.#down?.behind === null) this.#upstream.keep();
    const told = this.abort();
    if (told !== undefined) this.#client.answered(told, this.#keep, behind, redirection);
  }

  #fail(): void {
    const told = this.abort();
    if (told === undefined) return;
    // A normal close would look like the end of the body.
    if (this.#untilEnd) resetOnClose(this.#client.fd);
    this.#client.failed(told);
  }

  #again(): void {
    if (!this.#queued) this.#fallback.loop.again(this);
    this.#queued = true;
  }
}
