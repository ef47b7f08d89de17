/** One connection: reads requests, has them answered, sends, and ends. @module */

import { errnoNumber } from "../../errors.ts";
import { EpollEvent } from "../../sys/event_flags.ts";
import { recvCell } from "../../sys/raw/cells.ts";
import * as raw from "../../sys/raw/mod.ts";
import { ShutdownHow, SocketLevel, TcpOption } from "../../sys/socket_flags.ts";
import type { Handler, Task } from "../../wait/loop/loop.ts";
import { Timer } from "../../wait/loop/timers.ts";
import { Counter } from "./config.ts";
import type { DiskWaiter } from "./disk.ts";
import { CHUNKED } from "./message_rules.ts";
import { Sender, Sent } from "./sender.ts";
import type { Service } from "./service.ts";
import { INCOMPLETE } from "./syntax.ts";
import { Watchdog } from "./watchdog.ts";

const EAGAIN = -errnoNumber("EAGAIN");
const EINTR = -errnoNumber("EINTR");

/** Most bytes of a body that are read past to keep the connection. */
const MOST_DISCARDED = 64 * 1024;

/** Most bytes that are read after the last answer: see RFC 9112, 9.6. */
const MOST_LINGERED = 1024 * 1024;

/** Requests that one connection gets answered before others get their turn. */
const REQUESTS_PER_TURN = 64;

/** Unsent bytes in the kernel at which a socket takes more: slow readers then make visible progress. */
const LOW_WATER = 128 * 1024;

/** Pause after the kernel had no memory, in milliseconds. */
const STARVED_MS = 20;

/** What a connection is doing. */
export const Phase = { READING: 0, SENDING: 1, LINGERING: 2, CLOSED: 3 } as const;

/** A connection, from accept(2) to close(2). */
export class Connection implements Handler, Task, DiskWaiter {
  readonly fd: number;
  readonly sender: Sender;
  /** One of {@linkcode Phase}. */
  phase: number = Phase.READING;
  /** Whether a request has begun, and not ended, to arrive. */
  partial = false;
  /** Requests that have been answered. */
  requests = 0;
  readonly #service: Service;
  readonly #watchdog: Watchdog;
  /** Wakes the connection after a pause. */
  readonly #pause = new Timer({ onTimeout: () => this.#pump() });
  /** Bytes that have arrived and belong to the next requests. */
  #pending: Uint8Array | null = null;
  #discard = 0;
  #lingered = 0;
  #keep = true;
  #interest: number = EpollEvent.IN;
  #diskId = 0;
  /** What of `sender.total` has been counted. */
  #reported = 0;
  #lowWater = false;

  constructor(service: Service, fd: number) {
    this.fd = fd;
    this.#service = service;
    this.sender = new Sender(fd, service.warmth);
    this.#watchdog = new Watchdog(service, this);
  }

  /** Whether the disk is what it waits for. */
  get waitsForDisk(): boolean {
    return this.#diskId !== 0;
  }

  /** Called by the loop. */
  onEvents(events: number): void {
    if (this.phase === Phase.SENDING) {
      if ((events & (EpollEvent.ERR | EpollEvent.HUP)) !== 0) return this.abort(Counter.ABORTED);
      if ((events & EpollEvent.OUT) !== 0 && this.#diskId === 0) this.#pump();
    } else if (this.phase === Phase.READING) {
      this.#receive();
    } else if (this.phase === Phase.LINGERING) {
      this.#linger();
    }
  }

  /** Called by the loop after a turn was given to others. */
  onTurn(): void {
    if (this.phase === Phase.SENDING) this.#pump();
    else if (this.phase === Phase.READING) this.#resume();
  }

  /** Called when the disk has brought the next window in; an error shows when it is sent. */
  onDisk(_result: number): void {
    this.#diskId = 0;
    const { file, position } = this.sender.cold;
    this.#service.warmth.warm(file, position);
    this.#pump();
  }

  #receive(): void {
    const { input } = this.#service;
    const before = this.#pending?.length ?? 0;
    const room = input.bytes.length - before;
    const received = recvCell(this.fd, input, before, room, 0);
    if (received === EAGAIN || received === EINTR) return;
    if (received <= 0) return this.close();
    if (this.#pending !== null) {
      input.bytes.set(this.#pending);
      this.#pending = null;
    }
    this.#process(before + received);
  }

  /** Goes on with what had arrived before the last answer was sent. */
  #resume(): void {
    const pending = this.#pending;
    if (pending === null) return;
    this.#service.input.bytes.set(pending);
    this.#pending = null;
    this.#process(pending.length);
  }

  /** Answers the requests in the first `end` bytes of the input. */
  #process(end: number): void {
    const { head, input, output } = this.#service;
    const began = this.partial;
    this.partial = false;
    output.begin(this);
    let at = 0;
    let left = REQUESTS_PER_TURN;
    while (at < end && this.phase === Phase.READING) {
      if (this.#discard > 0) {
        const skipped = Math.min(this.#discard, end - at);
        this.#discard -= skipped;
        at += skipped;
        continue;
      }
      if (left-- === 0) {
        this.#service.loop.again(this);
        break;
      }
      const result = head.parse(input.bytes, at, end);
      if (result === INCOMPLETE) {
        this.partial = true;
        break;
      }
      // Where the socket is full, the request is read again when there is room.
      if (!(result < 0 ? this.#refuse(-result) : this.#answer(end - result))) break;
      at = result < 0 ? end : result;
    }
    if (at < end && this.#keep) this.#pending = input.bytes.slice(at, end);
    this.partial ||= this.#discard > 0;
    if (this.partial && !began) this.#watchdog.begin();
    this.#dispatch();
  }

  /** Sends what has been collected. */
  #dispatch(): void {
    const sent = this.#service.output.end();
    this.#report();
    this.#settle(sent);
  }

  #report(): void {
    const { total } = this.sender;
    if (total === this.#reported) return;
    this.#service.progress(this, total - this.#reported);
    this.#reported = total;
  }

  /** Answers the request in `head`; false when earlier answers must leave first. */
  #answer(behind: number): boolean {
    const { head, output } = this.#service;
    const { bodyLength } = head;
    const swallow = bodyLength !== CHUNKED && bodyLength <= MOST_DISCARDED;
    const keep = head.keepAlive && swallow && !this.#service.closing;
    const reply = this.#service.answer();
    if (!output.add(reply, keep, behind > 0)) return false;
    this.#keep = keep;
    this.#discard = keep ? bodyLength : 0;
    this.requests++;
    return true;
  }

  /** Answers what is no request; nothing that follows it can be trusted. */
  #refuse(status: number): boolean {
    if (!this.#service.output.add(this.#service.refusal(status), false, false)) return false;
    this.#keep = false;
    return true;
  }

  /** Answers what has not arrived in time, and ends. */
  refuse(status: number): void {
    this.#service.output.begin(this);
    this.#refuse(status);
    this.#dispatch();
  }

  /** Ends after the answers that are under way. */
  finish(): void {
    if (this.phase === Phase.READING && !this.partial) this.close();
  }

  /** What is next, when this much of the answers has been sent. */
  #settle(sent: number): void {
    switch (sent) {
      case Sent.ALL:
        return this.#rest();
      case Sent.BLOCKED:
        this.phase = Phase.SENDING;
        return this.#block();
      case Sent.YIELDED:
        this.phase = Phase.SENDING;
        return this.#service.loop.again(this);
      case Sent.COLD:
        this.phase = Phase.SENDING;
        return this.#thaw();
      case Sent.STARVED:
        this.phase = Phase.SENDING;
        this.#watch(0);
        return this.#service.loop.timers.start(this.#pause, STARVED_MS);
      case Sent.TRUNCATED:
        return this.abort(Counter.TRUNCATED);
      default:
        return this.abort(Counter.ABORTED);
    }
  }

  /** Everything has been sent. */
  #rest(): void {
    if (!this.#keep) return this.#endOutput();
    if (this.#service.closing && this.#pending === null) return this.close();
    const had = this.phase === Phase.SENDING;
    this.phase = Phase.READING;
    this.#watch(EpollEvent.IN);
    this.#watchdog.idle();
    // Not from within: a client that sends ahead must not make the stack grow.
    if (had && this.#pending !== null) this.#service.loop.again(this);
  }

  #pump(): void {
    if (this.phase !== Phase.SENDING) return;
    const sent = this.sender.pump();
    this.#report();
    this.#settle(sent);
  }

  #block(): void {
    if (!this.#lowWater) {
      this.#lowWater = true;
      raw.setsockopt(this.fd, SocketLevel.TCP, TcpOption.NOTSENT_LOWAT, LOW_WATER);
    }
    this.#watch(EpollEvent.OUT);
  }

  #thaw(): void {
    const { file, position, length } = this.sender.cold;
    this.#watch(0);
    this.#diskId = this.#service.disk.ask(file, position, length, this);
    this.#service.count(Counter.COLD_READS);
    if (this.#diskId === 0) this.#service.loop.timers.start(this.#pause, STARVED_MS);
  }

  #watch(events: number): void {
    if (this.#interest === events) return;
    this.#interest = events;
    this.#service.loop.modify(this.fd, events);
  }

  /**
   * Says that nothing follows, and reads on for a while: closing with unread bytes would reset the
   * connection, and take away from the client what it has not read yet.
   */
  #endOutput(): void {
    this.phase = Phase.LINGERING;
    this.#pending = null;
    raw.shutdown(this.fd, ShutdownHow.WR);
    this.#watch(EpollEvent.IN);
    this.#watchdog.linger();
  }

  #linger(): void {
    const { input } = this.#service;
    const received = recvCell(this.fd, input, 0, input.bytes.length, 0);
    if (received === EAGAIN || received === EINTR) return;
    if (received > 0 && (this.#lingered += received) < MOST_LINGERED) return;
    this.close();
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
    this.phase = Phase.CLOSED;
    this.#watchdog.stop();
    this.#service.loop.timers.stop(this.#pause);
    if (this.#diskId !== 0) this.#service.disk.forget(this.#diskId);
    this.sender.drop();
    this.#pending = null;
    this.#service.closed(this);
    this.#service.loop.close(this.fd);
  }
}
