/**
 * What the parts of a connection need of each other and of their thread. `Connection` and `Service`
 * have these members; no part imports them whole, so no imports run in a circle.
 *
 * @module
 */

import type { Cell } from "../../../../ffi/libc/cell.ts";
import type { Loop, Task } from "../../../threads/loop/loop.ts";
import type { ResidencyCache } from "../../../threads/residency_cache.ts";
import type { TlsAcceptor } from "../../../tls/acceptor.ts";
import type { TlsSession } from "../../../tls/session.ts";
import type { Limits } from "../control/limits.ts";
import type { Listings, ListingWaiter } from "../listing/listings.ts";
import type { RequestHead } from "../parser/request_head.ts";
import type { Fallback } from "../proxy/proxy.ts";
import type { Redirection } from "../response/accel.ts";
import type { Responder } from "../response/responder.ts";
import type { Reply } from "../response/response.ts";
import type { Clock } from "../thread/clock.ts";
import type { PrefetchClient } from "../thread/prefetch_client.ts";
import type { Sender } from "./sender.ts";
import type { Transport } from "./transport.ts";

/** HTTPS, as the connections of a thread share it. */
export interface ServiceTls {
  readonly acceptor: TlsAcceptor;
  readonly handshakeMs: number;
}

/** A request that the program answers, as the log sees it. */
export interface ProxiedEntry {
  /**
   * Called once: status (0 where the client got no answer), bytes of the body, and why the program has
   * not answered.
   */
  end(status: number, bytes: number, state: "done" | "aborted", error?: string): void;
  /** Called once instead: the next answer on the connection is the one to this request. */
  resume(): void;
}

/** A request that the program has answered with a file's name. */
export interface RedirectedRequest {
  /** The head of the request, as the client sent it. */
  readonly original: Uint8Array;
  readonly redirection: Redirection;
}

/** A socket that is being made secure. */
export interface StartHandle {
  readonly fd: number;
  close(): void;
}

/** The request that the program answers at the moment. */
export interface ProxiedHandle {
  readonly waitsForClient: boolean;
  start(): void;
  onEvents(events: number): void;
  look(now: number): void;
  drop(): void;
}

/** A connection, as its parts and its thread see it. */
export interface ConnectionHandle extends Task, ListingWaiter {
  readonly fd: number;
  readonly sender: Sender;
  readonly transport: Transport;
  readonly phase: number;
  readonly proxied: ProxiedHandle | null;
  readonly diskId: number;
  readonly reader: {
    readonly partial: boolean;
    readonly pending: boolean;
    readonly requests: number;
  };
  began(): void;
  refuse(status: number): void;
  report(): void;
  passed(keep: boolean, received: Uint8Array, redirected?: RedirectedRequest): void;
  watch(events: number): void;
  abort(reason: number): void;
  close(): void;
}

/** The answers to the requests that arrived together. */
export interface OutputHandle {
  begin(connection: ConnectionHandle): void;
  add(reply: Reply, keep: boolean, more: boolean): boolean;
  flush(): boolean;
  end(): number;
}

/** A thread of a server, as its connections see it. */
export interface ConnectionService {
  readonly loop: Loop;
  readonly disk: PrefetchClient;
  readonly listings: Listings | null;
  readonly limits: Limits;
  readonly site: Responder;
  readonly clock: Clock;
  readonly residency: ResidencyCache;
  readonly head: RequestHead;
  readonly input: Cell;
  readonly output: OutputHandle;
  readonly fallback: Fallback | null;
  readonly tls: ServiceTls | null;
  readonly closing: boolean;
  readonly crowded: boolean;
  answer(): Reply | null;
  refusal(status: number): Reply;
  answered(connection: ConnectionHandle, reply: Reply, head: number, body: number): void;
  began(connection: ConnectionHandle): ProxiedEntry | undefined;
  passed(status: number): void;
  progress(connection: ConnectionHandle, bytes: number): void;
  count(counter: number, by?: number): void;
  closed(connection: ConnectionHandle): void;
  secured(start: StartHandle, session: TlsSession): void;
  startEnded(start: StartHandle): void;
}
