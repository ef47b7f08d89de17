/** Distributes connections among the threads that watch one listener. @module */

import { check } from "../../sys/check.ts";
import { EpollEvent } from "../../sys/flags/event.ts";
import * as raw from "../../sys/raw/mod.ts";
import { NUMBER_BYTES, type Shares, takeAll } from "../fd_mailboxes.ts";
import type { Handler, Loop } from "./loop.ts";

/** A connection goes to another thread if this one has more than SLACK above the idlest. */
const SLACK = 1;

/** Added to the load of a thread that accepts no more, so that no thread sends it any. */
const ENDED = 0x4000_0000;

const letter = new Uint8Array(NUMBER_BYTES);
const number = new DataView(letter.buffer);

/**
 * Gives each new connection to the thread that has the fewest.
 *
 * The kernel wakes the thread that waited last, which accepts everything in the queue, so the
 * threads would get very unequal shares. With SO_REUSEPORT, a hash of the addresses decides, so a
 * busy thread gets as many as an idle one.
 */
export class Placement implements Handler {
  readonly #shares: Shares;
  readonly #index: number;
  readonly #accepted: (fd: number) => void;

  /** Thread `index` receives its connections through `accepted`, which owns them. */
  constructor(loop: Loop, shares: Shares, index: number, accepted: (fd: number) => void) {
    this.#shares = shares;
    this.#index = index;
    this.#accepted = accepted;
    const { readFd } = shares.mailboxes[index]!;
    check(loop.add(readFd, EpollEvent.IN, this), "epoll_ctl", () => "watch a mailbox");
  }

  /** Places a connection that this thread has accepted. */
  place(fd: number): void {
    const { loads, mailboxes } = this.#shares;
    const target = this.#idlest();
    Atomics.add(loads, target, 1);
    if (target === this.#index) return this.#accepted(fd);
    number.setInt32(0, fd, true);
    if (raw.write(mailboxes[target]!.writeFd, letter) === NUMBER_BYTES) return;
    // The mailbox is full: keep the connection.
    Atomics.sub(loads, target, 1);
    Atomics.add(loads, this.#index, 1);
    this.#accepted(fd);
  }

  /** Records that a connection of this thread has ended. */
  left(): void {
    Atomics.sub(this.#shares.loads, this.#index, 1);
  }

  /** Stops new connections; those already in the mailbox, or just being sent, still arrive. */
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
