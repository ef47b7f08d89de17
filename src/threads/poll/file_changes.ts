/** Reports changes of files by inotify(7). All watches of a thread share one queue. @module */

import { EAGAIN } from "../../errno.ts";
import { InotifyEvent, InotifyFlag, PollEvent } from "../../sys/flags/event.ts";
import * as raw from "../../sys/raw/mod.ts";
import { whenReady } from "./poll_ready.ts";

/** Called for an event of a watch: its mask, and the name in a folder. */
export type ChangeListener = (mask: number, name: string) => void;

/** Bytes of `struct inotify_event` without its name, and of a buffer for many events. */
const HEAD = 16;
const BUFFER_BYTES = 16 * 1024;

class Queue {
  readonly fd: number;
  readonly #watches = new Map<number, Set<ChangeListener>>();
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #cancel = () => {};

  constructor(fd: number) {
    this.fd = fd;
    this.#wait();
  }

  add(path: string, mask: number, listener: ChangeListener): (() => void) | null {
    // The same file has the same number, and so the same mask.
    const watch = raw.inotifyAddWatch(this.fd, path, mask);
    if (watch < 0) return null;
    const listeners = this.#watches.get(watch) ?? new Set();
    this.#watches.set(watch, listeners.add(listener));
    return () => {
      if (!listeners.delete(listener) || listeners.size > 0) return;
      if (this.#watches.get(watch) !== listeners) return;
      this.#watches.delete(watch);
      raw.inotifyRmWatch(this.fd, watch);
    };
  }

  get idle(): boolean {
    return this.#watches.size === 0;
  }

  close(): void {
    this.#cancel();
    raw.close(this.fd);
  }

  #wait(): void {
    this.#cancel = whenReady(this.fd, PollEvent.IN, () => this.#read(), () => this.#lost());
  }

  #read(): void {
    // Read everything that there is: whoever looks at a file afterwards sees all its changes.
    let count = 1;
    // A listener may end the last watch, and so close the queue.
    while (queue === this && count > 0) {
      count = raw.read(this.fd, this.#buffer);
      if (count > 0) this.#deliver(count);
    }
    if (queue !== this) return;
    if (count !== EAGAIN) this.#lost();
    this.#wait();
  }

  #deliver(count: number): void {
    const view = new DataView(this.#buffer.buffer, 0, count);
    for (let at = 0; at < count;) {
      const watch = view.getInt32(at, true);
      const mask = view.getUint32(at + 4, true);
      const bytes = this.#buffer.subarray(at + HEAD, at + HEAD + view.getUint32(at + 12, true));
      at += HEAD + bytes.length;
      const end = bytes.indexOf(0);
      const name = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
      if ((mask & InotifyEvent.Q_OVERFLOW) !== 0) this.#lost();
      for (const listener of [...this.#watches.get(watch) ?? []]) listener(mask, name);
      // The kernel has ended it, and may use its number again.
      if ((mask & InotifyEvent.IGNORED) !== 0) this.#watches.delete(watch);
    }
  }

  /** Some events are missing: everything may have changed. */
  #lost(): void {
    for (const listeners of [...this.#watches.values()]) {
      for (const listener of [...listeners]) listener(InotifyEvent.Q_OVERFLOW, "");
    }
  }
}

let queue: Queue | undefined;

/**
 * Watches a file or a folder. A file must always be watched with the same mask.
 *
 * The process stays alive until the watch ends.
 *
 * @returns A function that ends the watch; `null` if it cannot be watched, for example because the
 * user has too many watches.
 */
export function watchChanges(
  path: string,
  mask: number,
  listener: ChangeListener,
): (() => void) | null {
  if (queue === undefined) {
    const fd = raw.inotifyInit1(InotifyFlag.CLOEXEC | InotifyFlag.NONBLOCK);
    if (fd < 0) return null;
    try {
      queue = new Queue(fd);
    } catch {
      // No thread can wait for it here.
      raw.close(fd);
      return null;
    }
  }
  const own = queue;
  const end = own.add(path, mask, listener);
  const closeIdle = () => {
    if (!own.idle || queue !== own) return;
    queue = undefined;
    own.close();
  };
  if (end === null) return closeIdle(), null;
  return () => {
    end();
    closeIdle();
  };
}
