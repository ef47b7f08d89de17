/** A connection of a client while its request is being answered by the program. @module */

import type { Connection } from "../connection/connection.ts";
import { Counter } from "../control/config.ts";
import type { ProxiedEntry } from "../thread/access_log.ts";
import type { Service } from "../thread/worker.ts";
import type { Client, Told } from "./client.ts";
import { ProxiedRequest } from "./proxied_request.ts";
import type { PassedRequest } from "./proxy.ts";

/** Stands between a connection and an proxied request, and counts. */
export class ProxiedConnection implements Client {
  readonly #service: Service;
  readonly #connection: Connection;
  readonly #proxiedRequest: ProxiedRequest;
  readonly #entry: ProxiedEntry | undefined;

  /** The request must still be in the service's head. Call {@linkcode start} next. */
  constructor(service: Service, connection: Connection, request: PassedRequest) {
    this.#service = service;
    this.#connection = connection;
    this.#entry = service.began(connection);
    this.#proxiedRequest = new ProxiedRequest(service.fallback!, this, request);
  }

  get fd(): number {
    return this.#connection.fd;
  }

  get closing(): boolean {
    return this.#service.closing;
  }

  /** Whether the client's reading is what is waited for. */
  get waitsForClient(): boolean {
    return this.#proxiedRequest.waitsForClient;
  }

  /** Begins; may be over when it returns. */
  start(): void {
    this.#proxiedRequest.start();
  }

  /** Called for events of the client's socket. */
  onEvents(events: number): void {
    this.#proxiedRequest.onClient(events);
  }

  /** Called now and then. */
  look(now: number): void {
    this.#proxiedRequest.look(now);
  }

  watch(events: number): void {
    this.#connection.watch(events);
  }

  sent(bytes: number): void {
    this.#connection.sender.total += bytes;
    this.#connection.report();
  }

  answered(told: Told, keep: boolean, behind: Uint8Array): void {
    this.#tell(told, "done");
    this.#connection.passed(keep, behind);
  }

  failed(told: Told): void {
    this.#tell(told, "aborted");
    this.#connection.abort(Counter.ABORTED);
  }

  /** The connection is being closed. */
  drop(): void {
    const told = this.#proxiedRequest.abort();
    if (told !== undefined) this.#tell(told, "aborted");
  }

  #tell({ bytes, status }: Told, state: "done" | "aborted"): void {
    this.#service.passed(status);
    this.#entry?.end(status, bytes, state);
  }
}
