/** Sharing connections out among the threads that watch one listener. @module */

import { check } from "../../sys/check.ts";
import { EpollEvent } from "../../sys/flags/event.ts";
import * as raw from "../../sys/raw/mod.ts";
import { NUMBER_BYTES, type Shares, takeAll } from "../fd_mailboxes.ts";
import type { Handler, Loop } from "./loop.ts";

/** More connections than the idlest thread must have before one is handed to it. */
const SLACK = 1;

/** What a thread that wants no more seems to have: nobody hands it anything. */
const ENDED = 0x4000_0000;

const letter = new Uint8Array(NUMBER_BYTES);
const number = new DataView(letter.buffer);

/**
 * Gives each new connection to the thread that has the fewest.
 *
 * The kernel wakes the thread that waited last, which takes all that have come: of 64 connections that
 * came one by one and stayed, one of four threads had all, and of 64 at once they had 29, 27, 7 and 1
 * (measured). With SO_REUSEPORT chance decides, by a hash of the addresses, and who is busy gets as
 * many as who is not.
 */
export class Placement implements Handler {
  readonly #shares: Shares;
  readonly #index: number;
  readonly #accepted: (fd: number) => void;

  /** Thread `index` gets its connections by `accepted`, which owns them. */
  constructor(loop: Loop, shares: Shares, index: number, accepted: (fd: number) => void) {
    this.#shares = shares;
    this.#index = index;
    this.#accepted = accepted;
    const { readFd } = shares.mailboxes[index]!;
    check(loop.add(readFd, EpollEvent.IN, this), "epoll_ctl", () => "watch a mailbox");
  }

  /** Places a connection that this thread has taken from the listener. */
  place(fd: number): void {
    const { loads, mailboxes } = this.#shares;
    const target = this.#idlest();
    Atomics.add(loads, target, 1);
    if (target === this.#index) return this.#accepted(fd);
    number.setInt32(0, fd, true);
    if (raw.write(mailboxes[target]!.writeFd, letter) === NUMBER_BYTES) return;
    // The mailbox is full.
    Atomics.sub(loads, target, 1);
    Atomics.add(loads, this.#index, 1);
    this.#accepted(fd);
  }

  /** A connection of this thread has ended. */
  left(): void {
    Atomics.sub(this.#shares.loads, this.#index, 1);
  }

  /** Asks for no more; what others have sent already, and are just sending, still comes. */
  close(): void {
    Atomics.add(this.#shares.loads, this.#index, ENDED);
  }

  /** Called by the loop. */
  onEvents(): void {
    for (const fd of takeAll(this.#shares.mailboxes[this.#index]!.readFd)) this.#accepted(fd);
  }

  #idlest(): number {
    const { loads } = this.#shares;
    let idlest = this.#index;
    let least = Atomics.load(loads, idlest) - SLACK;
    for (let i = 0; i < loads.length; i++) {
      const load = Atomics.load(loads, i);
      if (load >= least) continue;
      least = load;
      idlest = i;
    }
    return idlest;
  }
}
