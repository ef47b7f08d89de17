/** Connects to one of several addresses, as RFC 8305 ("Happy Eyeballs") describes. @module */

import { EAGAIN, EINPROGRESS, EXHAUSTIONS } from "../../errno.ts";
import { encodeAddress, type SocketAddress } from "../../sys/net/address.ts";
import * as raw from "../../sys/raw/mod.ts";
import { SocketLevel, SocketOption, TcpOption } from "../../sys/flags/socket.ts";
import { streamSocket } from "../../sys/net/listener.ts";
import { isLoopback, withoutPacing } from "../../sys/net/loopback.ts";
import type { Loop } from "./loop.ts";
import { Timer } from "./timers.ts";

/** A Unix listener with a full queue fails at once, and sends no event when it has room again. */
const RETRY_MS = 20;

/** Milliseconds after which the next address is also tried: RFC 8305, section 5. */
export const NEXT_ADDRESS_MS = 250;

const option = new Int32Array(1);

/** An address to connect to, as plain data for threads. */
export interface DialAddress {
  readonly family: SocketAddress["family"];
  /** A `struct sockaddr`. */
  readonly address: Uint8Array;
  /** Whether the address is on this machine. */
  readonly loopback: boolean;
}

/** Converts addresses to the form for threads. */
export function dialAddresses(addresses: readonly SocketAddress[]): DialAddress[] {
  return addresses.map((address) => ({
    family: address.family,
    address: encodeAddress(address),
    loopback: isLoopback(address),
  }));
}

/** Owner of a connection attempt. */
export interface DialOwner {
  readonly loop: Loop;
  /** Addresses to try, in this order; at least one. */
  readonly addresses: readonly DialAddress[];
  /** Events for which the loop watches the connected socket. */
  readonly events: number;
  /**
   * Called once with a connected, watched socket, which the owner then owns: pass it to a handler.
   */
  connected(fd: number): void;
  /** Called once instead, with `-errno`, if no address can be reached. */
  failed(result: number): void;
  /**
   * Called when no descriptor is left. Returns whether one becomes free at the end of the turn.
   * Without it, or if it returns false, the attempt fails.
   */
  exhausted?(): boolean;
}

/**
 * Connects to the first address that answers.
 *
 * Tries the next address when one fails, or has not answered within {@linkcode NEXT_ADDRESS_MS};
 * slow attempts continue meanwhile. When one succeeds, the others are closed. There is no overall
 * timeout: the owner sets one, and calls {@linkcode Dial.close}.
 */
export class Dial {
  readonly #owner: DialOwner;
  readonly #timer = new Timer({ onTimeout: () => this.#next() });
  /** Sockets that are connecting. */
  readonly #attempts = new Set<number>();
  /** Index of the address to try next. */
  #index = 0;
  #error = 0;
  #over = false;

  constructor(owner: DialOwner) {
    this.#owner = owner;
  }

  /** Starts; it may call the owner before it returns. */
  start(): void {
    this.#next();
  }

  /** Cancels without calling the owner. A second call does nothing. */
  close(): void {
    this.#over = true;
    const { loop } = this.#owner;
    loop.timers.stop(this.#timer);
    for (const fd of this.#attempts) loop.close(fd);
    this.#attempts.clear();
  }

  #next(): void {
    const { addresses, events, loop } = this.#owner;
    while (!this.#over && this.#index < addresses.length) {
      const address = addresses[this.#index]!;
      const fd = streamSocket(address.family);
      if (fd < 0) {
        const again = EXHAUSTIONS.has(fd) && this.#owner.exhausted?.() === true;
        // The next address needs a descriptor too.
        return again ? this.#nextTurn() : this.#fail(fd);
      }
      if (address.family !== "Unix") {
        raw.setsockopt(fd, SocketLevel.TCP, TcpOption.NODELAY, 1);
        if (address.loopback) withoutPacing(fd);
      }
      const result = raw.connect(fd, address.address);
      if (result === EAGAIN) {
        raw.close(fd);
        return loop.timers.start(this.#timer, RETRY_MS);
      }
      this.#index++;
      if (result < 0 && result !== EINPROGRESS) {
        raw.close(fd);
        this.#error = result;
        continue;
      }
      const added = loop.add(fd, events, { onEvents: () => this.#onEvents(fd) });
      if (added < 0) {
        raw.close(fd);
        return this.#fail(added);
      }
      this.#attempts.add(fd);
      if (result === 0) return this.#done(fd);
      if (this.#index < addresses.length) loop.timers.start(this.#timer, NEXT_ADDRESS_MS);
      return;
    }
    if (!this.#over && this.#attempts.size === 0) this.#fail(this.#error);
  }

  /** Continues once the descriptors closed in this turn are free. */
  #nextTurn(): void {
    const { loop } = this.#owner;
    // The first of the two may still run in this turn.
    loop.again({ onTurn: () => loop.again({ onTurn: () => this.#next() }) });
  }

  #onEvents(fd: number): void {
    raw.getsockopt(fd, SocketLevel.SOCKET, SocketOption.ERROR, option);
    const error = option[0]!;
    if (error === 0) return this.#done(fd);
    this.#attempts.delete(fd);
    this.#owner.loop.close(fd);
    this.#error = -error;
    this.#next();
  }

  #done(fd: number): void {
    this.#attempts.delete(fd);
    this.close();
    this.#owner.connected(fd);
  }

  #fail(result: number): void {
    if (this.#over) return;
    this.close();
    this.#owner.failed(result);
  }
}
