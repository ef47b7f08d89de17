/** An accepted connection while its upstream is connecting. @module */

import { ETIMEDOUT } from "../../../errno.ts";
import { errnoNumber } from "../../../errors.ts";
import { EpollEvent } from "../../../sys/flags/event.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { SocketLevel, SocketOption } from "../../../sys/flags/socket.ts";
import { Dial, type DialAddress } from "../../../threads/loop/dial.ts";
import type { Handler, Loop } from "../../../threads/loop/loop.ts";
import { Timer } from "../../../threads/loop/timers.ts";
import { RESET, WATCHED } from "../pair.ts";

/** The client has disconnected meanwhile. */
export const GONE: number = -errnoNumber("ECONNABORTED");

const { ERR, HUP } = EpollEvent;

/** What all attempts of a thread share. */
export interface AttemptOwner {
  readonly loop: Loop;
  /** Addresses to try, in this order. */
  readonly upstreams: readonly DialAddress[];
  /** Time for connecting, in milliseconds. */
  readonly connectMs: number;
  /** Called once, with both sockets connected and watched; the owner owns them. */
  connected(attempt: Attempt, client: number, upstream: number): void;
  /** Called once instead, with `-errno`, after the sockets are closed. */
  failed(attempt: Attempt, result: number): void;
}

/** Connects an upstream for one accepted connection; gives up if either side disconnects. */
export class Attempt {
  readonly #owner: AttemptOwner;
  readonly #client: number;
  readonly #timer: Timer = new Timer(this);
  readonly #dial: Dial;
  #over = false;

  /** One that is being connected has its own limit of time. */
  readonly silentSince: number = Infinity;

  /** Takes a connection. Call {@linkcode start} next. */
  constructor(client: number, owner: AttemptOwner) {
    this.#client = client;
    this.#owner = owner;
    this.#dial = new Dial({
      loop: owner.loop,
      addresses: owner.upstreams,
      events: WATCHED,
      connected: (upstream) => this.#done(upstream),
      failed: (result) => this.cut(result),
    });
  }

  /** Starts; it may have ended when this returns. */
  start(): void {
    const handler: Handler = { onEvents: (events) => this.#clientEvents(events) };
    const result = this.#owner.loop.add(this.#client, WATCHED, handler);
    if (result < 0) return this.cut(result);
    this.#owner.loop.timers.start(this.#timer, this.#owner.connectMs);
    this.#dial.start();
  }

  /** Called by the timer. */
  onTimeout(): void {
    this.cut(ETIMEDOUT);
  }

  /** Resets the connection. A second call does nothing. */
  cut(result: number): void {
    if (this.#over) return;
    this.#over = true;
    const { loop } = this.#owner;
    loop.timers.stop(this.#timer);
    // Reset, as if there were no listener: a normal end would look like an empty response.
    raw.setsockoptBytes(this.#client, SocketLevel.SOCKET, SocketOption.LINGER, RESET);
    loop.close(this.#client);
    this.#dial.close();
    this.#owner.failed(this, result);
  }

  /** The client's bytes wait in the kernel until the upstream is connected. */
  #clientEvents(events: number): void {
    if ((events & (HUP | ERR)) !== 0) this.cut(GONE);
  }

  #done(upstream: number): void {
    this.#over = true;
    this.#owner.loop.timers.stop(this.#timer);
    this.#owner.connected(this, this.#client, upstream);
  }
}
