/** A connection to the program for one request. @module */

import { EXHAUSTIONS } from "../../../errno.ts";
import { errnoName } from "../../../errors.ts";
import { EpollEvent } from "../../../sys/flags/event.ts";
import { Dial } from "../../../threads/loop/dial.ts";
import type { Handler, Loop } from "../../../threads/loop/loop.ts";
import type { Fallback } from "./proxy.ts";
import { SecureUpstream } from "./tls/secure_upstream.ts";

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
export class Upstream implements Handler {
  /** The socket, or its stand-in if the program speaks TLS; -1 before there is one. */
  fd = -1;
  /** Whether it is connected. */
  ready = false;
  readonly #loop: Loop;
  readonly #owner: UpstreamOwner;
  readonly #dial: Dial;
  #secure: SecureUpstream | null = null;
  /** Events to wait for; 0 if it is not in the loop. */
  #interest = 0;

  /** Connects to the program of `fallback`. */
  constructor(fallback: Fallback, owner: UpstreamOwner) {
    const { config: { addresses }, dialer, loop } = fallback;
    this.#loop = loop;
    this.#owner = owner;
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

  /** Begins to connect. May call the owner before it returns. */
  connect(): void {
    this.#dial.start();
  }

  /** Called by the loop. */
  onEvents(): void {
    this.#owner.onEvents();
  }

  /** Sets the events to wait for. */
  watch(events: number): void {
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
    this.#dial.close();
    this.ready = false;
    if (this.#secure !== null) this.#secure.close();
    else if (this.fd >= 0) this.#loop.close(this.fd);
    this.fd = -1;
  }
}
