/** Reads the requests of one connection and has them answered. @module */

import { EAGAIN, EINTR } from "../../../errno.ts";
import type { PassedRequest } from "../proxy/proxy.ts";
import { Field } from "../parser/field_names.ts";
import { clientOf } from "../thread/access_log.ts";
import { CHUNKED } from "../parser/message_rules.ts";
import { Method } from "../parser/request_line.ts";
import { Reply } from "../response/response.ts";
import { INCOMPLETE } from "../parser/syntax.ts";
import type { UploadRequest } from "../upload/uploads.ts";
import type {
  ConnectionHandle,
  ConnectionService,
  LateAnswer,
  RedirectedRequest,
} from "./contracts.ts";

/** Maximum bytes of a body that are discarded to keep the connection. */
const MOST_DISCARDED = 64 * 1024;

/** Requests answered on one connection before others get their turn. */
const REQUESTS_PER_TURN = 64;

/** Results of `receive`: nothing to read now; nothing will follow. */
export const NOTHING = -1;
export const ENDED = -2;
/** Result of `receive`: a request is to be forwarded. */
export const PASSED = -3;
/** Result if a listing must be created first, or another thread opens the file. */
export const AWAITED = -4;

/** Reads requests and has them answered; one object serves the whole life of a connection. */
export class Reader {
  /** Whether a request has arrived in part. */
  partial = false;
  /** Whether another request may follow. */
  keep = true;
  /** Number of requests answered. */
  requests = 0;
  /** The request to forward, or whose body is to be stored. */
  passed: PassedRequest | UploadRequest | null = null;
  readonly #service: ConnectionService;
  readonly #connection: ConnectionHandle;
  /** Whether the first of the pending requests waits for others. */
  #awaits = false;
  /** A passed request whose file others open. */
  #redirected: RedirectedRequest | null = null;
  /** Received bytes that belong to the next requests. */
  #pending: Uint8Array | null = null;
  /** Bytes of a body that remain to be discarded. */
  #discard = 0;

  constructor(service: ConnectionService, connection: ConnectionHandle) {
    this.#service = service;
    this.#connection = connection;
  }

  /** Whether received requests, whole or partial, are unanswered. */
  get pending(): boolean {
    return this.#pending !== null;
  }

  /**
   * Reads and answers requests; returns {@linkcode NOTHING}, {@linkcode ENDED} or the state of
   * sending.
   */
  receive(): number {
    const { input } = this.#service;
    const before = this.#pending?.length ?? 0;
    const room = input.bytes.length - before;
    // Answer the received requests first.
    if (room <= 0) return this.resume();
    const received = this.#connection.transport.recv(input, before, room);
    if (received === EAGAIN || received === EINTR) return NOTHING;
    if (received <= 0) return ENDED;
    if (this.#pending !== null) input.bytes.set(this.#pending);
    this.#pending = null;
    return this.#process(before + received);
  }

  /** Continues with bytes that arrived before the last responses were sent. */
  resume(): number {
    if (this.#redirected !== null) return this.redirect(this.#redirected);
    const pending = this.#pending;
    if (pending === null) return NOTHING;
    this.#service.input.bytes.set(pending);
    this.#pending = null;
    return this.#process(pending.length);
  }

  /** Continues after a forwarded request, with the bytes received since. */
  continue(keep: boolean, received: Uint8Array): void {
    this.keep = keep;
    if (keep && received.length > 0) this.#pending = received;
  }

  /**
   * Answers a forwarded request with a file, or one whose body has been received, after
   * {@linkcode continue}; returns the state of sending.
   */
  redirect(request: LateAnswer): number {
    const { original } = request;
    const { clock, closing, fallback, head, loop, output, site } = this.#service;
    head.parse(original, 0, original.length);
    clock.tick(loop.now);
    output.begin(this.#connection);
    this.keep &&= !closing && !this.#connection.transport.keyUpdateDue;
    const reply = "reply" in request
      ? request.reply
      : site.redirected(head, request.redirection, fallback!.config.accel);
    this.#redirected = reply === null ? request as RedirectedRequest : null;
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

  /** Answers a request that did not arrive in time. */
  refuse(status: number): number {
    this.#service.output.begin(this.#connection);
    this.#refuse(status, Method.OTHER);
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
      // If the socket is full, the request is read again once there is room.
      if (!(result < 0 ? this.#refuse(-result) : this.#answer(result, end))) break;
      if (this.passed !== null) return PASSED;
      at = result < 0 ? end : result;
      answered = true;
    }
    if (at < end && this.keep) this.#pending = input.bytes.slice(at, end);
    this.partial ||= this.#discard > 0;
    // Each request gets the full time, however long the last one took.
    if (this.partial && (!began || answered)) this.#connection.began();
    return this.#awaits ? AWAITED : output.end();
  }

  /** Answers the request in the head; false if earlier responses must leave first. */
  #answer(at: number, end: number): boolean {
    const { closing, fallback, head, output, site } = this.#service;
    const denied = this.#denied();
    if (denied === null && fallback?.owns(head)) return this.#pass(at, end);
    const upload = denied === null ? this.#service.uploads?.take(head, at, end) : undefined;
    if (upload !== undefined && !(upload instanceof Reply)) return this.#upload(upload);
    const reply = denied ?? upload ?? this.#service.answer();
    if (reply === null) return this.#wait();
    if (denied === null && !upload && reply.status >= 204 && fallback?.wants(head, reply.status)) {
      site.settle();
      return this.#pass(at, end);
    }
    const { bodyLength } = head;
    // After another status, a client that expects "100 Continue" may send the body or not (RFC
    // 9110, 10.1.1): the next bytes could be that body or the next request.
    const withheld = (head.known & Field.EXPECT) !== 0 && head.minor === 1 && bodyLength > end - at;
    // Don't search for the end of a longer or chunked body. Bytes after CONNECT may be meant for a
    // tunnel that does not exist.
    const keep = head.keepAlive && bodyLength !== CHUNKED && bodyLength <= MOST_DISCARDED &&
      !closing && !withheld && !this.#last && !this.#connection.transport.keyUpdateDue &&
      !(head.method === Method.OTHER && head.methodName === "CONNECT");
    const added = output.add(reply, keep, at < end);
    site.settle();
    if (!added) return false;
    this.keep = keep;
    this.#discard = keep ? bodyLength : 0;
    this.requests++;
    return true;
  }

  /** The response to a request for an unknown host, or without the password that it needs. */
  #denied(): Reply | null {
    const { clock, guard, head, loop, site } = this.#service;
    if (site.misdirected(head)) return this.#service.refusal(421);
    if (guard === null) return null;
    clock.tick(loop.now);
    return guard.refuse(head);
  }

  /** Whether the connection ends after the response to this request. */
  get #last(): boolean {
    const { maxRequests } = this.#service.limits;
    return maxRequests > 0 && this.requests + 1 >= maxRequests;
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

  /** Forwards the request in the head; false if earlier responses must leave first. */
  #pass(at: number, end: number): boolean {
    const { closing, fallback, head, limits, output } = this.#service;
    if (!output.flush()) return false;
    const passed = fallback!.take(head, at, end, {
      client: clientOf(this.#connection),
      keep: head.keepAlive && !closing && !this.#last,
      maxBodyBytes: limits.maxBodyBytes || Infinity,
    });
    if (typeof passed === "number") return this.#refuse(passed);
    this.passed = passed;
    this.requests++;
    return true;
  }

  /** Has the body of the request stored; false if earlier responses must leave first. */
  #upload(upload: UploadRequest): boolean {
    const { closing, head, output } = this.#service;
    if (!output.flush()) return false;
    this.keep = head.keepAlive && !closing && !this.#last;
    this.passed = upload;
    this.requests++;
    return true;
  }

  /** Answers an invalid request; the bytes after it cannot be trusted. */
  #refuse(status: number, method: number = this.#service.head.method): boolean {
    const { head, output } = this.#service;
    head.forget(method);
    if (!output.add(this.#service.refusal(status), false, false)) return false;
    this.keep = false;
    return true;
  }
}
