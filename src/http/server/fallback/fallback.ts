/** Which requests are the program's to answer, as one thread of the server sees it. @module */

import type { Loop } from "../../../wait/loop/loop.ts";
import type { Clock } from "../clock.ts";
import { CHUNKED } from "../message_rules.ts";
import type { RequestHead } from "../request_head.ts";
import { Method } from "../request_line.ts";
import { textPlan } from "../reply.ts";
import { reasonOf } from "../reasons.ts";
import { latin1, latin1Bytes } from "../syntax.ts";
import { Means } from "./flow.ts";
import { Chunked, Counted, type Framing } from "./framing.ts";
import type { FallbackConfig } from "./options.ts";
import { isPassable, passedHead, wantsWebSocket } from "./request.ts";

/** For how long a WebSocket may be silent, in milliseconds. */
export const WEB_SOCKET_MS = 3_600_000;

/** A request to be passed on. */
export interface PassedRequest {
  /** The head for the program, and what of the body has arrived. */
  readonly ahead: Uint8Array;
  /** Knows what of the body is still to come. */
  readonly framing: Framing;
  /** What has arrived behind the request. */
  readonly rest: Uint8Array;
  readonly bodiless: boolean;
  readonly minor: number;
  readonly upgrade: boolean;
  /** Whether the client's connection is to stay. */
  readonly keep: boolean;
}

/** What requests are passed on with. */
export class Fallback {
  readonly loop: Loop;
  readonly config: FallbackConfig;
  readonly means: Means = new Means();
  readonly #clock: Clock;
  readonly #paths: readonly Uint8Array[];
  /** Whether OPTIONS is answered for the files. */
  readonly #preflights: boolean;
  readonly #scheme: "http" | "https";

  constructor(
    { clock, config, loop, preflights, scheme }: {
      readonly loop: Loop;
      readonly clock: Clock;
      readonly config: FallbackConfig;
      readonly preflights: boolean;
      /** How clients reach the server. */
      readonly scheme: "http" | "https";
    },
  ) {
    this.loop = loop;
    this.config = config;
    this.#clock = clock;
    this.#preflights = preflights;
    this.#scheme = scheme;
    this.#paths = config.paths.map(latin1Bytes);
  }

  /** The date. */
  get date(): Uint8Array {
    this.#clock.tick(this.loop.now);
    return this.#clock.bytes;
  }

  /** Whether a request is the program's, whatever is in the folder. */
  owns(head: RequestHead): boolean {
    for (const path of this.#paths) {
      if (begins(head, path)) return passes(head);
    }
    return false;
  }

  /** Whether a request is the program's that the folder has answered with this status. */
  wants(head: RequestHead, status: number): boolean {
    const { methods, notFound } = this.config;
    if (head.method === Method.GET || head.method === Method.HEAD) {
      return notFound && status === 404 && passes(head);
    }
    return methods && !(head.method === Method.OPTIONS && this.#preflights) && passes(head);
  }

  /** Takes the request in `head`, whose body begins at `at`; `undefined` where that is malformed. */
  take(
    head: RequestHead,
    at: number,
    end: number,
    client: string,
    keep: boolean,
  ): PassedRequest | undefined {
    const { bodyLength, bytes, method, minor } = head;
    const framing = bodyLength === CHUNKED ? new Chunked() : new Counted(bodyLength);
    const last = framing.scan(bytes, at, end);
    if (last < 0) return undefined;
    const upgrade = bodyLength === 0 && wantsWebSocket(head);
    const { forwarded } = this.config;
    const text = passedHead(head, { client, forwarded, scheme: this.#scheme, upgrade });
    const ahead = new Uint8Array(text.length + last - at);
    ahead.set(text);
    ahead.set(bytes.subarray(at, last), text.length);
    const rest = bytes.slice(last, end);
    return { ahead, framing, rest, bodiless: method === Method.HEAD, minor, upgrade, keep };
  }

  /** An answer in the place of the program's. */
  refusal(status: number, bodiless: boolean): { readonly text: string; readonly body: Uint8Array } {
    const { headers, parts } = textPlan(status, status === 503 ? { "Retry-After": "1" } : {});
    let text = `HTTP/1.1 ${status} ${reasonOf(status)}\r\n`;
    for (const [name, value] of Object.entries(headers)) text += `${name}: ${value}\r\n`;
    text += `Date: ${latin1(this.date, 0, this.date.length)}\r\n`;
    return { text, body: bodiless ? new Uint8Array(0) : parts[0] as Uint8Array };
  }

  /** Closes what is kept. */
  close(): void {
    this.means.pipes.close();
  }
}

/** CONNECT asks for a tunnel to anywhere, and TRACE for what the client must not see: never. */
function passes(head: RequestHead): boolean {
  const { methodName } = head;
  return methodName !== "CONNECT" && methodName !== "TRACE" && isPassable(head);
}

function begins(head: RequestHead, path: Uint8Array): boolean {
  const { bytes, pathEnd, targetStart } = head;
  // The absolute form names a server first: rare, and not worth a second reader.
  const start = bytes[targetStart] === SLASH ? targetStart : pathAfterAuthority(head);
  if (pathEnd - start < path.length) return false;
  for (let i = 0; i < path.length; i++) {
    if (bytes[start + i] !== path[i]) return false;
  }
  return true;
}

function pathAfterAuthority({ bytes, pathEnd, targetStart }: RequestHead): number {
  let slashes = 0;
  for (let at = targetStart; at < pathEnd; at++) {
    if (bytes[at] === SLASH && ++slashes === 3) return at;
  }
  return pathEnd;
}

const SLASH = 0x2f;
