/** A room: everything that a member sends goes to all others. @module */

import * as sys from "../../src/sys/mod.ts";
import type { FanOut, Outcome } from "./fan_out.ts";

const { raw } = sys;
const { IN, OUT } = sys.EpollEvent;
const { STREAM, NONBLOCK, CLOEXEC } = sys.SocketType;
const { SOCKET, TCP } = sys.SocketLevel;
const EAGAIN = -11;
const ENFILE = -23;
const EMFILE = -24;

/** Bytes that the kernel holds for one member, before those in its pipe or queue. */
const SEND_BUFFER = 64 * 1024;
/** Longest wait for events, in milliseconds, so that signals arrive. */
const LONGEST_WAIT_MS = 100;

/** What the room has done so far. */
export interface RoomStats {
  members: number;
  messages: number;
  deliveries: number;
  /** Members that had to leave because too much was waiting for them. */
  slow: number;
  /** Members whose connection failed. */
  gone: number;
}

/** Accepts members and passes their messages on, in one thread. */
export class Room {
  readonly stats: RoomStats = { members: 0, messages: 0, deliveries: 0, slow: 0, gone: 0 };
  readonly #fanOut: FanOut;
  readonly #listener = sys.socket(sys.AddressFamily.INET, STREAM | NONBLOCK | CLOEXEC);
  readonly #epoll = sys.epollCreate1(sys.EpollFlag.CLOEXEC);
  /** Members, and whether bytes wait for them. */
  readonly #members = new Map<number, boolean>();
  /** Whether no descriptor was left for the next member. */
  #full = false;

  constructor(port: number, fanOut: FanOut) {
    this.#fanOut = fanOut;
    sys.setsockopt(this.#listener, SOCKET, sys.SocketOption.REUSEADDR, 1);
    sys.bind(this.#listener, { family: "IPv4", address: "127.0.0.1", port });
    sys.listen(this.#listener, 1024);
    sys.epollCtl(this.#epoll, sys.EpollOp.ADD, this.#listener, IN);
  }

  get address(): sys.SocketAddress {
    return sys.getsockname(this.#listener);
  }

  /** Runs until `stopped` returns true. Signals arrive between two looks at the events. */
  async run(stopped: () => boolean): Promise<void> {
    const events = new raw.EventList(256);
    while (!stopped()) {
      const count = events.wait(this.#epoll, LONGEST_WAIT_MS);
      for (let i = 0; i < count; i++) this.#handle(events.fd(i), events.events(i));
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const fd of this.#members.keys()) sys.close(fd);
    for (const fd of [this.#listener, this.#epoll]) sys.close(fd);
    this.#fanOut.close();
  }

  #handle(fd: number, events: number): void {
    if (fd === this.#listener) return this.#accept();
    // An earlier event may have removed the member.
    if (this.#members.get(fd) && (events & OUT) !== 0) this.#settle(fd, this.#fanOut.flush(fd));
    if (this.#members.has(fd) && (events & ~OUT) !== 0) this.#receive(fd);
  }

  #accept(): void {
    for (;;) {
      const fd = raw.accept4(this.#listener, NONBLOCK | CLOEXEC);
      if (fd === EMFILE || fd === ENFILE) {
        // Those who wait stay in the queue of the listener until a member leaves.
        this.#full = true;
        sys.epollCtl(this.#epoll, sys.EpollOp.DEL, this.#listener, 0);
      }
      if (fd === EAGAIN || fd === EMFILE || fd === ENFILE) return;
      if (fd < 0) continue; // the client has given up already
      sys.setsockopt(fd, TCP, sys.TcpOption.NODELAY, 1);
      sys.setsockopt(fd, SOCKET, sys.SocketOption.SNDBUF, SEND_BUFFER);
      // Finds out when the machine of an idle member has vanished.
      sys.setsockopt(fd, SOCKET, sys.SocketOption.KEEPALIVE, 1);
      sys.epollCtl(this.#epoll, sys.EpollOp.ADD, fd, IN);
      this.#members.set(fd, false);
      this.stats.members++;
    }
  }

  /** Passes one message on: what has arrived at once, so that senders take turns. */
  #receive(from: number): void {
    const count = this.#fanOut.take(from);
    if (count === EAGAIN) return;
    if (count <= 0) return this.#remove(from, count < 0 ? "gone" : "taken");
    this.stats.messages++;
    for (const fd of this.#members.keys()) {
      if (fd === from) continue;
      this.stats.deliveries++;
      this.#settle(fd, this.#fanOut.give(fd));
    }
    this.#fanOut.done();
  }

  #settle(fd: number, outcome: Outcome): void {
    if (outcome === "slow" || outcome === "gone") return this.#remove(fd, outcome);
    const waits = outcome === "waiting";
    if (this.#members.get(fd) === waits) return;
    this.#members.set(fd, waits);
    sys.epollCtl(this.#epoll, sys.EpollOp.MOD, fd, waits ? IN | OUT : IN);
  }

  #remove(fd: number, outcome: Outcome): void {
    if (outcome === "slow" || outcome === "gone") this.stats[outcome]++;
    this.stats.members--;
    this.#members.delete(fd);
    this.#fanOut.forget(fd);
    sys.close(fd);
    if (!this.#full) return;
    this.#full = false;
    sys.epollCtl(this.#epoll, sys.EpollOp.ADD, this.#listener, IN);
  }
}
