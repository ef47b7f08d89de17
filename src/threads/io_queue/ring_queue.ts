/** The queue that uses an io_uring. Submits in batches; never blocks. @module */

import { EAGAIN, EBUSY, ECANCELED, EINTR, EIO } from "../../errno.ts";
import { SyscallError } from "../../errors.ts";
import { baseOf } from "../../sys/region.ts";
import { Uring, UringFeature, UringOp } from "../../sys/uring.ts";
import { runBlocking } from "../blocking/blocking.ts";
import { Notifier } from "./notifier.ts";
import { BusyPollPolicy } from "./busy_poll.ts";
import type { IoQueue, IoRequest } from "./types.ts";
import { IN_FLIGHT, Slots } from "./slots.ts";

/** See io_uring_enter(2). */
const IOSQE_ASYNC = 1 << 4;

/** `IORING_FSYNC_DATASYNC` */
const DATASYNC = 1;

/** Tag of entries without a waiting caller: cancellations and the notifier's entries. */
const NOBODY = -1;

/** Milliseconds between attempts to submit when the kernel is short of memory. */
const RETRY_MS = 5;

/**
 * Entries above which a batch is submitted before the end of the turn, so that the disk works while
 * JavaScript still runs. Smaller batches cost more system time: see `npm run bench -- direct`.
 */
const BATCH = 4;

/**
 * Times that completions are taken in one turn of the event loop. Operations that complete during a
 * submission are handled at once, but must not starve the event loop.
 */
const ROUNDS = 4;

/**
 * Largest operation, in bytes, for which polling pays. Polling during large copies takes processor
 * time and makes nothing faster.
 */
const SMALL = 64 * 1024;

/** `IORING_OP_...` by `IoOp`. */
const OPS = [UringOp.READ, UringOp.WRITE, UringOp.FSYNC, UringOp.FSYNC, UringOp.FTRUNCATE] as const;

/**
 * Runs operations in the kernel.
 *
 * Registers neither buffers nor files: that saves no system time for random reads, and registered
 * memory counts as locked, of which an ordinary user may have 8 MiB.
 */
export class RingQueue implements IoQueue {
  readonly kind = "ring";
  readonly #slots = new Slots();
  readonly #ring: Uring;
  readonly #notifier: Notifier;
  readonly #ended: () => void;
  readonly #busyPoll = new BusyPollPolicy();
  #flushing = false;
  /** Whether the operation in each slot is small, and the number of small ones. */
  readonly #small = new Uint8Array(IN_FLIGHT);
  #smallRunning = 0;
  /** Whether the next turn of the event loop polls for completions. */
  #looking = false;
  /** Times that completions were taken in this turn of the event loop. */
  #rounds = 0;
  #referenced = false;
  #closed = false;

  /**
   * Creates a ring.
   *
   * @param ended Called when the runtime has closed the socket that reports completions: the queue
   * is then unusable.
   * @returns `undefined` if io_uring is missing, forbidden, or too old.
   *
   * @throws {UnsupportedError} When no backend is available.
   */
  static open(ended: () => void): RingQueue | undefined {
    let ring: Uring | undefined;
    try {
      ring = new Uring(IN_FLIGHT);
      const wanted = UringFeature.SINGLE_MMAP | UringFeature.NODROP;
      const { READ, WRITE, FSYNC, POLL_ADD, SEND, ASYNC_CANCEL } = UringOp;
      if (
        (ring.features & wanted) === wanted &&
        ring.knows(READ, WRITE, FSYNC, POLL_ADD, SEND, ASYNC_CANCEL)
      ) return new RingQueue(ring, ended);
    } catch (error) {
      ring?.close();
      if (error instanceof SyscallError) return undefined;
      throw error;
    }
    ring.close();
    return undefined;
  }

  private constructor(ring: Uring, ended: () => void) {
    this.#ring = ring;
    this.#ended = ended;
    this.#notifier = new Notifier(ring, {
      woken: () => {
        this.#rounds = 0;
        this.#drain();
      },
      lost: () => this.#lose(),
    });
  }

  start(request: IoRequest, done: (result: number) => void): number {
    if (request.op === 4 && !this.#ring.knows(UringOp.FTRUNCATE)) {
      void runBlocking("ftruncate", request.fd, request.offset).then(done, () => done(EIO));
      return NOBODY;
    }
    if (this.#closed) {
      queueMicrotask(() => done(EIO));
      return NOBODY;
    }
    const slot = this.#slots.take(done);
    if (slot < 0) return this.#slots.wait(request, done);
    this.#prepare(slot, request);
    return this.#slots.ticketOf(slot);
  }

  #prepare(slot: number, { op, fd, region, at, length, offset, flags, far }: IoRequest): void {
    if (this.#ring.room === 0) this.#submit();
    // The queue failed meanwhile; all operations have been answered, including this one.
    if (this.#closed) return;
    const address = region === null ? 0 : baseOf(region) + at;
    const extra = op === 3 ? DATASYNC : flags;
    const generation = this.#slots.generation(slot);
    const small = op <= 1 && length <= SMALL ? 1 : 0;
    this.#small[slot] = small;
    this.#smallRunning += small;
    const how = far === true ? IOSQE_ASYNC : 0;
    this.#ring.prepare(OPS[op]!, how, fd, address, length, offset, extra, slot, generation);
    if (this.#ring.prepared >= BATCH) this.#submit();
    this.#later();
  }

  cancel(ticket: number): void {
    const waiting = this.#slots.withdraw(ticket);
    if (waiting !== undefined) return queueMicrotask(() => waiting(ECANCELED));
    const slot = this.#slots.slotOf(ticket);
    if (slot < 0) return;
    if (this.#ring.room === 0) this.#submit();
    if (this.#closed) return;
    // A cancellation names the operation by its user data.
    const name = this.#slots.generation(slot) * 0x1_0000_0000 + slot;
    this.#ring.prepare(UringOp.ASYNC_CANCEL, 0, -1, name, 0, 0, 0, NOBODY, 0);
    this.#later();
  }

  /** Makes one system call for all operations started in this turn of the event loop. */
  #later(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(this.#flush);
  }

  readonly #flush = (): void => {
    this.#flushing = false;
    if (this.#closed) return;
    if (this.#ring.prepared > 0) this.#submit();
    if (this.#closed) return;
    if (this.#ring.ready && this.#rounds < ROUNDS) {
      this.#rounds++;
      return this.#drain();
    }
    const busy = this.#slots.size > 0;
    if (busy) this.#wait();
    if (this.#closed || busy === this.#referenced) return;
    this.#referenced = busy;
    if (busy) this.#notifier.ref();
    else this.#notifier.unref();
  };

  /** Makes sure that the next completion is noticed. */
  #wait(): void {
    if (this.#looking) return;
    if (this.#busyPoll.lasts(this.#smallRunning)) {
      this.#looking = true;
      setImmediate(this.#look);
      return;
    }
    this.#notifier.arm();
    if (this.#ring.prepared > 0) this.#submit();
  }

  readonly #look = (): void => {
    this.#looking = false;
    this.#rounds = 0;
    if (this.#closed) return;
    this.#ring.hurry();
    if (this.#ring.ready) this.#drain();
    else this.#flush();
  };

  #submit(): void {
    while (this.#ring.prepared > 0) {
      const taken = this.#ring.enter();
      if (taken > 0 || taken === EINTR) continue;
      if (taken === EBUSY) {
        // The completion queue is full: take completions first.
        this.#reap();
        continue;
      }
      if (taken !== EAGAIN) return this.#lose();
      setTimeout(() => this.#later(), RETRY_MS);
      return;
    }
  }

  #drain(): void {
    this.#busyPoll.reward();
    this.#reap();
    this.#slots.promote((slot, request) => this.#prepare(slot, request));
    this.#later();
  }

  #reap(): void {
    this.#ring.reap(this.#completed);
  }

  readonly #completed = (slot: number, generation: number, result: number): void => {
    if (slot === NOBODY) return;
    if (this.#slots.generation(slot) !== generation) return;
    this.#smallRunning -= this.#small[slot]!;
    this.#slots.finish(slot, result);
  };

  /**
   * No completions can be reported any more. Operations in flight are file operations that end
   * soon; their memory must not be reused before.
   */
  #lose(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ended();
    while (this.#slots.running > 0) {
      const result = this.#ring.wait();
      if (result < 0 && result !== EINTR) break;
      this.#reap();
    }
    this.#notifier.close();
    this.#ring.close();
    for (const done of this.#slots.clear()) done(EIO);
  }
}
