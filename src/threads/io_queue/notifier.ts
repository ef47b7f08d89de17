/**
 * Lets a ring wake the JavaScript thread without a waiting thread and without polling.
 *
 * The kernel signals an eventfd with each completion. No runtime can watch an eventfd, but the ring
 * can: a POLL_ADD on it is linked to a SEND on the socket that the runtime watches. One message
 * covers all completions until the event loop turns; then the pair is submitted again.
 *
 * @module
 */

import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { check } from "../../sys/check.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import * as raw from "../../sys/raw/mod.ts";
import { baseOf, type Region } from "../../sys/region.ts";
import { type Uring, UringEntryFlag, UringFeature, UringOp } from "../../sys/uring.ts";
import { RECORD_BYTES } from "../completions.ts";
import { WakeSocket } from "../wake_socket.ts";

/** Events of a notifier. */
export interface NotifierEvents {
  /** Called when an operation has completed since the notifier was armed. */
  woken(): void;
  /** Called when the runtime has closed the socket. */
  lost(): void;
}

/** Adds one to an eventfd, in little-endian order. */
const ONE = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);

const NOBODY = -1;
const { DONTWAIT, NOSIGNAL } = platform.message;

/** The record that is sent; its content is unused. Never freed. */
let record: Region | undefined;

/** The notifier of one ring. */
export class Notifier {
  /** Number of entries that arming needs. */
  static readonly ENTRIES = 2;
  readonly #ring: Uring;
  readonly #eventfd: number;
  readonly #socket: WakeSocket;
  readonly #count = new Uint8Array(8);
  readonly #quiet: number;
  #armed = false;
  #closed = false;

  /** Creates the eventfd and the socket. */
  constructor(ring: Uring, { woken, lost }: NotifierEvents) {
    this.#ring = ring;
    const action = () => "receive completions";
    record ??= check(raw.posixMemalign(RECORD_BYTES, RECORD_BYTES), "posix_memalign", action);
    record.bytes().fill(0);
    // These entries produce no completions, so that they do not signal the eventfd.
    this.#quiet = (ring.features & UringFeature.CQE_SKIP) === 0
      ? 0
      : UringEntryFlag.CQE_SKIP_SUCCESS;
    const flags = platform.open.NONBLOCK | platform.open.CLOEXEC;
    this.#eventfd = check(raw.eventfd(0, flags), "eventfd", action);
    try {
      check(ring.signal(this.#eventfd), "io_uring_register", action);
      this.#socket = new WakeSocket({
        completed: () => {
          this.#armed = false;
          woken();
        },
        closed: () => {
          if (!this.#closed) lost();
        },
      });
    } catch (error) {
      raw.close(this.#eventfd);
      throw error;
    }
    builtin("process").on("exit", this.#exit);
  }

  /** The end of the process closes its descriptors; the end of a thread does not. */
  readonly #exit = (): void => {
    if (builtin("worker_threads").isMainThread || this.#closed) return;
    this.close();
    this.#ring.close();
  };

  /** Prepares the two entries unless they are in flight. */
  arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    // Clear first, then check: an operation that completes in between signals again.
    raw.read(this.#eventfd, this.#count);
    if (this.#ring.ready) raw.write(this.#eventfd, ONE);
    const { LINK } = UringEntryFlag;
    const { POLL_ADD, SEND } = UringOp;
    const { IN } = PollEvent;
    this.#ring.prepare(POLL_ADD, LINK | this.#quiet, this.#eventfd, 0, 0, 0, IN, NOBODY, 0);
    const { writeFd } = this.#socket;
    const message = DONTWAIT | NOSIGNAL;
    const address = baseOf(record!);
    this.#ring.prepare(SEND, this.#quiet, writeFd, address, RECORD_BYTES, 0, message, NOBODY, 0);
  }

  /** Keeps the process alive. */
  ref(): void {
    this.#socket.ref();
  }

  /** Lets the process end. */
  unref(): void {
    this.#socket.unref();
  }

  /** Closes the eventfd and the socket. */
  close(): void {
    this.#closed = true;
    builtin("process").off("exit", this.#exit);
    this.#socket.close();
    raw.close(this.#eventfd);
  }
}
