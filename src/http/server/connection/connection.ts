/** One connection: reads requests, sends responses, waits for either side, and closes. @module */

import { limitUnsent } from "../../../runtime/tcp.ts";
import { EpollEvent } from "../../../sys/flags/event.ts";
import type { Handler, Task } from "../../../threads/loop/loop.ts";
import { Timer } from "../../../threads/loop/timers.ts";
import { Outcome, STARVED_MS } from "../../../move/engine/step/outcome.ts";
import { Counter } from "../control/config.ts";
import { ProxiedConnection } from "../proxy/client_connection.ts";
import { UploadConnection } from "../upload/upload_connection.ts";
import { ColdRead } from "./cold_read.ts";
import { Interest } from "./interest.ts";
import { Lingering } from "./lingering.ts";
import type { AnswerWaiter } from "../response/waiter.ts";
import { AWAITED, ENDED, NOTHING, PASSED, Reader } from "./request_reader.ts";
import { RateLimit } from "./rate_limit.ts";
import { Sender, YIELDED } from "./sender.ts";
import { PlainTransport, type Transport } from "./transport.ts";
import { Watchdog } from "./timeouts.ts";
import { Phase } from "./phase.ts";
import type { ConnectionService, LateAnswer, ProxiedHandle } from "./contracts.ts";

/** A connection, from accept(2) to close(2). */
export class Connection implements Handler, Task, AnswerWaiter {
  /** The socket. */
  readonly fd: number;
  /** Reads and writes the connection's bytes. */
  readonly transport: Transport;
  /** Bytes to send. */
  readonly sender: Sender;
  /** Received bytes. */
  readonly reader: Reader;
  /** One of {@linkcode Phase}. */
  phase: number = Phase.READING;
  /** The request that the program is answering, or whose body is being received. */
  proxied: ProxiedHandle | null = null;
  readonly #service: ConnectionService;
  readonly #watchdog: Watchdog;
  /** Wakes the connection after a pause; most connections never need one. */
  #pause: Timer | null = null;
  readonly #interest: Interest;
  /** The next window of a file, while others bring it. */
  readonly cold: ColdRead;
  #limited = false;
  #lingering: Lingering | null = null;
  /** The part of `sender.total` that has been counted. */
  #reported = 0;

  /** Owns `fd` and its transport. */
  constructor(service: ConnectionService, fd: number, transport?: Transport) {
    this.fd = fd;
    this.transport = transport ?? new PlainTransport(fd);
    this.#service = service;
    this.#interest = new Interest(service.loop, fd);
    const { limits, site } = service;
    const rate = site.limited ? new RateLimit(fd, limits, site.ratesVary) : null;
    this.sender = new Sender(this.transport, service.residency, rate);
    this.reader = new Reader(service, this);
    this.cold = new ColdRead(service, this.sender, this);
    this.#watchdog = new Watchdog(service, this);
  }

  /** Called by the loop. */
  onEvents(reported: number): void {
    const events = this.#interest.filter(reported);
    if (events === 0) return;
    if (this.phase === Phase.SENDING) {
      if ((events & (EpollEvent.ERR | EpollEvent.HUP)) !== 0) return this.abort(Counter.ABORTED);
      if ((events & EpollEvent.OUT) !== 0) this.#pump();
    } else if (this.phase === Phase.READING) this.#received(this.reader.receive());
    else if (this.phase === Phase.LINGERING) this.#linger();
    else if (this.phase === Phase.WAITING) {
      if ((events & (EpollEvent.ERR | EpollEvent.HUP)) !== 0) this.abort(Counter.ABORTED);
    } else this.proxied?.onEvents(events);
  }

  /** Called by the loop after other connections had a turn. */
  onTurn(): void {
    if (this.phase === Phase.SENDING) this.#pump();
    else if (this.phase === Phase.READING) {
      const { partial, pending } = this.reader;
      const more = this.transport.buffered && (partial || !pending);
      this.#received(more ? this.reader.receive() : this.reader.resume());
    }
  }

  /** Called when the next window can be sent. */
  warmed(): void {
    this.#pump();
  }

  /** Called by the reader when a request has arrived in part. */
  began(): void {
    this.#watchdog.begin();
  }

  /** Answers a request that did not arrive in time, and closes. */
  refuse(status: number): void {
    this.#received(this.reader.refuse(status));
  }

  /** Closes after the responses in progress; `silent` also before a first request. */
  finish(silent: boolean): void {
    const { partial, pending, requests } = this.reader;
    if (this.phase !== Phase.READING || partial || pending) return;
    if (silent || requests > 0) this.close();
  }

  #received(result: number): void {
    if (result === NOTHING) {
      return this.watch(this.transport.readWantsWrite ? EpollEvent.OUT : EpollEvent.IN);
    }
    // Who ends without close_notify reads none: sending it would only bring a reset.
    if (result === ENDED) return this.close(!this.transport.complete);
    this.report();
    if (result === PASSED) return this.#pass();
    if (result === AWAITED) {
      // Others open the file, or make the page of the folder.
      this.phase = Phase.WAITING;
      this.#watchdog.idle();
      return this.watch(0);
    }
    this.#settle(result);
  }

  #pump(): void {
    if (this.phase !== Phase.SENDING || this.cold.pending) return;
    const sent = this.sender.pump();
    this.report();
    this.#settle(sent);
  }

  /** Reports how many bytes have been sent. */
  report(): void {
    const { total } = this.sender;
    if (total === this.#reported) return;
    this.#service.progress(this, total - this.#reported);
    this.#reported = total;
  }

  /** Gives up what others have been asked for. */
  expire(): void {
    this.#service.count(Counter.TIMEOUTS);
    this.#service.site.lookups.expire(this);
  }

  /** Called when others have done their part. */
  onAnswer(): void {
    if (this.phase !== Phase.WAITING) return;
    this.phase = Phase.READING;
    this.watch(EpollEvent.IN);
    this.#received(this.reader.resume());
  }

  /** Forwards a request to the program, or receives its body; earlier responses have been sent. */
  #pass(): void {
    const passed = this.reader.passed!;
    this.reader.passed = null;
    this.phase = Phase.PASSING;
    this.#watchdog.pass();
    this.proxied = "upload" in passed
      ? new UploadConnection(this.#service, this, passed)
      : new ProxiedConnection(this.#service, this, passed);
    this.proxied.start();
  }

  /** Called when the program's response was sent, or there is one to send: `late`. */
  passed(keep: boolean, received: Uint8Array, late?: LateAnswer): void {
    this.proxied = null;
    this.reader.continue(keep, received);
    this.phase = Phase.SENDING;
    if (late) this.#received(this.reader.redirect(late));
    else this.#settle(Outcome.MOVED);
  }

  /** Decides what to do after sending. */
  #settle(sent: number): void {
    if (sent === Outcome.MOVED) return this.#rest();
    if (sent === Outcome.SHORT) return this.abort(Counter.TRUNCATED);
    if (sent === Outcome.FAILED || sent === Outcome.REFUSED) return this.abort(Counter.ABORTED);
    this.phase = Phase.SENDING;
    if (sent === Outcome.BLOCKED) this.#block();
    else if (sent === YIELDED) this.#service.loop.again(this);
    else if (sent === Outcome.COLD && this.cold.begin()) this.watch(0);
    else this.#starve();
  }

  /** Everything has been sent. */
  #rest(): void {
    if (!this.reader.keep) return this.#endOutput();
    const { pending } = this.reader;
    if (this.#service.closing && !pending) return this.close();
    const sent = this.phase === Phase.SENDING;
    this.phase = Phase.READING;
    this.watch(EpollEvent.IN);
    if (!this.reader.partial) this.#watchdog.idle();
    // Not recursively: a client that pipelines must not make the stack grow.
    if (sent && pending || this.transport.buffered) this.#service.loop.again(this);
  }

  /** The socket is full. */
  #block(): void {
    if (!this.#limited && this.#service.crowded) {
      this.#limited = true;
      limitUnsent(this.fd);
    }
    this.watch(EpollEvent.OUT);
  }

  /** The kernel, or the disk thread, accepts no more work now. */
  #starve(): void {
    this.watch(0);
    this.#pause ??= new Timer({ onTimeout: () => this.#pump() });
    this.#service.loop.timers.start(this.#pause, STARVED_MS);
  }

  /** Sets the events to wait for. */
  watch(events: number): void {
    this.#interest.watch(events);
  }

  /** Ends the output and reads on for a while: see {@linkcode Lingering}. */
  #endOutput(): void {
    this.phase = Phase.LINGERING;
    this.#watchdog.linger();
    this.#lingering = new Lingering(this.#service, this.fd, this.transport);
    this.#linger();
  }

  #linger(): void {
    const events = this.#lingering!.step();
    if (events === 0) this.close();
    else this.watch(events);
  }

  /** Closes the connection in the middle of a response. */
  abort(reason: number): void {
    if (this.phase === Phase.CLOSED) return;
    this.#service.count(reason);
    this.close(true);
  }

  /** Closes the connection at once; `cut` within a response, be it in its first turn. */
  close(cut = false): void {
    if (this.phase === Phase.CLOSED) return;
    // Only between two requests: a response cut short must not look complete.
    if (!cut && this.phase === Phase.READING) this.transport.shutdown();
    this.phase = Phase.CLOSED;
    this.#watchdog.stop();
    if (this.#pause !== null) this.#service.loop.timers.stop(this.#pause);
    this.cold.forget();
    this.#service.site.lookups.forget(this);
    this.sender.drop();
    this.proxied?.drop();
    this.transport.free();
    this.#service.closed(this);
    this.#service.loop.close(this.fd);
  }
}
