/** A connection of a client while its request is being answered by the program. @module */

import type { Connection } from "../connection.ts";
import { Counter } from "../config.ts";
import type { PassedEntry } from "../journal.ts";
import type { Service } from "../service.ts";
import type { Client, Told } from "./client.ts";
import { Exchange } from "./exchange.ts";
import type { PassedRequest } from "./fallback.ts";

/** Stands between a connection and an exchange, and counts. */
export class Passing implements Client {
  readonly #service: Service;
  readonly #connection: Connection;
  readonly #exchange: Exchange;
  readonly #entry: PassedEntry | undefined;

  /** The request must still be in the service's head. Call {@linkcode start} next. */
  constructor(service: Service, connection: Connection, request: PassedRequest) {
    this.#service = service;
    this.#connection = connection;
    this.#entry = service.began(connection);
    this.#exchange = new Exchange(service.fallback!, this, request);
  }

  get fd(): number {
    return this.#connection.fd;
  }

  get closing(): boolean {
    return this.#service.closing;
  }

  /** Whether the client's reading is what is waited for. */
  get waitsForClient(): boolean {
    return this.#exchange.waitsForClient;
  }

  /** Begins; may be over when it returns. */
  start(): void {
    this.#exchange.start();
  }

  /** Called for events of the client's socket. */
  onEvents(events: number): void {
    this.#exchange.onClient(events);
  }

  /** Called now and then. */
  look(now: number): void {
    this.#exchange.look(now);
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
    const told = this.#exchange.abort();
    if (told !== undefined) this.#tell(told, "aborted");
  }

  #tell({ bytes, status }: Told, state: "done" | "aborted"): void {
    this.#service.passed(status);
    this.#entry?.end(status, bytes, state);
  }
}
