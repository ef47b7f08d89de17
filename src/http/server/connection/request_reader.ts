/** The requests of one connection, from its bytes to their answers. @module */

import { EAGAIN, EINTR } from "../../../errno.ts";
import type { PassedRequest } from "../proxy/proxy.ts";
import { Field } from "../parser/field_names.ts";
import { peerOf } from "../thread/access_log.ts";
import { CHUNKED } from "../parser/message_rules.ts";
import { Method } from "../parser/request_line.ts";
import { INCOMPLETE } from "../parser/syntax.ts";
import type { ConnectionHandle, ConnectionService, RedirectedRequest } from "./contracts.ts";

/** Most bytes of a body that are read past to keep the connection. */
const MOST_DISCARDED = 64 * 1024;

/** Requests that one connection gets answered before others get their turn. */
const REQUESTS_PER_TURN = 64;

/** What `receive` returns when there was nothing to read, and when nothing will be any more. */
export const NOTHING = -1;
export const ENDED = -2;
/** What it returns when a request is to be passed on. */
export const PASSED = -3;
/** What it returns when the page of a folder is made first, or others open the file. */
export const AWAITED = -4;

/** Reads requests and has them answered; one object serves the whole life of a connection. */
export class Reader {
  /** Whether a request has begun, and not ended, to arrive. */
  partial = false;
  /** Whether another request may follow. */
  keep = true;
  /** Requests that have been answered. */
  requests = 0;
  /** The request that is to be passed on. */
  passed: PassedRequest | null = null;
  readonly #service: ConnectionService;
  readonly #connection: ConnectionHandle;
  /** Whether the first of the pending requests waits for others. */
  #awaits = false;
  /** A passed request whose file others open. */
  #redirected: RedirectedRequest | null = null;
  /** Bytes that have arrived and belong to the next requests. */
  #pending: Uint8Array | null = null;
  /** Bytes of a body that are to be read past. */
  #discard = 0;

  constructor(service: ConnectionService, connection: ConnectionHandle) {
    this.#service = service;
    this.#connection = connection;
  }

  /** Whether requests have arrived that were not answered yet, as a whole or in part. */
  get pending(): boolean {
    return this.#pending !== null;
  }

  /** Reads what has arrived and answers it; returns {@linkcode NOTHING}, {@linkcode ENDED} or how sending stands. */
  receive(): number {
    const { input } = this.#service;
    const before = this.#pending?.length ?? 0;
    const room = input.bytes.length - before;
    // What has arrived must be answered first.
    if (room <= 0) return this.resume();
    const received = this.#connection.transport.recv(input, before, room);
    if (received === EAGAIN || received === EINTR) return NOTHING;
    if (received <= 0) return ENDED;
    if (this.#pending !== null) input.bytes.set(this.#pending);
    this.#pending = null;
    return this.#process(before + received);
  }

  /** Goes on with what had arrived before the last answers were sent. */
  resume(): number {
    if (this.#redirected !== null) return this.redirect(this.#redirected);
    const pending = this.#pending;
    if (pending === null) return NOTHING;
    this.#service.input.bytes.set(pending);
    this.#pending = null;
    return this.#process(pending.length);
  }

  /** Goes on behind a request that was passed on, with what has been received since. */
  continue(keep: boolean, received: Uint8Array): void {
    this.keep = keep;
    if (keep && received.length > 0) this.#pending = received;
  }

  /** Answers a passed request with a file, behind {@linkcode continue}; returns how sending stands. */
  redirect(request: RedirectedRequest): number {
    const { original, redirection } = request;
    const { clock, closing, fallback, head, loop, output, site } = this.#service;
    head.parse(original, 0, original.length);
    clock.tick(loop.now);
    output.begin(this.#connection);
    this.keep &&= !closing && !this.#connection.transport.keyUpdateDue;
    const reply = site.redirected(head, redirection, fallback!.config.accel);
    this.#redirected = reply === null ? request : null;
    if (reply === null) {
      site.lookups.wait(this.#connection);
      return AWAITED;
    }
    output.add(reply, this.keep, false);
    site.settle();
    const result = output.end();
    this.#connection.report();
    return result;
  }

  /** Refuses what has not arrived in time. */
  refuse(status: number): number {
    this.#service.output.begin(this.#connection);
    this.#refuse(status);
    return this.#service.output.end();
  }

  /** Answers the requests in the first `end` bytes of the input. */
  #process(end: number): number {
    const { head, input, loop, output } = this.#service;
    const began = this.partial;
    this.partial = this.#awaits = false;
    output.begin(this.#connection);
    let at = 0;
    let answered = false;
    for (let left = REQUESTS_PER_TURN; at < end && this.keep; left--) {
      if (this.#discard > 0) {
        const skipped = Math.min(this.#discard, end - at);
        this.#discard -= skipped;
        at += skipped;
        continue;
      }
      if (left <= 0) {
        loop.again(this.#connection);
        break;
      }
      const result = head.parse(input.bytes, at, end);
      if (result === INCOMPLETE) {
        this.partial = true;
        break;
      }
      // Where the socket is full, the request is read again when there is room.
      if (!(result < 0 ? this.#refuse(-result) : this.#answer(result, end))) break;
      if (this.passed !== null) return PASSED;
      at = result < 0 ? end : result;
      answered = true;
    }
    if (at < end && this.keep) this.#pending = input.bytes.slice(at, end);
    this.partial ||= this.#discard > 0;
    // The next request has the whole time, whatever the one before it took.
    if (this.partial && (!began || answered)) this.#connection.began();
    return this.#awaits ? AWAITED : output.end();
  }

  /** Answers the request in the head; false when earlier answers must leave first. */
  #answer(at: number, end: number): boolean {
    const { closing, fallback, head, output, site } = this.#service;
    if (fallback?.owns(head)) return this.#pass(at, end);
    const reply = this.#service.answer();
    if (reply === null) return this.#wait();
    if (reply.status >= 204 && fallback?.wants(head, reply.status)) {
      site.settle();
      return this.#pass(at, end);
    }
    const { bodyLength } = head;
    // A client that expects "100 Continue" may send the body, or not, when it gets another answer
    // (RFC 9110, 10.1.1): what follows could be that body, or the next request.
    const withheld = (head.known & Field.EXPECT) !== 0 && head.minor === 1 && bodyLength > end - at;
    // The end of a longer body, or of one in chunks, is not looked for; and what follows CONNECT may
    // be meant for a tunnel that there is not.
    const keep = head.keepAlive && bodyLength !== CHUNKED && bodyLength <= MOST_DISCARDED &&
      !closing && !withheld && !this.#connection.transport.keyUpdateDue &&
      !(head.method === Method.OTHER && head.methodName === "CONNECT");
    const added = output.add(reply, keep, at < end);
    site.settle();
    if (!added) return false;
    this.keep = keep;
    this.#discard = keep ? bodyLength : 0;
    this.requests++;
    return true;
  }

  /** Waits for others; the request is read again then. */
  #wait(): false {
    const { output, site } = this.#service;
    // Earlier answers first, so that nothing else is waited for.
    if (output.flush()) {
      this.#awaits = true;
      site.lookups.wait(this.#connection);
    } else site.lookups.forgetWanted();
    site.settle();
    return false;
  }

  /** Leaves the request in the head to the program; false when earlier answers must leave first. */
  #pass(at: number, end: number): boolean {
    const { closing, fallback, head, output } = this.#service;
    if (!output.flush()) return false;
    const { fd } = this.#connection;
    const passed = fallback!.take(head, at, end, peerOf(fd), head.keepAlive && !closing);
    if (passed === undefined) return this.#refuse(400);
    this.passed = passed;
    this.requests++;
    return true;
  }

  /** Answers what is no request; nothing that follows it can be trusted. */
  #refuse(status: number): boolean {
    const { output } = this.#service;
    this.#service.head.forget();
    if (!output.add(this.#service.refusal(status), false, false)) return false;
    this.keep = false;
    return true;
  }
}
