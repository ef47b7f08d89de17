/** Calls on files of other machines and processes, which other threads make for one that serves. @module */

import { EIO, ETIMEDOUT } from "../../../errno.ts";
import { mountOf } from "../../../sys/file/mounts.ts";
import * as raw from "../../../sys/raw/mod.ts";
import type { Loop } from "../../../threads/loop/loop.ts";
import type { OpenFile } from "../../files/open_root.ts";
import { Frames } from "../listing/frames.ts";
import type { ListingRequest } from "../listing/listing_thread.ts";
import type { Representation } from "../../rules/representation.ts";
import type { SharedFile } from "../response/shared_file.ts";
import type { PrefetchWaiter } from "../thread/prefetch_client.ts";
import { decode, encode, type RemoteFacts, type RemoteRequest } from "./messages.ts";
import { Slots } from "./slots.ts";
import { STAGED_BYTES, type Staging } from "./staging.ts";

/** Settings of the calls. */
export interface RemoteFilesOptions {
  readonly loop: Loop;
  /** See `newSlots`. */
  readonly slots: Int32Array;
  /** Most calls that wait for one mount, so that one that does not answer takes up no more connections. */
  readonly most: number;
  /** Has the thread of a slot started; {@linkcode RemoteFiles.connect} says that it was. */
  start(slot: number): void;
}

/** Is given the answer, or `null` where there will be none. */
type Answered = (message: Uint8Array | null) => void;

interface Call {
  readonly slot: number;
  readonly key: string;
  readonly request: RemoteRequest;
  readonly answered: Answered;
}

interface Read {
  readonly file: SharedFile;
  readonly staging: Staging;
  /** `undefined` if no request waits any more. */
  waiter: PrefetchWaiter | undefined;
}

/** The threads of all mounts, as one thread of the server sees them. */
export class RemoteFiles {
  readonly #options: RemoteFilesOptions;
  readonly #slots: Slots;
  /** The sockets to the threads; `null` for one that is being started. */
  readonly #links = new Map<number, Frames | null>();
  /** Threads that have ended unexpectedly. */
  readonly #dead = new Set<number>();
  readonly #fds: number[] = [];
  readonly #calls = new Map<number, Call>();
  /** Calls in progress by mount, except for closes. */
  readonly #waiting = new Map<string, number>();
  readonly #reads = new Map<number, Read>();
  #lastId = 0;

  constructor(options: RemoteFilesOptions) {
    this.#options = options;
    this.#slots = new Slots(options.slots);
  }

  /** Whether a call on a mount is taken, and does not wait behind too many others. */
  accepts(key: string): boolean {
    return (this.#waiting.get(key) ?? 0) < this.#options.most;
  }

  /** Opens a path below a root. `opened` is given a file, which it owns, or a negative errno. */
  open(
    key: string,
    site: number,
    path: string,
    opened: (file: OpenFile | number) => void,
  ): void {
    this.#call(key, { op: "open", site, path }, (message) => {
      if (message === null) return opened(ETIMEDOUT);
      const facts = decode<RemoteFacts | number>(message);
      opened(typeof facts === "number" ? facts : new RemoteFile(this, facts));
    });
  }

  /** Makes a page; see listing_thread.ts for the answer. The folder stays open until it comes. */
  list(key: string, request: ListingRequest, listed: Answered): void {
    this.#call(key, { op: "list", ...request }, listed);
  }

  /**
   * Reads a part of a file into memory. `waiter` is told the bytes that are there, 0 at the end of the
   * file, or `-errno`.
   *
   * @returns The number under which to `forget` it, or 0 when the mount is too busy, or no descriptor is
   * left.
   */
  read(
    file: SharedFile,
    offset: number,
    length: number,
    staging: Staging,
    waiter: PrefetchWaiter,
  ): number {
    const { key } = mountOf(file.fd);
    if (!this.accepts(key)) return 0;
    const into = staging.begin(offset);
    if (into < 0) return 0;
    const count = Math.min(length, STAGED_BYTES);
    const request = { op: "read", fd: file.fd, offset, count, into } as const;
    const read: Read = { file: file.use(), staging, waiter };
    const id = this.#call(key, request, (message) => {
      const result = message === null ? EIO : decode<number>(message);
      this.#reads.delete(id);
      staging.end(result);
      file.release();
      read.waiter?.onDisk(result);
    });
    this.#reads.set(id, read);
    return id;
  }

  /** Drops the callback of read `id`. */
  forget(id: number): void {
    const read = this.#reads.get(id);
    if (read !== undefined) read.waiter = undefined;
  }

  /** Closes a descriptor; do not use it any more. */
  close(fd: number): void {
    this.#call(mountOf(fd).key, { op: "close", fd }, (message) => {
      // Its thread is gone: better wait here than run out of descriptors.
      if (message === null) raw.close(fd);
    });
  }

  /** The thread of a slot was started: `fd` is this end of the socket; -1 where that failed. */
  connect(slot: number, fd: number): void {
    if (fd < 0) {
      this.#links.delete(slot);
      return this.#fail(slot);
    }
    const { loop } = this.#options;
    const frames = new Frames(loop, fd, {
      received: (id, message) => this.#finish(id, message),
      ended: () => {
        this.#links.delete(slot);
        this.#dead.add(slot);
        // Not from within a call that is being made.
        loop.again({ onTurn: () => this.#fail(slot) });
      },
    });
    this.#fds.push(fd);
    this.#links.set(slot, frames);
    for (const [id, { request, slot: wanted }] of this.#calls) {
      if (wanted === slot) frames.send(id, encode(request));
    }
  }

  /**
   * Leaves all calls to their threads, when the loop has ended. A thread that reads closes the
   * descriptors of that itself: until then somebody else could get their numbers.
   */
  end(): void {
    for (const [id, { slot }] of this.#calls) {
      const read = this.#reads.get(id);
      this.#slots.leave(slot);
      if (read === undefined) continue;
      const link = this.#links.get(slot);
      for (const fd of [read.staging.fd, read.file.fd]) {
        link?.send(0, encode({ op: "close", fd }));
      }
    }
    this.#calls.clear();
    this.#reads.clear();
    for (const fd of this.#fds.splice(0)) raw.close(fd);
  }

  #call(key: string, request: RemoteRequest, answered: Answered): number {
    const id = this.#lastId = (this.#lastId + 1) >>> 0 || 1;
    const slot = this.#slot(key, request);
    this.#calls.set(id, { slot, key, request, answered });
    if (request.op !== "close") this.#waiting.set(key, (this.#waiting.get(key) ?? 0) + 1);
    const link = this.#links.get(slot);
    if (slot < 0) this.#options.loop.again({ onTurn: () => this.#fail(slot) });
    else if (link !== undefined) link?.send(id, encode(request));
    else {
      this.#links.set(slot, null);
      this.#options.start(slot);
    }
    return id;
  }

  #slot(key: string, { op }: RemoteRequest): number {
    if (op === "close") {
      // No thread is started for that.
      const started = [...this.#links].flatMap(([slot, link]) => link === null ? [] : [slot]);
      const slot = this.#slots.takeFrom(key, started);
      if (slot >= 0) return slot;
    }
    return this.#slots.take(key, (slot) => !this.#dead.has(slot));
  }

  #finish(id: number, message: Uint8Array | null): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    const { answered, key, request, slot } = call;
    this.#calls.delete(id);
    if (slot >= 0) this.#slots.leave(slot);
    if (request.op !== "close") {
      const waiting = this.#waiting.get(key)! - 1;
      if (waiting > 0) this.#waiting.set(key, waiting);
      else this.#waiting.delete(key);
    }
    answered(message);
  }

  #fail(slot: number): void {
    for (const [id, call] of [...this.#calls]) {
      if (call.slot === slot) this.#finish(id, null);
    }
  }
}

/** A file that a thread has opened, and will close. */
class RemoteFile implements OpenFile {
  readonly fd: number;
  readonly folder: boolean;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly made: boolean;
  readonly remote: boolean;
  described?: Representation;
  readonly #files: RemoteFiles;
  #open = true;

  constructor(files: RemoteFiles, facts: RemoteFacts) {
    const { ctimeNs, fd, folder, made, mtimeNs, remote = false, size } = facts;
    this.fd = fd;
    this.folder = folder;
    this.size = size;
    this.mtimeNs = BigInt(mtimeNs);
    this.ctimeNs = BigInt(ctimeNs);
    this.made = made;
    this.remote = remote;
    this.#files = files;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    if (this.remote) this.#files.close(this.fd);
    else raw.close(this.fd);
  }
}
