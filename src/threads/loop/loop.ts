/**
 * One thread, many descriptors: the blocking loop of jobs that own sockets.
 *
 * Inside it there are no promises and no runtime timers, and no allocation per event: with
 * thousands of connections, the garbage collector would take most of the time.
 *
 * @module
 */

import { EINTR } from "../../errno.ts";
import { check } from "../../sys/check.ts";
import { EpollEvent, EpollFlag, EpollOp } from "../../sys/flags/event.ts";
import * as raw from "../../sys/raw/mod.ts";
import type { JobContext } from "../job.ts";
import { Timers } from "./timers.ts";

/** Maximum events per turn; the next turn reports the rest. */
const BATCH = 256;

/** Receives the events of a descriptor. */
export interface Handler {
  /**
   * Called with bits of `EpollEvent`. It may add, change, remove and close any descriptor. An
   * exception ends the loop.
   */
  onEvents(events: number): void;
}

/** Requests another turn without an event. */
export interface Task {
  /** Called once for each `again()`, after the events of the following turn. */
  onTurn(): void;
}

/**
 * Watches descriptors and calls their handlers until the job must stop.
 *
 * An event reaches only the handler that its descriptor had when it was added. Descriptors are
 * closed after all events of a turn have been delivered, so no number is reused within a turn. Each
 * `add` also gets a generation, so a new handler never sees an old event.
 */
export class Loop {
  /** Timers of this loop. */
  readonly timers: Timers;
  readonly #job: JobContext;
  readonly #epoll: number;
  readonly #events = new raw.EventList(BATCH);
  /** Handlers and generations by descriptor: the kernel assigns the lowest free number. */
  readonly #handlers: (Handler | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #closing: number[] = [];
  #queue: Task[] = [];
  #spare: Task[] = [];
  #generation = 0;
  #now: number = performance.now();
  #running = false;

  /**
   * Creates the epoll set and watches the host's eventfd. `onCommand` gets the commands that the
   * host posts.
   *
   * @throws {SyscallError} `EMFILE`, `ENFILE`, `ENOMEM`.
   */
  constructor(job: JobContext, onCommand: (command: unknown) => void = () => {}) {
    this.#job = job;
    this.timers = new Timers(this.#now);
    const action = () => "make an event loop";
    this.#epoll = check(raw.epollCreate1(EpollFlag.CLOEXEC), "epoll_create1", action);
    const onEvents = () => job.commands().forEach(onCommand);
    const added = this.add(job.wakeFd, EpollEvent.IN, { onEvents });
    if (added < 0) raw.close(this.#epoll);
    check(added, "epoll_ctl", action);
  }

  /** Start time of this turn in milliseconds; never decreases. */
  get now(): number {
    return this.#now;
  }

  /**
   * Watches a descriptor.
   *
   * @param fd Descriptor; the caller owns it until {@linkcode close}.
   * @param events Bits of `EpollEvent`. Without `ET`, unhandled events are reported again. With
   * `EXCLUSIVE`, not all loops that watch one listener are woken; see epoll_ctl(2) for the bits
   * allowed with it.
   * @returns 0, or `-errno`: `EEXIST` if it is watched already, `EPERM` for a file that is always
   * ready, `ENOSPC` if the user's limit of watches is reached.
   */
  add(fd: number, events: number, handler: Handler): number {
    const generation = (this.#generation + 1) >>> 0;
    const result = raw.epollCtl(this.#epoll, EpollOp.ADD, fd, events, fd, generation);
    if (result < 0) return result;
    this.#generation = generation;
    this.#handlers[fd] = handler;
    this.#generations[fd] = generation;
    return 0;
  }

  /**
   * Changes the events to watch; the handler stays. Returns 0 or `-errno`. Not allowed after
   * `EXCLUSIVE`.
   */
  modify(fd: number, events: number): number {
    return raw.epollCtl(this.#epoll, EpollOp.MOD, fd, events, fd, this.#generations[fd]!);
  }

  /** Gives a watched descriptor, with its pending events, to another handler. */
  pass(fd: number, handler: Handler): void {
    this.#handlers[fd] = handler;
  }

  /** Stops watching a descriptor, which stays open. Does nothing if it is not watched. */
  remove(fd: number): void {
    if (this.#handlers[fd] === undefined) return;
    this.#handlers[fd] = undefined;
    // Remove it explicitly: a duplicate elsewhere would keep a closed descriptor in the set.
    raw.epollCtl(this.#epoll, EpollOp.DEL, fd, 0);
  }

  /**
   * Stops watching a descriptor and closes it at the end of the turn. Call once.
   *
   * The number stays in use until then: see the class.
   */
  close(fd: number): void {
    this.remove(fd);
    if (this.#running) this.#closing.push(fd);
    else raw.close(fd);
  }

  /**
   * Gives a task a turn after the next events, so that a long operation can yield to others. Call
   * it once per turn.
   */
  again(task: Task): void {
    this.#queue.push(task);
  }

  /**
   * Runs until the job must stop, and never blocks longer than the host allows. Then closes the
   * set. The owners of added descriptors still close them with {@linkcode close}.
   */
  run(): void {
    this.#running = true;
    try {
      while (!this.#job.stopping()) {
        const count = this.#events.wait(this.#epoll, this.#timeout());
        this.#now = performance.now();
        if (count < 0 && count !== EINTR) check(count, "epoll_wait", () => "wait for events");
        for (let i = 0; i < count; i++) this.#dispatch(i);
        this.timers.advance(this.#now);
        this.#turn();
        this.#closeAll();
        this.#job.flush();
      }
    } finally {
      this.#running = false;
      this.#closeAll();
      this.#handlers.length = 0;
      raw.close(this.#epoll);
    }
  }

  #timeout(): number {
    return this.#queue.length > 0 ? 0 : this.timers.wait(this.#job.parkMs);
  }

  #dispatch(index: number): void {
    const fd = this.#events.fd(index);
    if (this.#generations[fd] !== this.#events.upper(index)) return;
    this.#handlers[fd]?.onEvents(this.#events.events(index));
  }

  /** Tasks that call `again()` during the turn run in the next one. */
  #turn(): void {
    const tasks = this.#queue;
    this.#queue = this.#spare;
    this.#spare = tasks;
    for (let i = 0; i < tasks.length; i++) tasks[i]!.onTurn();
    tasks.length = 0;
  }

  #closeAll(): void {
    const fds = this.#closing;
    for (let i = 0; i < fds.length; i++) raw.close(fds[i]!);
    fds.length = 0;
  }
}
