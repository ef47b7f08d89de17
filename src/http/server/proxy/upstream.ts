/** A connection to the program, for one request. @module */

import { EAGAIN, EINPROGRESS } from "../../../errno.ts";
import { EpollEvent } from "../../../sys/flags/event.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { SocketLevel, SocketOption, TcpOption } from "../../../sys/flags/socket.ts";
import { streamSocket } from "../../../sys/net/listener.ts";
import type { Handler, Loop } from "../../../threads/loop/loop.ts";
import { Timer } from "../../../threads/loop/timers.ts";
import type { FallbackConfig } from "./options.ts";

/** A Unix listener whose queue is full says so at once, and gives no event when it has room again. */
const RETRY_MS = 20;

const option = new Int32Array(1);

/** Whose connection it is. */
export interface UpstreamOwner {
  /** Called once, when it is connected. */
  connected(): void;
  /** Called once instead, with an errno. */
  unreached(errno: number): void;
  /** Called for events, once it is connected. */
  onEvents(): void;
}

/** Connects, and is watched for what its owner waits for. */
export class Upstream implements Handler {
  /** The socket, once there is one. */
  fd = -1;
  /** Whether it is connected. */
  ready = false;
  readonly #loop: Loop;
  readonly #config: FallbackConfig;
  readonly #owner: UpstreamOwner;
  readonly #retry: Timer = new Timer({ onTimeout: () => this.connect() });
  /** Events that are waited for; 0 when it is not in the loop. */
  #interest = 0;

  constructor(loop: Loop, config: FallbackConfig, owner: UpstreamOwner) {
    this.#loop = loop;
    this.#config = config;
    this.#owner = owner;
  }

  /** Begins to connect; the owner may be told before it returns. */
  connect(): void {
    const { address, family } = this.#config;
    const fd = streamSocket(family);
    if (fd < 0) return this.#owner.unreached(-fd);
    this.fd = fd;
    if (family !== "Unix") raw.setsockopt(fd, SocketLevel.TCP, TcpOption.NODELAY, 1);
    const result = raw.connect(fd, address);
    if (result === EAGAIN) {
      raw.close(fd);
      this.fd = -1;
      return this.#loop.timers.start(this.#retry, RETRY_MS);
    }
    if (result === 0) return this.#done();
    if (result !== EINPROGRESS) return this.#owner.unreached(-result);
    this.watch(EpollEvent.OUT);
  }

  /** Called by the loop. */
  onEvents(): void {
    if (this.ready) return this.#owner.onEvents();
    raw.getsockopt(this.fd, SocketLevel.SOCKET, SocketOption.ERROR, option);
    if (option[0] !== 0) this.#owner.unreached(option[0]!);
    else this.#done();
  }

  /** Sets the events that are waited for. */
  watch(events: number): void {
    if (events === this.#interest) return;
    if (events === 0) {
      // Not only no events: an end would be reported again and again.
      this.#loop.remove(this.fd);
    } else if (this.#interest === 0) {
      const result = this.#loop.add(this.fd, events, this);
      if (result < 0) return this.#owner.unreached(-result);
    } else this.#loop.modify(this.fd, events);
    this.#interest = events;
  }

  /** Closes it. A second call does nothing. */
  close(): void {
    this.#loop.timers.stop(this.#retry);
    this.ready = false;
    if (this.fd >= 0) this.#loop.close(this.fd);
    this.fd = -1;
  }

  #done(): void {
    this.ready = true;
    this.#owner.connected();
  }
}
