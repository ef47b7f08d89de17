/** The next window of a file that is being sent, while another thread brings it into memory. @module */

import { Counter } from "../control/config.ts";
import type { PrefetchWaiter } from "../thread/prefetch_client.ts";
import type { ConnectionService } from "./contracts.ts";
import type { Sender } from "./sender.ts";

/** Whose window it is. */
interface ColdReadOwner {
  /** The window can be sent. */
  warmed(): void;
  /** It cannot. */
  abort(reason: number): void;
}

/** Stands for the id of a request to neither of these threads. */
const AWAITED = -2;

/** Asks the thread of the disk, or those of other machines' files. */
export class ColdRead implements PrefetchWaiter {
  readonly #service: ConnectionService;
  readonly #sender: Sender;
  readonly #owner: ColdReadOwner;
  #id = 0;
  /** When it was asked for, in the time of the loop. */
  since = 0;

  constructor(service: ConnectionService, sender: Sender, owner: ColdReadOwner) {
    this.#service = service;
    this.#sender = sender;
    this.#owner = owner;
  }

  /** Whether a thread is reading the window. */
  get pending(): boolean {
    return this.#id !== 0;
  }

  /** Has the window brought; false where there is no room for more work. */
  begin(): boolean {
    const { awaited } = this.#sender;
    if (awaited !== null) {
      this.since = this.#service.loop.now;
      this.#id = AWAITED;
      awaited.wait(() => {
        this.#id = 0;
        this.#owner.warmed();
      });
      return true;
    }
    const { file, length, position } = this.#sender.cold;
    const { disk, loop, remote } = this.#service;
    this.since = loop.now;
    this.#id = file.remote
      ? remote.read(file, position, length, this.#sender.staging, this)
      : disk.ask(file, position, length, this);
    if (this.pending) this.#service.count(Counter.COLD_READS);
    else if (!file.remote && disk.gone) {
      // The thread of the disk could not be started, or has ended: rather wait here than not send.
      this.#id = -1;
      loop.again({ onTurn: () => this.#id === -1 && this.onDisk(0) });
    }
    return this.pending;
  }

  /** Called when it is there, or will not be; an error of a disk shows when it is sent. */
  onDisk(result: number): void {
    this.#id = 0;
    const { file, position } = this.#sender.cold;
    if (!file.remote) this.#service.residency.warm(file, position);
    else if (result === 0) return this.#owner.abort(Counter.TRUNCATED);
    else if (result < 0) return this.#owner.abort(Counter.ABORTED);
    this.#owner.warmed();
  }

  /** Cancels the wait; call this before the sender drops its file. */
  forget(): void {
    const { disk, remote } = this.#service;
    if (this.#id > 0) (this.#sender.cold.file.remote ? remote : disk).forget(this.#id);
    this.#id = 0;
  }
}
