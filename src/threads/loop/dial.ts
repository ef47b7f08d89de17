/** Connecting to one of several addresses, as RFC 8305 ("Happy Eyeballs") describes. @module */

import { EAGAIN, EINPROGRESS, EXHAUSTIONS } from "../../errno.ts";
import { encodeAddress, type SocketAddress } from "../../sys/net/address.ts";
import * as raw from "../../sys/raw/mod.ts";
import { SocketLevel, SocketOption, TcpOption } from "../../sys/flags/socket.ts";
import { streamSocket } from "../../sys/net/listener.ts";
import { isLoopback, withoutPacing } from "../../sys/net/loopback.ts";
import type { Loop } from "./loop.ts";
import { Timer } from "./timers.ts";

/** A Unix listener whose queue is full says so at once, and gives no event when it has room again. */
const RETRY_MS = 20;

/** Time after which the next address is tried as well, in milliseconds: RFC 8305, section 5. */
export const NEXT_ADDRESS_MS = 250;

const option = new Int32Array(1);

/** An address to connect to: plain data, for threads. */
export interface DialAddress {
  readonly family: SocketAddress["family"];
  /** A `struct sockaddr`. */
  readonly address: Uint8Array;
  /** Whether it is on this machine. */
  readonly loopback: boolean;
}

/** Addresses in the form in which threads get them. */
export function dialAddresses(addresses: readonly SocketAddress[]): DialAddress[] {
  return addresses.map((address) => ({
    family: address.family,
    address: encodeAddress(address),
    loopback: isLoopback(address),
  }));
}

/** Who wants a connection. */
export interface DialOwner {
  readonly loop: Loop;
  /** Tried in this order; at least one. */
  readonly addresses: readonly DialAddress[];
  /** Events that the loop watches the connected socket for. */
  readonly events: number;
  /** Called once, with a connected, watched socket, which is the owner's: pass it to a handler. */
  connected(fd: number): void;
  /** Called once instead with `-errno`, when no address can be reached. */
  failed(result: number): void;
  /**
   * Called when no descriptor is left: whether one will be free at the end of the turn. Without it, or
   * when it says no, the attempt has failed.
   */
  exhausted?(): boolean;
}

/**
 * Connects to the first address that answers.
 *
 * Tries the next address when one fails, or has not answered in {@linkcode NEXT_ADDRESS_MS}; slow
 * attempts go on meanwhile. The others are closed when one has succeeded. Sets no limit to the whole
 * time: the owner does, and calls {@linkcode Dial.close}.
 */
export class Dial {
  readonly #owner: DialOwner;
  readonly #timer = new Timer({ onTimeout: () => this.#next() });
  /** Sockets that are being connected. */
  readonly #attempts = new Set<number>();
  /** Index of the address that is tried next. */
  #index = 0;
  #error = 0;
  #over = false;

  constructor(owner: DialOwner) {
    this.#owner = owner;
  }

  /** Begins; the owner may be told before it returns. */
  start(): void {
    this.#next();
  }

  /** Gives up; the owner is told nothing. A second call does nothing. */
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
        // Another address needs a descriptor too.
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

  /** Goes on once descriptors that were given up in this turn are free. */
  #nextTurn(): void {
    const { loop } = this.#owner;
    // The first of the two may still be in this turn.
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
