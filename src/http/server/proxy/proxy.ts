/** Decides which requests go to the program, in one thread of the server. @module */

import type { Cell } from "../../../../ffi/libc/cell.ts";
import type { Loop } from "../../../threads/loop/loop.ts";
import { TurnShare } from "../../../threads/loop/turn_share.ts";
import type { TlsDialer } from "../../../tls/client/dialer.ts";
import type { Clock } from "../thread/clock.ts";
import { HeadWriter } from "../parser/head_writer.ts";
import { CHUNKED } from "../parser/message_rules.ts";
import type { RequestHead } from "../parser/request_head.ts";
import { Method } from "../parser/request_line.ts";
import { beginHead, textPlan } from "../response/response.ts";
import { latin1, latin1Bytes } from "../parser/syntax.ts";
import { SharedBuffers } from "./body_pipe.ts";
import { Chunked, Counted, type Framing } from "./framing.ts";
import { IdleConnections } from "./upstream/idle_connections.ts";
import type { FallbackConfig } from "./options.ts";
import { decodedPath, owned } from "./paths.ts";
import { isPassable, wantsWebSocket, writePassedHead } from "./request.ts";
import type { AnswerHead } from "./response.ts";

/** Time for which a WebSocket may be silent, in milliseconds. */
const WEB_SOCKET_MS = 3_600_000;

const NO_BYTES = new Uint8Array(0);

/** Heads for the program are put together here. */
const writer = new HeadWriter();

/** A request to forward. */
export interface PassedRequest {
  /**
   * The head for the program, and the received part of the body: so many bytes of memory that is
   * given back to the buffers at the end.
   */
  readonly ahead: Cell;
  readonly aheadBytes: number;
  /** Knows the rest of the body. */
  readonly framing: Framing;
  /** Bytes received after the request. */
  readonly rest: Uint8Array;
  readonly bodiless: boolean;
  readonly minor: number;
  readonly upgrade: boolean;
  /** Whether the client's connection should stay open. */
  readonly keep: boolean;
  /**
   * Whether it may share a connection to the program with other requests. It has no body and is a
   * GET request: nothing of it can be taken for another request, and it may be repeated.
   */
  readonly shared: boolean;
  /** Most bytes to send to the program, with the head. */
  readonly most: number;
  /** The head as the client sent it, if it may have to be read again. */
  readonly original: Uint8Array | null;
}

/** Forwards requests in one thread. */
export class Fallback {
  readonly loop: Loop;
  readonly config: FallbackConfig;
  readonly buffers: SharedBuffers = new SharedBuffers();
  /** Connections that wait for another request. */
  readonly idle: IdleConnections;
  /** Speaks TLS with the program; `null` where that speaks HTTP without it. */
  readonly dialer: TlsDialer | null;
  /** The part of each turn for handshakes with the program. */
  readonly turns: TurnShare = new TurnShare(() => this.loop);
  /** Closes a connection that waits only for another request; returns false if there is none. */
  readonly makeRoom: () => boolean;
  readonly #clock: Clock;
  readonly #paths: readonly Uint8Array[];
  /** The same paths, decoded. */
  readonly #decoded: readonly string[];
  /** Whether the server itself answers OPTIONS for files. */
  readonly #preflights: (head: RequestHead) => boolean;
  readonly #scheme: "http" | "https";

  constructor(
    { clock, config, dialer, loop, makeRoom, preflights, scheme }: {
      readonly loop: Loop;
      readonly clock: Clock;
      readonly config: FallbackConfig;
      readonly dialer: TlsDialer | null;
      readonly makeRoom: () => boolean;
      readonly preflights: (head: RequestHead) => boolean;
      /** Scheme by which clients reach the server. */
      readonly scheme: "http" | "https";
    },
  ) {
    this.loop = loop;
    this.config = config;
    this.dialer = dialer;
    this.idle = new IdleConnections(loop, config.keepAlive, this.buffers.buffer);
    this.makeRoom = () => this.idle.evict() || makeRoom();
    this.#clock = clock;
    this.#preflights = preflights;
    this.#scheme = scheme;
    this.#paths = config.paths.map(latin1Bytes);
    this.#decoded = config.paths.map(decodedPath);
  }

  /** The current Date field. */
  get date(): Uint8Array {
    this.#clock.tick(this.loop.now);
    return this.#clock.bytes;
  }

  /** Whether a request goes to the program, whatever the folder contains. */
  owns(head: RequestHead): boolean {
    if (this.#paths.length === 0) return false;
    if (!isPlain(head)) return owned(head.target, this.config.paths, this.#decoded) && passes(head);
    for (const path of this.#paths) {
      if (begins(head, path)) return passes(head);
    }
    return false;
  }

  /** Whether a request that the folder answered with this status goes to the program. */
  wants(head: RequestHead, status: number): boolean {
    const { methods, notFound } = this.config;
    if (head.method === Method.GET || head.method === Method.HEAD) {
      return notFound && status === 404 && passes(head);
    }
    const own = head.method === Method.OPTIONS && this.#preflights(head);
    return methods && !own && passes(head);
  }

  /** Takes the request in `head`, whose body begins at `at`; returns a status if it is refused. */
  take(
    head: RequestHead,
    at: number,
    end: number,
    { client, keep, maxBodyBytes }: {
      /** The client's address. */
      readonly client: string;
      readonly keep: boolean;
      readonly maxBodyBytes: number;
    },
  ): PassedRequest | 400 | 413 {
    const { bodyLength, bytes, method, minor } = head;
    if (bodyLength !== CHUNKED && bodyLength > maxBodyBytes) return 413;
    const framing = bodyLength === CHUNKED
      ? new Chunked("without trailers")
      : new Counted(bodyLength);
    const last = framing.scan(bytes, at, end);
    if (last < 0) return 400;
    const upgrade = bodyLength === 0 && wantsWebSocket(head);
    const shared = this.config.keepAlive > 0 && this.dialer === null && bodyLength === 0 &&
      method === Method.GET && !upgrade;
    writer.begin(this.buffers.takeHead());
    const { accel, forwarded, host, via } = this.config;
    const scheme = this.#scheme;
    const passing = { accel, client, forwarded, host, scheme, shared, upgrade, via };
    writePassedHead(head, passing, writer);
    const most = writer.length + maxBodyBytes;
    writer.add(bytes, at, last - framing.removed);
    const { cell: ahead, length: aheadBytes } = writer;
    if (aheadBytes > most) {
      this.buffers.giveHead(ahead);
      return 413;
    }
    const rest = last === end ? NO_BYTES : bytes.slice(last, end);
    const original = this.config.accel === false ? null : bytes.slice(head.start, head.end);
    const bodiless = method === Method.HEAD;
    return {
      ahead,
      aheadBytes,
      framing,
      rest,
      bodiless,
      minor,
      upgrade,
      keep,
      shared,
      most,
      original,
    };
  }

  /** Milliseconds for which the program may be silent. */
  patience(connected: boolean, tunnel: boolean): number {
    const { connectMs, silenceMs } = this.config;
    return tunnel ? WEB_SOCKET_MS : connected ? silenceMs : connectMs;
  }

  /** Builds a response to send instead of the program's. */
  refusal(
    status: number,
    bodiless: boolean,
  ): { readonly head: AnswerHead; readonly body: Uint8Array } {
    const { headers, parts } = textPlan(status, status === 503 ? { "Retry-After": "1" } : {});
    let text = beginHead({ status, headers });
    for (const [name, value] of Object.entries(headers)) text += `${name}: ${value}\r\n`;
    text += `Date: ${latin1(this.date, 0, this.date.length)}\r\n`;
    const lines = latin1Bytes(text);
    const head = { status, framing: new Counted(0), untilEnd: false, required: undefined, lines };
    return { head, body: bodiless ? NO_BYTES : parts[0] as Uint8Array };
  }

  /** Closes the idle connections and pipes. */
  close(): void {
    this.idle.close();
    this.buffers.pipes.close();
  }
}

const NEVER: ReadonlySet<string> = new Set(["CONNECT", "TRACE"]);

/**
 * Never forwards CONNECT, a tunnel to anywhere, or TRACE, which shows hidden fields to the client.
 */
function passes(head: RequestHead): boolean {
  const known = head.method !== Method.OTHER;
  return (known || !NEVER.has(head.methodName)) && isPassable(head);
}

/** Whether the path can be compared as sent: origin form, no escapes. */
function isPlain({ bytes, pathEnd, targetStart }: RequestHead): boolean {
  if (bytes[targetStart] !== SLASH) return false;
  for (let at = targetStart; at < pathEnd; at++) if (bytes[at] === PERCENT) return false;
  return true;
}

function begins({ bytes, targetEnd, targetStart }: RequestHead, path: Uint8Array): boolean {
  if (path.length > targetEnd - targetStart) return false;
  for (let i = 0; i < path.length; i++) {
    if (bytes[targetStart + i] !== path[i]) return false;
  }
  return true;
}

const PERCENT = 0x25;
const SLASH = 0x2f;
