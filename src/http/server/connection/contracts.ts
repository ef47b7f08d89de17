/**
 * The interfaces through which the parts of a connection see each other and their thread.
 * `Connection` and `Service` implement them; no part imports those classes, which avoids circles of
 * imports.
 *
 * @module
 */

import type { Cell } from "../../../../ffi/libc/cell.ts";
import type { Loop, Task } from "../../../threads/loop/loop.ts";
import type { ResidencyCache } from "../../../threads/residency_cache.ts";
import type { TurnShare } from "../../../threads/loop/turn_share.ts";
import type { TlsAcceptor } from "../../../tls/acceptor.ts";
import type { TlsSession } from "../../../tls/session.ts";
import type { Guard } from "../auth/guard.ts";
import type { Limits } from "../control/limits.ts";
import type { RequestHead } from "../parser/request_head.ts";
import type { RemoteFiles } from "../remote/remote_files.ts";
import type { Fallback } from "../proxy/proxy.ts";
import type { Redirection } from "../response/accel.ts";
import type { Reply } from "../response/response.ts";
import type { AnswerWaiter } from "../response/waiter.ts";
import type { Sites } from "../sites/sites.ts";
import type { Clock } from "../thread/clock.ts";
import type { PrefetchClient } from "../thread/prefetch_client.ts";
import type { Uploads } from "../upload/uploads.ts";
import type { Sender } from "./sender.ts";
import type { Transport } from "./transport.ts";

/** HTTPS settings shared by the connections of a thread. */
export interface ServiceTls {
  readonly acceptor: TlsAcceptor;
  readonly handshakeMs: number;
  /** The part of each turn for handshakes. */
  readonly turns: TurnShare;
}

/** A forwarded request, as the access log sees it. */
export interface ProxiedEntry {
  /**
   * Called once: status (0 if the client got no response), bytes of the body, and why the program has
   * not responded; bytes of a file that the client has sent.
   */
  end(
    status: number,
    bytes: number,
    state: "done" | "aborted",
    error?: string,
    received?: number,
  ): void;
  /**
   * Called once instead: the next response on the connection answers this request. `received` counts
   * the bytes of a file that the client has sent.
   */
  resume(received?: number): void;
}

/** A request that the program has answered with the name of a file. */
export interface RedirectedRequest {
  /** Head of the request as sent by the client. */
  readonly original: Uint8Array;
  readonly redirection: Redirection;
}

/** The response to a request whose body has been received. */
export interface LateReply {
  /** Head of the request as sent by the client. */
  readonly original: Uint8Array;
  readonly reply: Reply;
}

/** A response that follows what a connection was busy with. */
export type LateAnswer = RedirectedRequest | LateReply;

/** A socket during its TLS handshake. */
export interface StartHandle {
  readonly fd: number;
  close(): void;
}

/** The request that the program is answering, or whose body is being received. */
export interface ProxiedHandle {
  readonly waitsForClient: boolean;
  start(): void;
  onEvents(events: number): void;
  look(now: number): void;
  drop(): void;
}

/** A connection, as its parts and its thread see it. */
export interface ConnectionHandle extends Task, AnswerWaiter {
  readonly fd: number;
  readonly sender: Sender;
  readonly transport: Transport;
  readonly phase: number;
  readonly proxied: ProxiedHandle | null;
  readonly cold: { readonly pending: boolean; readonly since: number };
  readonly reader: {
    readonly keep: boolean;
    readonly partial: boolean;
    readonly pending: boolean;
    readonly requests: number;
  };
  began(): void;
  refuse(status: number): void;
  expire(): void;
  report(): void;
  passed(keep: boolean, received: Uint8Array, late?: LateAnswer): void;
  watch(events: number): void;
  abort(reason: number): void;
  close(): void;
}

/** The responses to requests that arrived together. */
export interface OutputHandle {
  begin(connection: ConnectionHandle): void;
  add(reply: Reply, keep: boolean, more: boolean): boolean;
  flush(): boolean;
  end(): number;
}

/** A serving thread, as its connections see it. */
export interface ConnectionService {
  readonly loop: Loop;
  readonly disk: PrefetchClient;
  readonly remote: RemoteFiles;
  readonly limits: Limits;
  readonly site: Sites;
  readonly clock: Clock;
  readonly residency: ResidencyCache;
  readonly head: RequestHead;
  readonly input: Cell;
  readonly output: OutputHandle;
  readonly fallback: Fallback | null;
  readonly tls: ServiceTls | null;
  /** Checks passwords; `null` without users. */
  readonly guard: Guard | null;
  /** Stores uploads; `null` without them. */
  readonly uploads: Uploads | null;
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
