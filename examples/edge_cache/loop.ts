/** The event loop: one thread, epoll(7), and a function for each descriptor. @module */

import * as sys from "../../src/sys/mod.ts";

const { raw } = sys;

/** Longest wait for events, in milliseconds, so that timeouts and signals arrive. */
const LONGEST_WAIT_MS = 50;

/** What happens with a descriptor. */
interface Watch {
  readonly generation: number;
  readonly ready: (events: number) => void;
  events: number;
}

/** Calls back for descriptors that are ready. It owns all descriptors that it watches. */
export class Loop {
  /** `Date.now()` when the current events arrived. */
  now: number = Date.now();
  readonly #epoll = sys.epollCreate1(sys.EpollFlag.CLOEXEC);
  readonly #watches = new Map<number, Watch>();
  #generation = 0;

  /** Watches a descriptor from now on. */
  add(fd: number, events: number, ready: (events: number) => void): void {
    const generation = this.#generation = (this.#generation + 1) >>> 0;
    const result = raw.epollCtl(this.#epoll, sys.EpollOp.ADD, fd, events, fd, generation);
    if (result < 0) throw new Error(`Cannot watch descriptor ${fd}: error ${-result}`);
    this.#watches.set(fd, { generation, ready, events });
  }

  /** Changes the events to wait for; 0 waits for nothing, not even for a broken connection. */
  set(fd: number, events: number): void {
    const watch = this.#watches.get(fd);
    if (watch === undefined || watch.events === events) return;
    const { ADD, DEL, MOD } = sys.EpollOp;
    // Without events, epoll would still report errors, again and again.
    const op = events === 0 ? DEL : watch.events === 0 ? ADD : MOD;
    watch.events = events;
    raw.epollCtl(this.#epoll, op, fd, events, fd, watch.generation);
  }

  /** Closes a descriptor. */
  close(fd: number): void {
    if (this.#watches.delete(fd)) sys.close(fd);
  }

  /** Runs until `stopped` returns true; calls `tick` about every `LONGEST_WAIT_MS`. */
  async run(stopped: () => boolean, tick: () => void): Promise<void> {
    const events = new raw.EventList(512);
    let lastTick = 0;
    while (!stopped()) {
      const count = events.wait(this.#epoll, LONGEST_WAIT_MS);
      this.now = Date.now();
      for (let i = 0; i < count; i++) {
        const watch = this.#watches.get(events.tag(i));
        // An earlier event may have closed the descriptor, and its number may be in use again.
        if (watch?.generation === events.upper(i)) watch.ready(events.events(i));
      }
      if (this.now - lastTick < LONGEST_WAIT_MS) continue;
      lastTick = this.now;
      tick();
      // Lets signals arrive.
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const fd of this.#watches.keys()) sys.close(fd);
    this.#watches.clear();
    sys.close(this.#epoll);
  }
}
