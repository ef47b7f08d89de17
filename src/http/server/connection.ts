/** One connection: reads requests, sends answers, waits for either side, and ends. @module */

import { limitUnsent } from "../../guest/tcp.ts";
import { EpollEvent } from "../../sys/event_flags.ts";
import type { Handler, Task } from "../../wait/loop/loop.ts";
import { Timer } from "../../wait/loop/timers.ts";
import { Counter } from "./config.ts";
import type { DiskWaiter } from "./disk.ts";
import { Passing } from "./fallback/passing.ts";
import { Lingering } from "./lingering.ts";
import { ENDED, NOTHING, PASSED, Reader } from "./reader.ts";
import { Sender, Sent } from "./sender.ts";
import type { Service } from "./service.ts";
import { PlainTransport, type Transport } from "./transport.ts";
import { Watchdog } from "./watchdog.ts";

/** Pause after the kernel had no memory, in milliseconds. */
const STARVED_MS = 20;

/** What a connection is doing. */
export const Phase = { READING: 0, SENDING: 1, LINGERING: 2, CLOSED: 3, PASSING: 4 } as const;

/** A connection, from accept(2) to close(2). */
export class Connection implements Handler, Task, DiskWaiter {
  /** The socket. */
  readonly fd: number;
  /** What carries its bytes. */
  readonly transport: Transport;
  /** What is to be sent. */
  readonly sender: Sender;
  /** What is received. */
  readonly reader: Reader;
  /** One of {@linkcode Phase}. */
  phase: number = Phase.READING;
  /** The request that the program answers at the moment. */
  passing: Passing | null = null;
  readonly #service: Service;
  readonly #watchdog: Watchdog;
  /** Wakes the connection after a pause. */
  readonly #pause = new Timer({ onTimeout: () => this.#pump() });
  #interest: number = EpollEvent.IN;
  #diskId = 0;
  #limited = false;
  #lingering: Lingering | null = null;
  /** What of `sender.total` has been counted. */
  #reported = 0;

  /** Owns `fd`, and what carries its bytes. */
  constructor(service: Service, fd: number, transport: Transport = new PlainTransport(fd)) {
    this.fd = fd;
    this.transport = transport;
    this.#service = service;
    this.sender = new Sender(transport, service.warmth);
    this.reader = new Reader(service, this);
    this.#watchdog = new Watchdog(service, this);
  }

  /** Whether the disk is what it waits for. */
  get waitsForDisk(): boolean {
    return this.#diskId !== 0;
  }

  /** Whether it waits for nothing but another request. */
  get idle(): boolean {
    const { partial, pending, requests } = this.reader;
    return this.phase === Phase.READING && !partial && !pending && requests > 0;
  }

  /** Called by the loop. */
  onEvents(events: number): void {
    if (this.phase === Phase.SENDING) {
      if ((events & (EpollEvent.ERR | EpollEvent.HUP)) !== 0) return this.abort(Counter.ABORTED);
      if ((events & EpollEvent.OUT) !== 0 && this.#diskId === 0) this.#pump();
    } else if (this.phase === Phase.READING) {
      this.#received(this.reader.receive());
    } else if (this.phase === Phase.LINGERING) {
      this.#linger();
    } else this.passing?.onEvents(events);
  }

  /** Called by the loop after a turn was given to others. */
  onTurn(): void {
    if (this.phase === Phase.SENDING) this.#pump();
    else if (this.phase === Phase.READING) {
      const { partial, pending } = this.reader;
      const more = this.transport.buffered && (partial || !pending);
      this.#received(more ? this.reader.receive() : this.reader.resume());
    }
  }

  /** Called when the disk has brought the next window in; an error shows when it is sent. */
  onDisk(_result: number): void {
    this.#diskId = 0;
    const { file, position } = this.sender.cold;
    this.#service.warmth.warm(file, position);
    this.#pump();
  }

  /** Called by the reader when a request begins to arrive, and does not end. */
  began(): void {
    this.#watchdog.begin();
  }

  /** Answers what has not arrived in time, and ends. */
  refuse(status: number): void {
    this.#received(this.reader.refuse(status));
  }

  /** Ends after the answers that are under way. */
  finish(): void {
    const { partial, pending } = this.reader;
    if (this.phase === Phase.READING && !partial && !pending) this.close();
  }

  #received(result: number): void {
    if (result === NOTHING) {
      return this.watch(this.transport.readWantsWrite ? EpollEvent.OUT : EpollEvent.IN);
    }
    if (result === ENDED) return this.close();
    this.report();
    if (result === PASSED) return this.#pass();
    this.#settle(result);
  }

  #pump(): void {
    if (this.phase !== Phase.SENDING || this.#diskId !== 0) return;
    const sent = this.sender.pump();
    this.report();
    this.#settle(sent);
  }

  /** Tells how many bytes have been sent. */
  report(): void {
    const { total } = this.sender;
    if (total === this.#reported) return;
    this.#service.progress(this, total - this.#reported);
    this.#reported = total;
  }

  /** Leaves a request to the program; the answers before it have been sent. */
  #pass(): void {
    const { passed } = this.reader;
    this.reader.passed = null;
    this.phase = Phase.PASSING;
    this.#watchdog.pass();
    this.passing = new Passing(this.#service, this, passed!);
    this.passing.start();
  }

  /** Called when the program's answer has been sent. */
  passed(keep: boolean, received: Uint8Array): void {
    this.passing = null;
    this.reader.continue(keep, received);
    this.phase = Phase.SENDING;
    this.#rest();
  }

  /** What is next, when the answers have been sent so far. */
  #settle(sent: number): void {
    if (sent === Sent.ALL) return this.#rest();
    if (sent === Sent.TRUNCATED) return this.abort(Counter.TRUNCATED);
    if (sent === Sent.FAILED) return this.abort(Counter.ABORTED);
    this.phase = Phase.SENDING;
    if (sent === Sent.BLOCKED) this.#block();
    else if (sent === Sent.YIELDED) this.#service.loop.again(this);
    else if (sent === Sent.COLD) this.#thaw();
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
    // Not from within: a client that sends ahead must not make the stack grow.
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

  /** The next window is on the disk. */
  #thaw(): void {
    const { file, length, position } = this.sender.cold;
    const { disk, loop, warmth } = this.#service;
    this.#diskId = disk.ask(file, position, length, this);
    if (this.#diskId === 0) {
      if (!disk.gone) return this.#starve();
      // The thread of the disk could not be started, or has ended: rather wait here than not send.
      warmth.warm(file, position);
      return loop.again(this);
    }
    this.watch(0);
    this.#service.count(Counter.COLD_READS);
  }

  /** The kernel, or the disk, has no room for more work. */
  #starve(): void {
    this.watch(0);
    this.#service.loop.timers.start(this.#pause, STARVED_MS);
  }

  /** Sets the events that are waited for. */
  watch(events: number): void {
    if (this.#interest === events) return;
    this.#interest = events;
    this.#service.loop.modify(this.fd, events);
  }

  /** Says that nothing follows, and reads on for a while. */
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

  /** Ends the connection where an answer is cut short. */
  abort(reason: number): void {
    if (this.phase === Phase.CLOSED) return;
    this.#service.count(reason);
    this.close();
  }

  /** Closes the connection, whatever it is doing. */
  close(): void {
    if (this.phase === Phase.CLOSED) return;
    // Between two requests: what is cut short must not look whole.
    if (this.phase === Phase.READING) this.transport.shutdown();
    this.phase = Phase.CLOSED;
    this.#watchdog.stop();
    this.#service.loop.timers.stop(this.#pause);
    if (this.#diskId !== 0) this.#service.disk.forget(this.#diskId);
    this.sender.drop();
    this.passing?.drop();
    this.transport.free();
    this.#service.closed(this);
    this.#service.loop.close(this.fd);
  }
}
