/** State that all connections of one thread share. @module */

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
import type { RemoteFiles } from "../remote/remote_files.ts";
import { Output } from "../connection/response_batch.ts";
import { Reply, textPlan } from "../response/response.ts";
import { RequestHead } from "../parser/request_head.ts";
import type { ConnectionService, ProxiedEntry } from "../connection/contracts.ts";
import { SecureStart } from "../connection/secure_start.ts";
import type { Sites } from "../sites/sites.ts";
import { leastMissed } from "./shedding.ts";
import type { ServiceOptions } from "./service_options.ts";

/** Buffer for received bytes, in addition to an incomplete head. */
const INPUT_BYTES = 16 * 1024;

/** Buffer for responses that leave together. */
const OUTPUT_BYTES = 64 * 1024;

/** Milliseconds that a new connection has for its first request once the server closes. */
const FIRST_REQUEST_MS = 500;

/** Milliseconds between two evictions of unused files. */
const SWEEP_MS = 30_000;

/**
 * Number of connections in a thread up to which unsent bytes are not limited: 1 GiB at most. The
 * limit costs CPU time, because acknowledgements find more to send. But 10,000 slow readers with up
 * to 4 MiB each would exceed what the kernel grants to all of TCP.
 */
const FEW = 256;

/** One serving thread. */
export class Service implements ConnectionService {
  readonly loop: Loop;
  readonly disk: PrefetchClient;
  readonly limits: Limits;
  readonly site: Sites;
  readonly remote: RemoteFiles;
  readonly clock: Clock = new Clock();
  readonly residency: ResidencyCache;
  readonly head: RequestHead;
  /** Bytes just received. */
  readonly input: Cell;
  readonly output: Output;
  /** Server for all other requests. */
  readonly fallback: Fallback | null;
  /** HTTPS; `null` for HTTP. */
  readonly tls: ConnectionService["tls"];
  readonly guard: ConnectionService["guard"];
  readonly uploads: ConnectionService["uploads"];
  /** Whether the thread answers no more requests. */
  closing = false;
  readonly #options: ServiceOptions;
  readonly #counters: Float64Array;
  readonly #connections = new Set<Connection>();
  readonly #starts = new Set<SecureStart>();
  readonly #refusals = new Map<number, Reply>();
  readonly #last = new Timer({ onTimeout: () => this.#finish(true) });
  readonly #sweeper = new Timer({ onTimeout: () => this.#sweep() });

  constructor(options: ServiceOptions) {
    const { cache, counters, dialer, disk, fallback, limits, loop, remote, site } = options;
    this.remote = remote;
    this.#options = options;
    this.#counters = counters;
    ({ guard: this.guard, tls: this.tls, uploads: this.uploads } = options);
    this.loop = loop;
    this.disk = disk;
    this.limits = limits;
    this.site = site;
    this.residency = new ResidencyCache(() => loop.now);
    this.head = new RequestHead(limits);
    this.input = new Cell(limits.maxHeadBytes + INPUT_BYTES);
    this.output = new Output(this, Math.max(OUTPUT_BYTES, cache.maxFileBytes + INPUT_BYTES));
    const [{ clock }, scheme] = [this, this.tls === null ? "http" : "https"] as const;
    const preflights = (head: RequestHead) => site.preflights(head);
    const own = { clock, dialer, loop, makeRoom: () => this.makeRoom(), preflights, scheme };
    this.fallback = fallback && new Fallback({ ...own, config: fallback });
    loop.timers.start(this.#sweeper, SWEEP_MS);
  }

  /** Number of open connections. */
  get open(): number {
    return this.#connections.size + this.#starts.size;
  }

  /** Whether there are so many connections that each one's unsent bytes are limited. */
  get crowded(): boolean {
    return this.#connections.size > FEW;
  }

  /** Takes over a connection; above the limit, another one is closed: see {@linkcode makeRoom}. */
  accept(fd: number): void {
    const handler = this.tls === null ? new Connection(this, fd) : new SecureStart(this, fd);
    if (this.loop.add(fd, EpollEvent.IN, handler) < 0) return handler.close();
    if (handler instanceof SecureStart) this.#starts.add(handler);
    else this.#connections.add(handler);
    if (this.open > this.limits.maxConnections) this.makeRoom(handler);
    this.count(Counter.ACCEPTED);
    this.#counters[Counter.OPEN] = this.open;
  }

  /** Takes over a socket after its handshake, with bytes that arrived behind it. */
  secured(start: SecureStart, session: TlsSession): void {
    const connection = new Connection(this, start.fd, session);
    this.#starts.delete(start);
    this.#connections.add(connection);
    start.watch(EpollEvent.IN);
    this.loop.pass(start.fd, connection);
    if (session.buffered) connection.onEvents(EpollEvent.IN);
  }

  /** Forgets a connection whose handshake failed. */
  startEnded(start: SecureStart): void {
    this.#starts.delete(start);
    this.#counters[Counter.OPEN] = this.open;
    this.#options.closed();
    this.#drained();
  }

  /** Tells a client that no descriptor is left for it. */
  turnAway(fd: number): void {
    this.count(Counter.REFUSED);
    if (this.tls !== null) return;
    const reply = this.refusal(503);
    // Closing with unread bytes would reset the connection.
    recvCell(fd, this.input, 0, this.input.bytes.length, 0);
    reply.refresh(this.clock);
    sendCell(fd, reply.cell, 0, reply.memoryBytes, MessageFlag.NOSIGNAL);
    raw.shutdown(fd, ShutdownHow.WR);
  }

  /**
   * Closes idle connections, and the others after their current response. A client that has just
   * connected has its first request under way, and gets a moment for it.
   */
  close(): void {
    this.closing = true;
    this.#finish(false);
    this.loop.timers.start(this.#last, FIRST_REQUEST_MS);
    this.#drained();
  }

  #finish(silent: boolean): void {
    if (silent) { for (const start of this.#starts) start.close(); }
    for (const connection of this.#connections) connection.finish(silent);
  }

  /** Closes every connection at once. */
  closeAll(): void {
    this.closing = true;
    for (const start of this.#starts) start.close();
    for (const connection of this.#connections) connection.close();
    this.#drained();
    this.fallback?.close();
  }

  /** Answers the request in `head`; see `Responder.answer`. */
  answer(): Reply | null {
    this.clock.tick(this.loop.now);
    return this.site.answer(this.head, this.loop.now);
  }

  /** The response to a request that is invalid, unsupported or for another host. */
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

  /** Records that a response is about to be sent: lengths of head and body. */
  answered(connection: Connection, reply: Reply, headBytes: number, bodyBytes: number): void {
    connection.sender.rate?.begin(this.site.rate);
    this.#countStatus(reply.status);
    this.#options.accessLog?.answered(connection, this.head, reply, headBytes, bodyBytes);
  }

  /** Records that the request in the head is being forwarded. */
  began(connection: Connection): ProxiedEntry | undefined {
    connection.sender.rate?.begin(this.limits);
    return this.#options.accessLog?.began(connection, this.head);
  }

  /** Records that the program has answered. */
  passed(status: number): void {
    this.count(Counter.PASSED);
    if (status !== 0) this.#countStatus(status);
  }

  /** Records that bytes have been sent. */
  progress(connection: Connection, bytes: number): void {
    this.#counters[Counter.BYTES]! += bytes;
    this.#options.accessLog?.progress(connection);
  }

  /** Records that a connection has ended. */
  closed(connection: Connection): void {
    this.#connections.delete(connection);
    this.#counters[Counter.OPEN] = this.open;
    this.#options.accessLog?.closed(connection);
    this.#options.closed();
    this.#drained();
  }

  /** Adds to a counter. */
  count(counter: number, by = 1): void {
    this.#counters[counter]! += by;
  }

  #countStatus(status: number): void {
    this.count(Counter.REQUESTS);
    const group = Counter.STATUS_2XX + Math.floor(status / 100) - 2;
    if (group >= Counter.STATUS_2XX) this.count(group);
  }

  /**
   * Closes a connection that waits for its next request, or else the one that has been silent
   * longest; false if all are busy. Its descriptor is free at the end of the turn. In a flood of
   * handshakes, the oldest unfinished one goes first, so that no other client is affected.
   */
  makeRoom(except?: unknown): boolean {
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
