/** Ends connections that wait for too long, in either direction. @module */

import { platform } from "../../../../ffi/platform/mod.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { Timer } from "../../../threads/loop/timers.ts";
import { Counter } from "../control/config.ts";
import { Phase } from "./phase.ts";
import type { ConnectionHandle, ConnectionService } from "./contracts.ts";

/** Time to read on after the last answer, in milliseconds. */
const LINGER_MS = 2000;

/** Longest time between two looks at a connection. */
const MOST_MS = 5000;

/** Least time between two looks. */
const LEAST_MS = 50;

/**
 * Looks at one connection now and then, rather than setting a timer with every byte.
 *
 * A client that drips a head is given one time for all of it. A client that reads slowly may take as
 * long as it likes, as long as its acknowledgements come, and come at the lowest rate: what lies in
 * the kernel's buffers is not progress.
 */
export class Watchdog {
  readonly #service: ConnectionService;
  readonly #connection: ConnectionHandle;
  readonly #timer: Timer = new Timer({ onTimeout: () => this.#look() });
  /** When the current wait began. */
  #since: number;
  /** Bytes that the peer had acknowledged when it last acknowledged more. */
  #acknowledged = 0;
  /** When the rate was last measured, and the acknowledged bytes then. */
  #measuredAt = 0;
  #measured = 0;
  #sending = false;

  constructor(service: ConnectionService, connection: ConnectionHandle) {
    this.#service = service;
    this.#connection = connection;
    this.#since = service.loop.now;
    this.#start();
  }

  /** Answers have been sent, and nothing has arrived since; or others are asked. */
  idle(): void {
    this.#since = this.#service.loop.now;
    this.#sending = false;
  }

  /** The first bytes of a request have arrived. */
  begin(): void {
    this.#since = this.#service.loop.now;
  }

  /** The program is being asked: it may have less time than clients. */
  pass(): void {
    this.idle();
    this.#start();
  }

  /** The last answer has been sent. */
  linger(): void {
    this.#since = this.#service.loop.now;
    this.#service.loop.timers.start(this.#timer, LINGER_MS);
  }

  /** Looks no more. */
  stop(): void {
    this.#service.loop.timers.stop(this.#timer);
  }

  #start(): void {
    const { fileMs, headMs, idleMs, sendMs } = this.#service.limits;
    const { fallback } = this.#service;
    const proxied = this.#connection.phase === Phase.PASSING
      ? Math.min(fallback!.config.connectMs, fallback!.config.silenceMs)
      : Infinity;
    const shortest = Math.min(fileMs, headMs, idleMs, sendMs, proxied) / 4;
    const delay = Math.max(LEAST_MS, Math.min(MOST_MS, shortest));
    this.#service.loop.timers.start(this.#timer, delay);
  }

  #look(): void {
    const { limits, loop } = this.#service;
    const { phase, reader: { partial, requests } } = this.#connection;
    const waited = loop.now - this.#since;
    if (phase === Phase.LINGERING) {
      if (waited >= LINGER_MS) return this.#connection.close();
    } else if (phase === Phase.SENDING) {
      const { cold } = this.#connection;
      if (cold.pending && loop.now - cold.since >= limits.fileMs) return this.#end();
      if (this.#stuck(loop.now)) return this.#end();
    } else if (phase === Phase.PASSING) {
      const proxied = this.#connection.proxied!;
      if (!proxied.waitsForClient) {
        this.#sending = false;
        proxied.look(loop.now);
        if (this.#connection.phase === Phase.CLOSED) return;
      } else if (this.#stuck(loop.now)) return this.#end();
    } else if (phase === Phase.WAITING) {
      if (waited >= limits.fileMs) {
        this.#connection.expire();
        if (this.#connection.phase === Phase.CLOSED) return;
      }
    } else if (partial || requests === 0) {
      if (waited >= limits.headMs) {
        this.#service.count(Counter.TIMEOUTS);
        // Whoever has said nothing gets no answer either.
        return partial ? this.#connection.refuse(408) : this.#connection.close();
      }
    } else if (waited >= limits.idleMs) {
      return this.#connection.close();
    }
    this.#start();
  }

  /** Whether the peer acknowledges nothing, or too little. */
  #stuck(now: number): boolean {
    const { fd, sender } = this.#connection;
    const { minRate, sendMs } = this.#service.limits;
    const queued = raw.ioctlInt(fd, platform.ioctl.SIOCOUTQ);
    const acknowledged = sender.total - Math.max(0, queued);
    if (!this.#sending) {
      this.#sending = true;
      this.#since = this.#measuredAt = now;
      this.#acknowledged = this.#measured = acknowledged;
      return false;
    }
    // Waiting for the disk is not the peer's fault.
    if (acknowledged > this.#acknowledged || this.#connection.cold.pending) {
      this.#acknowledged = acknowledged;
      this.#since = now;
    }
    if (now - this.#since >= sendMs) return true;
    const seconds = (now - this.#measuredAt) / 1000;
    if (seconds * 1000 < sendMs) return false;
    const slow = (acknowledged - this.#measured) / seconds < minRate;
    this.#measuredAt = now;
    this.#measured = acknowledged;
    return slow && !this.#connection.cold.pending;
  }

  #end(): void {
    this.#service.count(Counter.TIMEOUTS);
    this.#connection.abort(Counter.ABORTED);
  }
}
