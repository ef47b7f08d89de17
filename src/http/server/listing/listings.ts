/** Listings of folders, cached briefly and rendered by a thread of their own. @module */

import { mountOf } from "../../../sys/file/mounts.ts";
import type { FileVersion } from "../../../sys/file/file_version.ts";
import type { Loop } from "../../../threads/loop/loop.ts";
import type { OpenFile } from "../../files/open_root.ts";
import { planListingPage, planMessage } from "../../rules/messages.ts";
import { Frames } from "./frames.ts";
import { joined, versionOf } from "../response/cached_file.ts";
import { ELSEWHERE, type ListingRequest, STATUS_BYTES, withStatus } from "./listing_thread.ts";
import type { RemoteFiles } from "../remote/remote_files.ts";
import { Reply } from "../response/response.ts";
import type { AnswerWaiter } from "../response/waiter.ts";

/** Most bytes of cached pages. */
const MOST_BYTES = 8 * 1024 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const GET = { method: "GET", header: () => undefined };

/** The wanted page. */
export type WantedPage = Omit<ListingRequest, "fd">;

interface Kept {
  readonly version: FileVersion | null;
  readonly reply: Reply;
  readonly at: number;
}

interface Pending {
  readonly key: string;
  readonly folder: OpenFile;
  readonly version: FileVersion | null;
  readonly waiters: Set<AnswerWaiter>;
  readonly wanted: WantedPage;
}

/** Options of {@linkcode Listings}. */
export interface ListingsOptions {
  readonly loop: Loop;
  /** This thread's end of the socket to the listing thread. */
  readonly fd: number;
  /** Time to cache a page, in milliseconds. A page expires at once if its folder changes. */
  readonly validMs: number;
  /** Called before the first request, to start the thread. */
  wake(): void;
  /** Makes the pages of folders that other machines and processes have. */
  readonly remote: RemoteFiles;
  /** Answers a request that has waited. */
  grant(reply: Reply, waiter: AnswerWaiter): void;
}

/** The pages of one serving thread. */
export class Listings {
  readonly #options: ListingsOptions;
  readonly #frames: Frames;
  readonly #kept = new Map<string, Kept>();
  readonly #pending = new Map<number, Pending>();
  #bytes = 0;
  #lastId = 0;
  #started = false;
  #gone = false;

  constructor(options: ListingsOptions) {
    this.#options = options;
    this.#frames = new Frames(options.loop, options.fd, {
      received: (id, message) => this.#finish(id, message),
      ended: () => this.#abandon(),
    });
  }

  /** Whether there is no listing thread, and will be none. */
  get gone(): boolean {
    return this.#gone;
  }

  /** Returns the cached page of a folder. */
  find(folder: OpenFile, wanted: WantedPage): Reply | undefined {
    const key = keyOf(wanted);
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    const { now } = this.#options.loop;
    const recent = kept.at === now || now - kept.at < this.#options.validMs;
    if (recent && kept.version!.holds(folder.fd)) return kept.reply;
    this.#drop(key);
    return undefined;
  }

  /** Requests a page; takes ownership of `folder`. */
  ask(folder: OpenFile, wanted: WantedPage, waiter: AnswerWaiter): void {
    const key = keyOf(wanted);
    for (const pending of this.#pending.values()) {
      // Does not join a request that began before the folder changed.
      if (pending.key !== key || !(pending.version?.holds(folder.fd) ?? false)) continue;
      pending.waiters.add(waiter);
      return folder.close();
    }
    const id = this.#lastId = (this.#lastId + 1) >>> 0;
    const version = versionOf(folder);
    this.#pending.set(id, { key, folder, version, wanted, waiters: new Set([waiter]) });
    if (folder.remote === true) return this.#askElsewhere(id, mountOf(folder.fd).key);
    if (!this.#started) {
      this.#started = true;
      this.#options.wake();
    }
    const request: ListingRequest = { ...wanted, fd: folder.fd };
    this.#frames.send(id, encoder.encode(JSON.stringify(request)));
  }

  /** Has the threads of a mount make the page. */
  #askElsewhere(id: number, mount: string): void {
    const { folder, wanted } = this.#pending.get(id)!;
    this.#options.remote.list(mount, { ...wanted, fd: folder.fd }, (message) => {
      this.#finish(id, message ?? withStatus(503, ""));
    });
  }

  /** Removes a waiter. */
  forget(waiter: AnswerWaiter): void {
    for (const { waiters } of this.#pending.values()) waiters.delete(waiter);
  }

  /** Empties the cache. */
  clear(): void {
    this.#kept.clear();
    this.#bytes = 0;
  }

  /** Closes the folders of pending requests. Call it only after the listing thread has ended. */
  close(): void {
    for (const { folder } of this.#pending.values()) folder.close();
    this.#pending.clear();
  }

  #finish(id: number, message: Uint8Array): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    const mount = elsewhere(message);
    if (mount !== undefined) return this.#askElsewhere(id, mount);
    this.#pending.delete(id);
    const { folder, key, version, waiters } = pending;
    const reply = replyOf(message, key);
    if (reply.status === 200 && version !== null) this.#keep(key, version, reply);
    folder.close();
    // Those who have waited get it, whatever has changed since.
    for (const waiter of waiters) this.#options.grant(reply, waiter);
  }

  #keep(key: string, version: FileVersion, reply: Reply): void {
    this.#drop(key);
    if (this.#options.validMs === 0) return;
    this.#kept.set(key, { version, reply, at: this.#options.loop.now });
    reply.kept = true;
    this.#bytes += reply.memoryBytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= MOST_BYTES) return;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    this.#bytes -= kept.reply.memoryBytes;
  }

  /** Handles a listing thread that could not start or has ended: waiters read for themselves. */
  #abandon(): void {
    this.#gone = true;
    for (const [id, { folder, waiters }] of [...this.#pending]) {
      if (folder.remote === true) continue;
      this.#pending.delete(id);
      folder.close();
      for (const waiter of waiters) waiter.onAnswer();
    }
  }
}

/** The mount whose threads have to make a page, where the message says that. */
function elsewhere(message: Uint8Array): string | undefined {
  const status = new DataView(message.buffer, message.byteOffset).getUint32(0, true);
  return status === ELSEWHERE ? decoder.decode(message.subarray(STATUS_BYTES)) : undefined;
}

/** Builds the reply from the listing thread's message. */
export function replyOf(message: Uint8Array, key: string): Reply {
  const status = new DataView(message.buffer, message.byteOffset).getUint32(0, true);
  const body = message.subarray(STATUS_BYTES);
  if (status === 200) {
    const [, , json] = JSON.parse(key) as [unknown, unknown, boolean];
    return new Reply(planListingPage(GET, body, json), null, body);
  }
  const plan = planMessage(GET, status);
  const error = body.length > 0 ? decoder.decode(body) : undefined;
  return new Reply(plan, null, joined(plan.parts), { error });
}

/** Builds a key. JSON keeps names apart, whatever characters they contain. */
export function keyOf({ json, names, page, site, sort }: WantedPage): string {
  return JSON.stringify([names, page, json, site, sort]);
}
