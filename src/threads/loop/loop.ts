/**
 * One thread, many descriptors: the blocking loop of the jobs that own sockets.
 *
 * Inside it there are no promises and no timers of the runtime, and nothing is allocated per event:
 * thousands of connections would otherwise spend their time in the collector.
 *
 * @module
 */

import { EINTR } from "../../errno.ts";
import { check } from "../../sys/check.ts";
import { EpollEvent, EpollFlag, EpollOp } from "../../sys/flags/event.ts";
import * as raw from "../../sys/raw/mod.ts";
import type { JobContext } from "../job.ts";
import { Timers } from "./timers.ts";

/** Events of one turn; more are reported in the next. */
const BATCH = 256;

/** Who is told about the events of a descriptor. */
export interface Handler {
  /**
   * Called with bits of `EpollEvent`. It may add, change, remove and close any descriptor; what it
   * throws ends the loop.
   */
  onEvents(events: number): void;
}

/** Who wants another turn although no event will come. */
export interface Task {
  /** Called once for each `again()`, after the events of the turn that follows. */
  onTurn(): void;
}

/**
 * Watches descriptors and calls their handlers until the job must stop.
 *
 * An event never reaches anybody but the one whom its descriptor had when it was added: descriptors
 * are closed after all events of a turn have been handed out, so no number is reused among them,
 * and each `add` has a generation, so neither does a new handler see what was meant for an old one.
 */
export class Loop {
  /** Timers of this loop. */
  readonly timers: Timers;
  readonly #job: JobContext;
  readonly #epoll: number;
  readonly #events = new raw.EventList(BATCH);
  /** By descriptor, as are the generations: the kernel gives the lowest number that is free. */
  readonly #handlers: (Handler | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #closing: number[] = [];
  #queue: Task[] = [];
  #spare: Task[] = [];
  #generation = 0;
  #now: number = performance.now();
  #running = false;

  /**
   * Makes the epoll set and watches the host's eventfd: `onCommand` gets what the host posts.
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

  /** The time at which this turn began, in milliseconds; never goes back. */
  get now(): number {
    return this.#now;
  }

  /**
   * Watches a descriptor.
   *
   * @param fd Descriptor; stays the caller's until it is given to {@linkcode close}.
   * @param events Bits of `EpollEvent`. Without `ET`, what is left undone is reported again. With
   * `EXCLUSIVE`, of several loops that watch one listener not all are woken; see epoll_ctl(2) for
   * what may go with it.
   * @returns 0, or `-errno`: `EEXIST` when it is watched, `EPERM` for a file that is always ready,
   * `ENOSPC` when the user's limit of watches is reached.
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

  /** Watches for other events; the handler stays. Returns 0 or `-errno`. Not after `EXCLUSIVE`. */
  modify(fd: number, events: number): number {
    return raw.epollCtl(this.#epoll, EpollOp.MOD, fd, events, fd, this.#generations[fd]!);
  }

  /** Gives a watched descriptor to another handler, together with the events that have come. */
  pass(fd: number, handler: Handler): void {
    this.#handlers[fd] = handler;
  }

  /** Watches a descriptor no more; it stays open. Does nothing when it is not watched. */
  remove(fd: number): void {
    if (this.#handlers[fd] === undefined) return;
    this.#handlers[fd] = undefined;
    // Explicitly: a duplicate elsewhere would keep a closed descriptor in the set.
    raw.epollCtl(this.#epoll, EpollOp.DEL, fd, 0);
  }

  /**
   * Watches a descriptor no more and closes it at the end of the turn. Call once.
   *
   * The number stays taken until then: see the class.
   */
  close(fd: number): void {
    this.remove(fd);
    if (this.#running) this.#closing.push(fd);
    else raw.close(fd);
  }

  /**
   * Gives a task a turn after the next events: for whoever stops in the middle so that others get
   * their share. Call it once per turn that is wanted.
   */
  again(task: Task): void {
    this.#queue.push(task);
  }

  /**
   * Runs until the job must stop, never blocking longer than the host allows. Then the set is
   * closed; descriptors that were added are their owners' to close, by {@linkcode close}.
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

  /** Those who ask again during the turn get the next one. */
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
