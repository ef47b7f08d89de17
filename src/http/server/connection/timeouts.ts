/** Closes connections that wait for too long, in either direction. @module */

import { platform } from "../../../../ffi/platform/mod.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { Timer } from "../../../threads/loop/timers.ts";
import { Counter } from "../control/config.ts";
import { Phase } from "./phase.ts";
import type { ConnectionHandle, ConnectionService } from "./contracts.ts";

/** Milliseconds to read on after the last response. */
const LINGER_MS = 2000;

/** Maximum milliseconds between two checks of a connection. */
const MOST_MS = 5000;

/** Minimum milliseconds between two checks. */
const LEAST_MS = 50;

/**
 * Checks a connection from time to time, instead of restarting a timer with every byte.
 *
 * A client that sends its head slowly has one timeout for all of it. A slow reader may take any
 * time, as long as its acknowledgements arrive at the minimum rate: bytes in the kernel's buffers
 * do not count as progress.
 */
export class Watchdog {
  readonly #service: ConnectionService;
  readonly #connection: ConnectionHandle;
  readonly #timer: Timer = new Timer(this);
  /** Start of the current wait. */
  #since: number;
  /** Bytes acknowledged at the last progress. */
  #acknowledged = 0;
  /** Time of the last rate measurement, and the bytes acknowledged then. */
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

  /** A request was forwarded: the program may have less time than clients. */
  pass(): void {
    this.idle();
    this.#start();
  }

  /** The last response has been sent. */
  linger(): void {
    this.#since = this.#service.loop.now;
    this.#service.loop.timers.start(this.#timer, LINGER_MS);
  }

  /** Stops checking. */
  stop(): void {
    this.#service.loop.timers.stop(this.#timer);
  }

  #start(): void {
    const { fileMs, headMs, idleMs, sendMs } = this.#service.limits;
    const { fallback } = this.#service;
    const proxied = this.#connection.phase === Phase.PASSING && fallback !== null
      ? Math.min(fallback.config.connectMs, fallback.config.silenceMs)
      : Infinity;
    const shortest = Math.min(fileMs, headMs, idleMs, sendMs, proxied) / 4;
    const delay = Math.max(LEAST_MS, Math.min(MOST_MS, shortest));
    this.#service.loop.timers.start(this.#timer, delay);
  }

  /** Called by the timer. */
  onTimeout(): void {
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
        // A client that has sent nothing gets no response.
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
