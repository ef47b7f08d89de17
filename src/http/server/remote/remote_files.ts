/** Calls on files of other machines and processes, which other threads make for one that serves. @module */

import { EIO, ETIMEDOUT } from "../../../errno.ts";
import { mountOf } from "../../../sys/file/mounts.ts";
import * as raw from "../../../sys/raw/mod.ts";
import type { Loop } from "../../../threads/loop/loop.ts";
import type { OpenFile } from "../../files/open_root.ts";
import type { BackgroundLink } from "../background/background_link.ts";
import type { ListingRequest } from "../listing/listing_thread.ts";
import type { Representation } from "../../rules/representation.ts";
import type { SharedFile } from "../response/shared_file.ts";
import type { PrefetchWaiter } from "../thread/prefetch_client.ts";
import { decode, encode, type RemoteFacts, type RemoteRequest } from "./messages.ts";
import { ALL_SLOTS, Slots } from "./slots.ts";
import { STAGED_BYTES, type Staging } from "./staging.ts";

/** Settings of the calls. */
export interface RemoteFilesOptions {
  readonly loop: Loop;
  /** See `newSlots`. */
  readonly slots: Int32Array;
  /** Most calls that wait for one mount, so that one that does not answer takes up no more connections. */
  readonly most: number;
  /** The thread of a slot. */
  linkOf(slot: number): BackgroundLink;
}

/** Is given the answer, or `null` where there will be none. */
type Answered = (message: Uint8Array | null) => void;

interface Call {
  readonly slot: number;
  readonly key: string;
  readonly closes: boolean;
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

  /**
   * Leaves all calls to their threads, when the loop has ended. A thread that reads closes the
   * descriptors of that itself: until then somebody else could get their numbers.
   */
  end(): void {
    for (const [id, { slot }] of this.#calls) {
      const read = this.#reads.get(id);
      if (slot >= 0) this.#slots.leave(slot);
      if (read === undefined) continue;
      const link = this.#options.linkOf(slot);
      for (const fd of [read.staging.fd, read.file.fd]) {
        if (link.connected) link.send(encode({ op: "close", fd }), () => {});
        else raw.close(fd);
      }
    }
    this.#calls.clear();
    this.#reads.clear();
  }

  #call(key: string, request: RemoteRequest, answered: Answered): number {
    const id = this.#lastId = (this.#lastId + 1) >>> 0 || 1;
    const closes = request.op === "close";
    const slot = this.#slot(key, closes);
    this.#calls.set(id, { slot, key, closes, answered });
    if (!closes) this.#waiting.set(key, (this.#waiting.get(key) ?? 0) + 1);
    if (slot < 0) this.#options.loop.again({ onTurn: () => this.#finish(id, null) });
    else {
      const { linkOf } = this.#options;
      linkOf(slot).send(encode(request), (message) => this.#finish(id, message ?? null));
    }
    return id;
  }

  #slot(key: string, closes: boolean): number {
    const { linkOf } = this.#options;
    if (closes) {
      // No thread is started for that.
      const slot = this.#slots.takeFrom(key, ALL_SLOTS.filter((slot) => linkOf(slot).connected));
      if (slot >= 0) return slot;
    }
    return this.#slots.take(key, (slot) => !linkOf(slot).gone);
  }

  #finish(id: number, message: Uint8Array | null): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    const { answered, closes, key, slot } = call;
    this.#calls.delete(id);
    if (slot >= 0) this.#slots.leave(slot);
    if (!closes) {
      const waiting = this.#waiting.get(key)! - 1;
      if (waiting > 0) this.#waiting.set(key, waiting);
      else this.#waiting.delete(key);
    }
    answered(message);
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
