/** A client's connection: one request after the other, answered from files by sendfile(2). @module */

import { STATUS_CODES } from "node:http";
import * as sys from "../../src/sys/mod.ts";
import { entryHead, passedHead, textAnswer } from "./answer.ts";
import type { Cache } from "./cache.ts";
import type { Fill, Reader, Waiter } from "./fill.ts";
import { BadHead, MOST_HEAD, parseRequest, type RequestHead, type ResponseHead } from "./head.ts";
import { Pass, type Recipient } from "./pass.ts";
import { isNotModified, type Range, rangeOf } from "./rules.ts";
import type { Entry } from "./store.ts";

const { raw } = sys;
const { IN, OUT } = sys.EpollEvent;
const { MORE, NOSIGNAL } = sys.MessageFlag;
const EAGAIN = -11;

/** Time without progress after which a connection is closed, in milliseconds. */
const IDLE_MS = 60_000;
/** Bytes that one client gets before others have their turn. */
const TURN_BYTES = 1024 * 1024;
/** A range that starts so far behind what has arrived is fetched from the origin. */
const FAR_BYTES = 8 * 1024 * 1024;
/** Reads before a connection is closed. */
const MOST_DRAINS = 16;
const NOTHING = Buffer.alloc(0);

const scratch = Buffer.alloc(MOST_HEAD);

/** A part of a stored body that is being sent. */
interface Sending {
  readonly entry: Entry;
  readonly fill: Fill | undefined;
  at: number;
  readonly end: number;
}

/** One connection. */
export class Client implements Waiter, Reader, Recipient {
  readonly fd: number;
  readonly #cache: Cache;
  readonly #gone: () => void;
  /** Received bytes that are not parsed. */
  #input = NOTHING;
  #request: RequestHead | undefined;
  /** Whether the loop over requests runs already. */
  #parsing = false;
  /** Head, or a whole short answer, that the socket has not taken. */
  #output: Uint8Array = NOTHING;
  #sending: Sending | undefined;
  #waitsFor: Fill | undefined;
  #pass: Pass | undefined;
  #keepAlive = true;
  #lastMs: number;
  #closed = false;

  constructor(fd: number, cache: Cache, gone: () => void) {
    this.fd = fd;
    this.#cache = cache;
    this.#gone = gone;
    this.#lastMs = cache.loop.now;
    cache.loop.add(fd, IN, (events) => this.#ready(events));
  }

  /** Whether it waits for nothing but a request. */
  get idle(): boolean {
    return this.#request === undefined;
  }

  /** Closes if nothing has moved for too long. */
  closeIfLate(): void {
    const waits = this.#waitsFor !== undefined || this.#pass !== undefined;
    if (!waits && this.#cache.loop.now - this.#lastMs > IDLE_MS) this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waitsFor?.leave(this);
    this.#pass?.close();
    this.#endSending();
    this.#cache.loop.close(this.fd);
    this.#gone();
  }

  #ready(events: number): void {
    this.#lastMs = this.#cache.loop.now;
    if (this.#request !== undefined) return this.#push();
    if ((events & ~OUT) === 0) return this.#cache.loop.set(this.fd, IN);
    const count = raw.recv(this.fd, scratch, 0);
    if (count === EAGAIN) return;
    if (count <= 0) return this.close();
    // A copy: what is not parsed now must not change.
    this.#input = Buffer.concat([this.#input, scratch.subarray(0, count)]);
    this.#next();
  }

  /** Parses and answers requests until one must wait. */
  #next(): void {
    this.#parsing = true;
    while (!this.#closed && this.#request === undefined && this.#input.length > 0) {
      let request;
      try {
        request = parseRequest(this.#input);
      } catch (error) {
        this.#input = NOTHING;
        this.#keepAlive = false;
        this.refuse(error instanceof BadHead ? error.status : 500);
        break;
      }
      if (request === null) break;
      this.#input = this.#input.subarray(request.length);
      this.#request = request;
      this.#keepAlive = request.keepAlive;
      this.#answer(request);
    }
    this.#parsing = false;
    if (!this.#closed && this.#request === undefined) this.#cache.loop.set(this.fd, IN);
  }

  #answer({ method, target, fields }: RequestHead): void {
    this.#cache.stats.requests++;
    if (method === "PURGE") return this.#purge(target);
    if (method !== "GET" && method !== "HEAD") {
      return this.refuse(405, "Allow: GET, HEAD, PURGE\r\n");
    }
    if (target === "/-/ready") return this.#text(200, "ready\n");
    if (target === "/-/stats") {
      const json = `${JSON.stringify(this.#cache.report())}\n`;
      return this.#text(200, json, "Content-Type: application/json\r\n");
    }
    // A response for one user must not reach another one.
    if (fields.has("authorization")) return this.pass();
    this.#waitsFor = undefined;
    const fill = this.#cache.answer(target, this);
    if (fill === undefined) return;
    this.#waitsFor = fill;
    this.#cache.loop.set(this.fd, 0);
  }

  #purge(target: string): void {
    const peer = sys.getpeername(this.fd);
    const local = peer.family !== "Unix" && /^(127\.|::1$|::ffff:127\.)/.test(peer.address);
    if (!local) return this.refuse(403);
    if (this.#cache.purge(target)) this.#text(200, "purged\n");
    else this.refuse(404);
  }

  serve(entry: Entry, how: string, fill?: Fill): void {
    const { method, fields } = this.#request!;
    this.#waitsFor = undefined;
    if (isNotModified(fields, entry.fields)) return this.#send(this.#headOf(entry, 304, how));
    const ranged = method === "GET" && entry.status === 200;
    const range = ranged ? rangeOf(fields, entry.fields, entry.length) : undefined;
    if (range === null) return this.refuse(416, `Content-Range: bytes */${entry.length}\r\n`);
    if (range !== undefined && range.start > entry.arrived + FAR_BYTES) return this.pass();
    const { start, end } = range ?? { start: 0, end: entry.length };
    if (method === "GET" && start < end) {
      try {
        this.#cache.store.hold(entry);
      } catch (error) {
        if ((error as { code?: string }).code !== "ENOENT") return this.refuse(503);
        // Somebody has deleted the file.
        this.#cache.store.remove(entry.key);
        return this.pass();
      }
      this.#sending = { entry, fill, at: start, end };
    }
    if (range === undefined) return this.#send(this.#wholeHead(entry, how));
    this.#send(this.#headOf(entry, 206, how, range));
  }

  pass(): void {
    this.#waitsFor = undefined;
    const { loop, origin, stats } = this.#cache;
    stats.passes++;
    this.#keepAlive = false;
    loop.set(this.fd, 0);
    try {
      this.#pass = new Pass(loop, origin, this.#request!, this);
    } catch {
      this.refuse(503);
    }
  }

  head(head: ResponseHead): void {
    this.#send(passedHead(head));
  }

  awaitRoom(): void {
    this.#cache.loop.set(this.fd, OUT);
  }

  finish(complete: boolean): void {
    this.#pass = undefined;
    if (complete) this.#finish();
    else this.close();
  }

  refuse(status: number, fields = ""): void {
    this.#waitsFor = undefined;
    this.#pass = undefined;
    this.#text(status, `${status} ${STATUS_CODES[status]}\n`, fields);
  }

  wake(): void {
    this.#lastMs = this.#cache.loop.now;
    this.#push();
  }

  #text(status: number, body: string, fields = "Content-Type: text/plain\r\n"): void {
    const withBody = this.#request?.method !== "HEAD";
    this.#send(textAnswer(status, body, fields, this.#keepAlive, withBody));
  }

  /** Returns the head of a complete answer, which stays the same for a second. */
  #wholeHead(entry: Entry, how: string): Buffer {
    if (how !== "HIT" || !this.#keepAlive) return this.#headOf(entry, entry.status, how);
    const second = Math.floor(this.#cache.loop.now / 1e3);
    if (entry.head?.second !== second) {
      entry.head = { second, bytes: this.#headOf(entry, entry.status, how) };
    }
    return entry.head.bytes;
  }

  #headOf(entry: Entry, status: number, how: string, range?: Range): Buffer {
    const options = { status, how, range, keepAlive: this.#keepAlive };
    return entryHead(entry, options, this.#cache.loop.now);
  }

  #send(head: Buffer): void {
    this.#output = head;
    this.#push();
  }

  /** Sends until everything is sent, or the socket is full, or the rest has not arrived. */
  #push(): void {
    if (this.#closed) return;
    const sending = this.#sending;
    while (this.#output.length > 0) {
      const flags = sending !== undefined || this.#pass !== undefined ? MORE | NOSIGNAL : NOSIGNAL;
      const count = raw.send(this.fd, this.#output, flags);
      if (count === EAGAIN) return this.awaitRoom();
      if (count < 0) return this.close();
      this.#output = this.#output.subarray(count);
    }
    if (this.#pass !== undefined) return this.#pass.move();
    if (this.#waitsFor !== undefined) return;
    if (sending === undefined) this.#finish();
    else this.#sendBody(sending);
  }

  /** Sends the body as far as it has arrived, and the client takes it. */
  #sendBody(sending: Sending): void {
    const { entry, end, fill } = sending;
    for (let sent = 0; sending.at < end;) {
      const wanted = Math.min(end, entry.arrived) - sending.at;
      if (wanted <= 0) {
        if (entry.broken || fill === undefined) return this.close();
        this.#cache.loop.set(this.fd, 0);
        return fill.starve(this);
      }
      if (sent >= TURN_BYTES) return this.awaitRoom();
      const piece = Math.min(wanted, TURN_BYTES);
      const count = raw.sendfile(this.fd, entry.fd, sending.at, piece);
      if (count <= 0 && count !== EAGAIN) return this.close();
      sending.at += Math.max(count, 0);
      sent += count;
      // The socket is full. Another call would gather pages in vain.
      if (count < piece) return this.awaitRoom();
    }
    this.#finish();
  }

  #endSending(): void {
    const sending = this.#sending;
    if (sending === undefined) return;
    this.#sending = undefined;
    sending.fill?.leave(this);
    this.#cache.store.release(sending.entry);
  }

  /** The answer is sent. */
  #finish(): void {
    this.#endSending();
    if (!this.#keepAlive) {
      // Closing with unread bytes would reset the connection and cut the answer.
      for (let i = 0; i < MOST_DRAINS && raw.recv(this.fd, scratch, 0) > 0; i++);
      return this.close();
    }
    this.#request = undefined;
    if (!this.#parsing) this.#next();
  }
}
