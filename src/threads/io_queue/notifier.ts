/**
 * How a ring wakes the JavaScript thread: no thread waits for it, nor does anybody look again and again.
 *
 * The kernel signals an eventfd with each completion. No runtime can watch an eventfd; the ring can:
 * a POLL_ADD on it is linked to a SEND on the socket that the runtime watches. Whatever completes until
 * the event loop comes round is told by that one byte sequence, and then the pair is submitted anew.
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

/** What a notifier reports. */
export interface NotifierEvents {
  /** Called when something has completed since the notifier was armed. */
  woken(): void;
  /** Called when the runtime has closed the socket. */
  lost(): void;
}

/** Adds one to an eventfd, in the byte order of both processors that we know. */
const ONE = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);

const NOBODY = -1;
const { DONTWAIT, NOSIGNAL } = platform.message;

/** The record that is sent: it says nothing but that there is something. Kept for good. */
let record: Region | undefined;

/** The notifier of one ring. */
export class Notifier {
  /** Entries that arming takes. */
  static readonly ENTRIES = 2;
  readonly #ring: Uring;
  readonly #eventfd: number;
  readonly #socket: WakeSocket;
  readonly #count = new Uint8Array(8);
  readonly #quiet: number;
  #armed = false;
  #closed = false;

  /** Makes the eventfd and the socket. */
  constructor(ring: Uring, { woken, lost }: NotifierEvents) {
    this.#ring = ring;
    const action = () => "be told of completions";
    record ??= check(raw.posixMemalign(RECORD_BYTES, RECORD_BYTES), "posix_memalign", action);
    record.bytes().fill(0);
    // Without a completion of their own these entries do not signal the eventfd themselves.
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

  /** The end of the process takes its descriptors along; a thread would leave them behind. */
  readonly #exit = (): void => {
    if (builtin("worker_threads").isMainThread || this.#closed) return;
    this.close();
    this.#ring.close();
  };

  /** Prepares the two entries, unless they are in flight. */
  arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    // First cleared, then looked at: what completes in between signals again.
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
