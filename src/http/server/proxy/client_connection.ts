/** A client's connection while the program answers its request. @module */

import { Counter } from "../control/config.ts";
import type { Client, Told } from "./client.ts";
import { ProxiedRequest } from "./proxied_request.ts";
import { LOOKED_AT_BYTES } from "./body_pipe.ts";
import type { Redirection } from "../response/accel.ts";
import type { PassedRequest } from "./proxy.ts";
import type { Framing } from "./framing.ts";
import { type BridgeOwner, TlsBridge } from "./tls/bridge.ts";
import type {
  ConnectionHandle,
  ConnectionService,
  ProxiedEntry,
  RedirectedRequest,
} from "../connection/contracts.ts";

/** Most bytes of the body at once. */
const BLIND_BYTES = 64 * 1024;

/** Returns the bytes that a proxied request may get next; see `BridgeOwner.room`. */
function roomFor({ blind, done }: Framing): number {
  // After the body, nothing is read unless the connection has become a tunnel.
  if (done) return BLIND_BYTES;
  return blind > 0 ? Math.min(blind, BLIND_BYTES) : LOOKED_AT_BYTES;
}

/** Connects a client's connection with its proxied request, and counts. */
export class ProxiedConnection implements Client {
  readonly #service: ConnectionService;
  readonly #connection: ConnectionHandle;
  readonly #request: PassedRequest;
  readonly #proxiedRequest: ProxiedRequest;
  readonly #entry: ProxiedEntry | undefined;
  /** Carries bytes between the proxied request and a TLS client. */
  readonly #bridge: TlsBridge | null;
  #keep = false;
  /** The file to send after all earlier bytes of the program have left. */
  #redirected: RedirectedRequest | undefined;

  /** The request must still be in the service's head. Call {@linkcode start} next. */
  constructor(service: ConnectionService, connection: ConnectionHandle, request: PassedRequest) {
    this.#service = service;
    this.#connection = connection;
    this.#request = request;
    this.#entry = service.began(connection);
    const { loop, buffers } = service.fallback!;
    this.#bridge = service.tls && new TlsBridge(loop, buffers.buffer, this.#clientSide(request));
    this.#proxiedRequest = new ProxiedRequest(service.fallback!, this, request);
  }

  get fd(): number {
    return this.#bridge?.fd ?? this.#connection.fd;
  }

  get closing(): boolean {
    return this.#service.closing;
  }

  /** Whether it waits for the client to read. */
  get waitsForClient(): boolean {
    return this.#bridge?.waitsForClient ?? this.#proxiedRequest.waitsForClient;
  }

  /** Starts. It may finish before this returns. */
  start(): void {
    if (this.#bridge?.fd === -1) this.failed({ status: 0, bytes: 0 });
    else this.#proxiedRequest.start();
  }

  /** Called for events of the client's socket. */
  onEvents(events: number): void {
    if (this.#bridge === null) this.#proxiedRequest.onClient(events);
    else this.#bridge.onSocket(events);
  }

  /** Called periodically. */
  look(now: number): void {
    this.#proxiedRequest.look(now);
  }

  watch(events: number): void {
    if (this.#bridge === null) this.#connection.watch(events);
    else this.#bridge.watch(events);
  }

  sent(bytes: number): void {
    this.#connection.sender.taken(bytes);
    this.#connection.report();
  }

  answered(told: Told, keep: boolean, behind: Uint8Array, redirection?: Redirection): void {
    this.#keep = keep;
    if (redirection === undefined) this.#tell(told, "done");
    else {
      const { framing, keep, original } = this.#request;
      // Unread bytes of this request could be taken for the next one.
      this.#keep = keep && framing.done;
      this.#redirected = { original: original!, redirection };
    }
    if (this.#bridge === null) this.#passed(behind);
    else this.#bridge.finish(behind);
  }

  #passed(behind: Uint8Array): void {
    const redirected = this.#redirected;
    this.#redirected = undefined;
    if (redirected !== undefined) {
      this.#service.passed(0);
      this.#entry?.resume();
    }
    this.#connection.passed(this.#keep, behind, redirected);
  }

  failed(told: Told): void {
    this.#tell(told, "aborted");
    this.#bridge?.flush();
    this.#connection.abort(Counter.ABORTED);
  }

  /** Called when the connection closes. */
  drop(): void {
    this.#bridge?.close();
    const begun = this.#redirected && { status: 0, bytes: 0 };
    const told = this.#proxiedRequest.abort() ?? begun;
    if (told !== undefined) this.#tell(told, "aborted");
  }

  /** Describes the client's side for the bridge. */
  #clientSide({ framing }: PassedRequest): BridgeOwner {
    const connection = this.#connection;
    return {
      fd: connection.fd,
      transport: connection.transport,
      ofProgram: false,
      hungUp: false,
      watch: (events) => connection.watch(events),
      room: () => roomFor(framing),
      onExchange: (events) => this.#proxiedRequest.onClient(events),
      finished: (behind) => this.#passed(behind),
      broken: () => connection.abort(Counter.ABORTED),
    };
  }

  #tell({ bytes, error, status }: Told, state: "done" | "aborted"): void {
    this.#service.passed(status);
    this.#entry?.end(status, bytes, state, error);
  }
}
