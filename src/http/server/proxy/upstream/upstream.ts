/** A connection to the program, for one request at a time. @module */

import { EXHAUSTIONS } from "../../../../errno.ts";
import { errnoName } from "../../../../errors.ts";
import { EpollEvent } from "../../../../sys/flags/event.ts";
import { Dial } from "../../../../threads/loop/dial.ts";
import type { Handler, Loop, Task } from "../../../../threads/loop/loop.ts";
import type { Fallback } from "../proxy.ts";
import { SecureUpstream } from "../tls/secure_upstream.ts";

/** Returns the status if the program cannot be reached because of `-errno`. */
function statusOf(result: number): 502 | 503 {
  return EXHAUSTIONS.has(result) ? 503 : 502;
}

/** Owner of the connection. */
export interface UpstreamOwner {
  /** Called once when it is connected. */
  connected(): void;
  /** Called once instead, or when the connection fails later: with the status for it, and why. */
  refuse(status: 502 | 503, reason: string): void;
  /** Called for events after it is connected. */
  onEvents(): void;
}

/** Connects, and watches the events that its owner waits for. */
export class Upstream implements Handler, Task {
  /** The socket, or its stand-in if the program speaks TLS; -1 before there is one. */
  fd = -1;
  /** Whether it is connected. */
  ready = false;
  /** Whether it has carried other requests before. */
  reused = false;
  readonly #fallback: Fallback;
  readonly #loop: Loop;
  readonly #owner: UpstreamOwner;
  #dial: Dial | null = null;
  #closed = false;
  #secure: SecureUpstream | null = null;
  /** Events to wait for; 0 if it is not in the loop. */
  #interest = 0;

  /** Connects to the program of `fallback`. */
  constructor(fallback: Fallback, owner: UpstreamOwner) {
    this.#fallback = fallback;
    this.#loop = fallback.loop;
    this.#owner = owner;
  }

  #connect(): void {
    const fallback = this.#fallback;
    const { config: { addresses }, dialer, loop } = fallback;
    const owner = this.#owner;
    const { OUT } = EpollEvent;
    this.#dial = new Dial({
      loop,
      addresses,
      events: OUT,
      connected: (fd) => {
        if (dialer !== null) {
          return this.#secureBy(
            new SecureUpstream({
              loop,
              turns: fallback.turns,
              dialer,
              fd,
              buffer: fallback.buffers.buffer,
              owner: this.#secureOwner(),
            }),
          );
        }
        this.fd = fd;
        this.ready = true;
        this.#interest = OUT;
        loop.pass(fd, this);
        owner.connected();
      },
      failed: (result) => this.#unreached(result),
      exhausted: fallback.makeRoom,
    });
    this.#dial.start();
  }

  #secureBy(secure: SecureUpstream): void {
    this.#secure = secure;
    secure.start();
  }

  #secureOwner() {
    const owner = this.#owner;
    return {
      secured: () => {
        this.fd = this.#secure!.end;
        this.ready = true;
        owner.connected();
      },
      failed: (reason: string) => owner.refuse(502, reason),
      onEvents: () => owner.onEvents(),
    };
  }

  #unreached(result: number): void {
    this.#owner.refuse(statusOf(result), `it cannot be reached (${errnoName(-result)})`);
  }

  /**
   * Begins to connect, or takes an idle connection if the request may share one. May call the owner
   * before it returns.
   */
  connect(shared: boolean): void {
    const fd = shared ? this.#fallback.idle.take() : -1;
    if (fd < 0) return this.#connect();
    this.fd = fd;
    this.ready = this.reused = true;
    this.#interest = EpollEvent.IN;
    this.#loop.pass(fd, this);
    this.#owner.connected();
  }

  /** Replaces an idle connection that turned out to be closed. Connects in the next turn. */
  reconnect(): void {
    this.#loop.close(this.fd);
    this.fd = -1;
    this.#interest = 0;
    this.ready = this.reused = false;
    this.#loop.again(this);
  }

  /** Called by the loop. */
  onTurn(): void {
    if (!this.#closed) this.#connect();
  }

  /** Leaves the connection to later requests. Nothing may be due on it. */
  keep(): void {
    if (!this.ready) return;
    this.#fallback.idle.keep(this.fd, this.#interest);
    this.fd = -1;
    this.ready = false;
  }

  /** Called by the loop. */
  onEvents(): void {
    this.#owner.onEvents();
  }

  /** Sets the events to wait for, once it is connected. */
  watch(events: number): void {
    if (!this.ready) return;
    if (this.#secure !== null) return this.#secure.await(events);
    if (events === this.#interest) return;
    if (events === 0) {
      // Removes it, because with no events the loop would still report its end again and again.
      this.#loop.remove(this.fd);
    } else if (this.#interest === 0) {
      const result = this.#loop.add(this.fd, events, this);
      if (result < 0) return this.#unreached(result);
    } else this.#loop.modify(this.fd, events);
    this.#interest = events;
  }

  /** Closes it. A second call does nothing. */
  close(): void {
    this.#closed = true;
    this.#dial?.close();
    this.ready = false;
    if (this.#secure !== null) this.#secure.close();
    else if (this.fd >= 0) this.#loop.close(this.fd);
    this.fd = -1;
  }
}
