/** Listings of folders, cached briefly and rendered by a thread of their own. @module */

import { mountOf } from "../../../sys/file/mounts.ts";
import type { BackgroundLink } from "../background/background_link.ts";
import type { FileVersion } from "../../../sys/file/file_version.ts";
import type { Loop } from "../../../threads/loop/loop.ts";
import type { OpenFile } from "../../files/open_root.ts";
import { planListingPage, planMessage } from "../../rules/messages.ts";
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
  /** The listing thread. */
  readonly link: BackgroundLink;
  /** Time to cache a page, in milliseconds. A page expires at once if its folder changes. */
  readonly validMs: number;
  /** Makes the pages of folders that other machines and processes have. */
  readonly remote: RemoteFiles;
  /** Answers a request that has waited. */
  grant(reply: Reply, waiter: AnswerWaiter): void;
}

/** The pages of one serving thread. */
export class Listings {
  readonly #options: ListingsOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #pending = new Set<Pending>();
  #bytes = 0;

  constructor(options: ListingsOptions) {
    this.#options = options;
  }

  /** Whether there is no listing thread: each thread then reads for itself. */
  get gone(): boolean {
    return this.#options.link.gone;
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
    for (const pending of this.#pending) {
      // Does not join a request that began before the folder changed.
      if (pending.key !== key || !(pending.version?.holds(folder.fd) ?? false)) continue;
      pending.waiters.add(waiter);
      return folder.close();
    }
    const version = versionOf(folder);
    const pending: Pending = { key, folder, version, wanted, waiters: new Set([waiter]) };
    this.#pending.add(pending);
    if (folder.remote === true) return this.#askElsewhere(pending, mountOf(folder.fd).key);
    const request: ListingRequest = { ...wanted, fd: folder.fd };
    this.#options.link.send(encoder.encode(JSON.stringify(request)), (message) => {
      if (message !== undefined) this.#finish(pending, message);
      else this.#abandon(pending);
    });
  }

  /** Has the threads of a mount make the page. */
  #askElsewhere(pending: Pending, mount: string): void {
    const { folder, wanted } = pending;
    this.#options.remote.list(mount, { ...wanted, fd: folder.fd }, (message) => {
      this.#finish(pending, message ?? withStatus(503, ""));
    });
  }

  /** Removes a waiter. */
  forget(waiter: AnswerWaiter): void {
    for (const { waiters } of this.#pending) waiters.delete(waiter);
  }

  /** Empties the cache. */
  clear(): void {
    this.#kept.clear();
    this.#bytes = 0;
  }

  /** Closes the folders of pending requests. Call it only after the listing thread has ended. */
  close(): void {
    for (const { folder } of this.#pending) folder.close();
    this.#pending.clear();
  }

  #finish(pending: Pending, message: Uint8Array): void {
    if (!this.#pending.has(pending)) return;
    const mount = elsewhere(message);
    if (mount !== undefined) return this.#askElsewhere(pending, mount);
    this.#pending.delete(pending);
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
  #abandon(pending: Pending): void {
    if (!this.#pending.delete(pending)) return;
    pending.folder.close();
    for (const waiter of pending.waiters) waiter.onAnswer();
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
