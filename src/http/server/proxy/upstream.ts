/** A connection to the program for one request. @module */

import { EXHAUSTIONS } from "../../../errno.ts";
import { EpollEvent } from "../../../sys/flags/event.ts";
import { Dial } from "../../../threads/loop/dial.ts";
import type { Handler, Loop } from "../../../threads/loop/loop.ts";
import type { FallbackConfig } from "./options.ts";

/** Returns the status if the program cannot be reached because of `-errno`. */
function statusOf(result: number): 502 | 503 {
  return EXHAUSTIONS.has(result) ? 503 : 502;
}

/** Owner of the connection. */
export interface UpstreamOwner {
  /** Called once when it is connected. */
  connected(): void;
  /** Called once instead, with the status that says why. */
  unreached(status: 502 | 503): void;
  /** Called for events after it is connected. */
  onEvents(): void;
}

/** Connects, and watches the events that its owner waits for. */
export class Upstream implements Handler {
  /** The socket; -1 before there is one. */
  fd = -1;
  /** Whether it is connected. */
  ready = false;
  readonly #loop: Loop;
  readonly #owner: UpstreamOwner;
  readonly #dial: Dial;
  /** Events to wait for; 0 if it is not in the loop. */
  #interest = 0;

  /** For `exhausted`, see `DialOwner`. */
  constructor(
    loop: Loop,
    { addresses }: FallbackConfig,
    owner: UpstreamOwner,
    exhausted: () => boolean,
  ) {
    this.#loop = loop;
    this.#owner = owner;
    const { OUT } = EpollEvent;
    this.#dial = new Dial({
      loop,
      addresses,
      events: OUT,
      connected: (fd) => {
        this.fd = fd;
        this.ready = true;
        this.#interest = OUT;
        loop.pass(fd, this);
        owner.connected();
      },
      failed: (result) => owner.unreached(statusOf(result)),
      exhausted,
    });
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
    if (events === this.#interest) return;
    if (events === 0) {
      // Removes it, because with no events the loop would still report its end again and again.
      this.#loop.remove(this.fd);
    } else if (this.#interest === 0) {
      const result = this.#loop.add(this.fd, events, this);
      if (result < 0) return this.#owner.unreached(statusOf(result));
    } else this.#loop.modify(this.fd, events);
    this.#interest = events;
  }

  /** Closes it. A second call does nothing. */
  close(): void {
    this.#dial.close();
    this.ready = false;
    if (this.fd >= 0) this.#loop.close(this.fd);
    this.fd = -1;
  }
}
