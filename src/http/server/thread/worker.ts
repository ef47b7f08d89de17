/** What all connections of one thread share. @module */

import { Cell } from "../../../../ffi/libc/cell.ts";
import { EpollEvent } from "../../../sys/flags/event.ts";
import { recvCell, sendCell } from "../../../sys/raw/cells.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { MessageFlag, ShutdownHow } from "../../../sys/flags/socket.ts";
import { ResidencyCache } from "../../../threads/residency_cache.ts";
import type { TlsSession } from "../../../tls/session.ts";
import type { Loop } from "../../../threads/loop/loop.ts";
import { Timer } from "../../../threads/loop/timers.ts";
import { Clock } from "./clock.ts";
import { Counter } from "../control/config.ts";
import type { Limits } from "../control/limits.ts";
import { Connection } from "../connection/connection.ts";
import type { PrefetchClient } from "./prefetch_client.ts";
import { Fallback } from "../proxy/proxy.ts";
import type { Listings } from "../listing/listings.ts";
import { Output } from "../connection/response_batch.ts";
import { Reply, textPlan } from "../response/response.ts";
import { RequestHead } from "../parser/request_head.ts";
import type { ConnectionHandle, ConnectionService, ProxiedEntry } from "../connection/contracts.ts";
import { SecureStart } from "../connection/secure_start.ts";
import type { Responder } from "../response/responder.ts";
import { leastMissed } from "./shedding.ts";
import type { ServiceOptions } from "./service_options.ts";

/** Room for what arrives at once, beside a head that is not whole yet. */
const INPUT_BYTES = 16 * 1024;

/** Room for answers that leave together. */
const OUTPUT_BYTES = 64 * 1024;

/** How often what has not been used is forgotten, in milliseconds. */
const SWEEP_MS = 30_000;

/**
 * Connections of a thread up to which nobody is limited: 1 GiB at most. 100 clients of 100 MiB cost 0.10
 * CPU-seconds per GB then, and 0.16 to 0.19 with the limit, because acknowledgements find more to send
 * (Node.js and Bun, Linux 6.18). The up to 4 MiB of each of 10,000 slow readers would be more than the
 * kernel grants to all of TCP.
 */
const FEW = 256;

/** One thread of a server. */
export class Service implements ConnectionService {
  readonly loop: Loop;
  readonly disk: PrefetchClient;
  readonly limits: Limits;
  readonly site: Responder;
  readonly listings: Listings | null;
  readonly clock: Clock = new Clock();
  readonly residency: ResidencyCache;
  readonly head: RequestHead;
  /** What has just arrived. */
  readonly input: Cell;
  readonly output: Output;
  /** Whose the rest of the requests are. */
  readonly fallback: Fallback | null;
  /** HTTPS; `null` for HTTP. */
  readonly tls: ConnectionService["tls"];
  /** Whether no further request is answered on any connection. */
  closing = false;
  readonly #options: ServiceOptions;
  readonly #counters: Float64Array;
  readonly #connections = new Set<Connection>();
  readonly #starts = new Set<SecureStart>();
  readonly #refusals = new Map<number, Reply>();
  readonly #sweeper = new Timer({ onTimeout: () => this.#sweep() });

  constructor(options: ServiceOptions) {
    const { cache, counters, dialer, disk, limits, listings, loop, preflights, site } = options;
    const config = options.fallback;
    this.listings = listings;
    this.#options = options;
    this.#counters = counters;
    this.tls = options.tls;
    this.loop = loop;
    this.disk = disk;
    this.limits = limits;
    this.site = site;
    this.residency = new ResidencyCache(() => loop.now);
    this.head = new RequestHead(limits);
    this.input = new Cell(limits.maxHeadBytes + INPUT_BYTES);
    this.output = new Output(this, Math.max(OUTPUT_BYTES, cache.maxFileBytes + INPUT_BYTES));
    const [{ clock }, scheme] = [this, this.tls === null ? "http" : "https"] as const;
    const makeRoom = () => this.makeRoom();
    this.fallback = config && new Fallback({
      ...{ clock, config, dialer, loop, makeRoom, preflights, scheme },
    });
    loop.timers.start(this.#sweeper, SWEEP_MS);
  }

  /** Open connections. */
  get open(): number {
    return this.#connections.size + this.#starts.size;
  }

  /** Whether there are so many that what each leaves unsent in the kernel is limited. */
  get crowded(): boolean {
    return this.#connections.size > FEW;
  }

  /** Takes a connection over; of too many another one goes: see {@linkcode makeRoom}. */
  accept(fd: number): void {
    if (this.closing) {
      raw.close(fd);
      return this.#options.closed();
    }
    if (this.tls === null) {
      const connection = new Connection(this, fd);
      if (this.loop.add(fd, EpollEvent.IN, connection) < 0) return connection.close();
      this.#connections.add(connection);
      if (this.open > this.limits.maxConnections) this.makeRoom(connection);
    } else {
      const start = new SecureStart(this, fd);
      if (this.loop.add(fd, EpollEvent.IN, start) < 0) return start.close();
      this.#starts.add(start);
      if (this.open > this.limits.maxConnections) this.makeRoom();
    }
    this.count(Counter.ACCEPTED);
    this.#counters[Counter.OPEN] = this.open;
  }

  /** A handshake is done: takes the socket over, and what has arrived behind the handshake. */
  secured(start: SecureStart, session: TlsSession): void {
    const connection = new Connection(this, start.fd, session);
    this.#starts.delete(start);
    this.#connections.add(connection);
    this.loop.modify(start.fd, EpollEvent.IN);
    this.loop.pass(start.fd, connection);
    if (this.closing) connection.finish();
    else connection.onEvents(EpollEvent.IN);
  }

  /** A handshake has failed, and its connection ended. */
  startEnded(start: SecureStart): void {
    this.#starts.delete(start);
    this.#counters[Counter.OPEN] = this.open;
    this.#options.closed();
    this.#drained();
  }

  /** Tells a client that there is no descriptor for it. */
  turnAway(fd: number): void {
    this.count(Counter.REFUSED);
    if (this.tls !== null) return;
    const reply = this.refusal(503);
    // What was sent and not read would make of the end a reset.
    recvCell(fd, this.input, 0, this.input.bytes.length, 0);
    reply.refresh(this.clock);
    sendCell(fd, reply.cell, 0, reply.memoryBytes, MessageFlag.NOSIGNAL);
    raw.shutdown(fd, ShutdownHow.WR);
  }

  /** Ends the connections that wait for requests, and the others with their last answer. */
  close(): void {
    this.closing = true;
    for (const start of this.#starts) start.close();
    for (const connection of this.#connections) connection.finish();
    this.#drained();
  }

  /** Closes every connection, whatever it is doing. */
  closeAll(): void {
    this.closing = true;
    for (const start of this.#starts) start.close();
    for (const connection of this.#connections) connection.close();
    this.#drained();
    this.fallback?.close();
  }

  /** The answer to the request in `head`; see `Responder.answer`. */
  answer(): Reply | null {
    this.clock.tick(this.loop.now);
    return this.site.answer(this.head, this.loop.now);
  }

  /** The answer to what is no request, or none that we take. */
  refusal(status: number): Reply {
    this.clock.tick(this.loop.now);
    let reply = this.#refusals.get(status);
    if (reply === undefined) {
      const plan = textPlan(status, status === 503 ? { "Retry-After": "1" } : {});
      reply = new Reply(plan, null, plan.parts[0] as Uint8Array);
      this.#refusals.set(status, reply);
    }
    return reply;
  }

  /** An answer is about to be sent: so many bytes of head, and of body. */
  answered(connection: Connection, reply: Reply, headBytes: number, bodyBytes: number): void {
    this.#countStatus(reply.status);
    this.#options.accessLog?.answered(connection, this.head, reply, headBytes, bodyBytes);
  }

  /** The request in the head is being passed on. */
  began(connection: Connection): ProxiedEntry | undefined {
    return this.#options.accessLog?.began(connection, this.head);
  }

  /** The program has answered. */
  passed(status: number): void {
    this.count(Counter.PASSED);
    if (status !== 0) this.#countStatus(status);
  }

  /** Bytes have left. */
  progress(connection: Connection, bytes: number): void {
    this.#counters[Counter.BYTES]! += bytes;
    this.#options.accessLog?.progress(connection);
  }

  /** A connection has ended. */
  closed(connection: Connection): void {
    this.#connections.delete(connection);
    this.#counters[Counter.OPEN] = this.open;
    this.#options.accessLog?.closed(connection);
    this.#options.closed();
    this.#drained();
  }

  /** Counts. */
  count(counter: number, by = 1): void {
    this.#counters[counter]! += by;
  }

  #countStatus(status: number): void {
    this.count(Counter.REQUESTS);
    const group = Counter.STATUS_2XX + Math.floor(status / 100) - 2;
    if (group >= Counter.STATUS_2XX) this.count(group);
  }

  /**
   * Closes a connection that waits for nothing but another request, or else the one that has been
   * silent for the longest time; false where there is neither. Its descriptor is free at the end of
   * the turn. Of many unfinished handshakes the oldest goes first: a flood of them ends nobody else.
   */
  makeRoom(except?: ConnectionHandle): boolean {
    const [oldest] = this.#starts;
    const flood = this.#starts.size > this.#connections.size;
    const chosen = (flood ? oldest : undefined) ?? leastMissed(this.#connections, except) ?? oldest;
    if (chosen === undefined) return false;
    this.count(Counter.SHED);
    chosen.close();
    return true;
  }

  #drained(): void {
    if (this.closing && this.open === 0) this.#options.drained();
  }

  #sweep(): void {
    this.site.sweep();
    this.loop.timers.start(this.#sweeper, SWEEP_MS);
  }
}
