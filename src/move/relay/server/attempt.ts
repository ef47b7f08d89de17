/** A connection that was accepted, while its upstream is being connected. @module */

import { EAGAIN, EINPROGRESS, ETIMEDOUT } from "../../../errno.ts";
import { errnoNumber } from "../../../errors.ts";
import type { SocketAddress } from "../../../sys/net/address.ts";
import { EpollEvent } from "../../../sys/flags/event.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { SocketLevel, SocketOption, TcpOption } from "../../../sys/flags/socket.ts";
import { streamSocket } from "../../../sys/net/listener.ts";
import { withoutPacing } from "../../../sys/net/loopback.ts";
import type { Handler, Loop } from "../../../threads/loop/loop.ts";
import { Timer } from "../../../threads/loop/timers.ts";
import { RESET, WATCHED } from "../pair.ts";

/** The one who connected has gone meanwhile. */
export const GONE: number = -errnoNumber("ECONNABORTED");

/** A Unix listener whose queue is full says so at once, and gives no event when it has room again. */
const RETRY_MS = 20;

const { ERR, HUP } = EpollEvent;
const option = new Int32Array(1);

/** Whom to connect to. */
export interface Upstream {
  readonly family: SocketAddress["family"];
  /** A `struct sockaddr`. */
  readonly bytes: Uint8Array;
  /** Whether it is on this machine. */
  readonly loopback: boolean;
}

/** What all attempts of a thread share. */
export interface AttemptOwner {
  readonly loop: Loop;
  readonly upstream: Upstream;
  /** Time for connecting, in milliseconds. */
  readonly connectMs: number;
  /** Called once with both sockets connected and watched; they are the owner's. */
  connected(attempt: Attempt, client: number, upstream: number): void;
  /** Called once instead with `-errno`, the sockets closed. */
  failed(attempt: Attempt, result: number): void;
}

/** Connects one upstream for one accepted connection; lets go when either side is gone. */
export class Attempt {
  readonly #owner: AttemptOwner;
  readonly #client: number;
  readonly #timer: Timer = new Timer(this);
  readonly #began: number;
  #upstream = -1;
  #over = false;

  /** Takes a connection. Call {@linkcode start} next. */
  constructor(client: number, owner: AttemptOwner) {
    this.#client = client;
    this.#owner = owner;
    this.#began = owner.loop.now;
  }

  /** Begins; may be over when it returns. */
  start(): void {
    const handler: Handler = { onEvents: (events) => this.#clientEvents(events) };
    const result = this.#owner.loop.add(this.#client, WATCHED, handler);
    if (result < 0) this.cut(result);
    else this.#connect();
  }

  /** Called by the timer. */
  onTimeout(): void {
    const left = this.#began + this.#owner.connectMs - this.#owner.loop.now;
    if (left <= 0) this.cut(ETIMEDOUT);
    else this.#connect();
  }

  /** Resets the connection. A second call does nothing. */
  cut(result: number): void {
    if (this.#over) return;
    this.#over = true;
    const { loop } = this.#owner;
    loop.timers.stop(this.#timer);
    // As if nobody listened: an ordinary end would look like an empty answer.
    raw.setsockoptBytes(this.#client, SocketLevel.SOCKET, SocketOption.LINGER, RESET);
    loop.close(this.#client);
    if (this.#upstream >= 0) loop.close(this.#upstream);
    this.#owner.failed(this, result);
  }

  #connect(): void {
    const { connectMs, loop, upstream } = this.#owner;
    const fd = streamSocket(upstream.family);
    if (fd < 0) return this.cut(fd);
    this.#upstream = fd;
    raw.setsockopt(fd, SocketLevel.TCP, TcpOption.NODELAY, 1);
    if (upstream.loopback) withoutPacing(fd);
    const result = raw.connect(fd, upstream.bytes);
    if (result === EAGAIN) {
      raw.close(fd);
      this.#upstream = -1;
      return loop.timers.start(this.#timer, RETRY_MS);
    }
    if (result < 0 && result !== EINPROGRESS) return this.cut(result);
    const added = loop.add(fd, WATCHED, { onEvents: () => this.#upstreamEvents() });
    if (added < 0) return this.cut(added);
    if (result === 0) return this.#done();
    const left = this.#began + connectMs - loop.now;
    loop.timers.start(this.#timer, Math.max(0, left));
  }

  /** What it has sent waits in the kernel until there is somebody to send it to. */
  #clientEvents(events: number): void {
    if ((events & (HUP | ERR)) !== 0) this.cut(GONE);
  }

  #upstreamEvents(): void {
    raw.getsockopt(this.#upstream, SocketLevel.SOCKET, SocketOption.ERROR, option);
    if (option[0] !== 0) this.cut(-option[0]!);
    else this.#done();
  }

  #done(): void {
    this.#over = true;
    this.#owner.loop.timers.stop(this.#timer);
    this.#owner.connected(this, this.#client, this.#upstream);
  }
}
