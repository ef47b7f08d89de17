/** The events for which the loop watches a connection. @module */

import { EpollEvent } from "../../../sys/flags/event.ts";
import type { Loop } from "../../../threads/loop/loop.ts";

const { ERR, HUP, IN, RDHUP } = EpollEvent;

/** Events that may stay watched: see {@linkcode Interest}. */
const INPUT = IN | RDHUP;

/**
 * Watches a connection for the events that it waits for.
 *
 * The loop goes on to watch the input while a connection does not wait for it. Most clients send
 * nothing before they have their answer: then a request costs no call of epoll_ctl(2). If something
 * arrives all the same, the loop stops to watch for it.
 */
export class Interest {
  readonly #loop: Loop;
  readonly #fd: number;
  #wanted: number = IN;
  #watched: number = IN;

  /** The loop watches `fd` for `IN`. */
  constructor(loop: Loop, fd: number) {
    this.#loop = loop;
    this.#fd = fd;
  }

  /** Sets the events to wait for. */
  watch(events: number): void {
    this.#wanted = events;
    const changed = this.#watched ^ events;
    if ((changed & ~INPUT) !== 0) this.#modify(events);
    else if ((changed & events) !== 0) this.#modify(this.#watched | events);
  }

  /** Returns those of the reported events that are waited for; 0 for none. */
  filter(reported: number): number {
    const events = reported & (this.#wanted | ERR | HUP);
    if (events === 0) this.#modify(this.#wanted);
    return events;
  }

  #modify(events: number): void {
    this.#watched = events;
    this.#loop.modify(this.#fd, events);
  }
}
