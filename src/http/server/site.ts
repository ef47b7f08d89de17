/** From a request to its answer: from what is kept where that holds, else from the folder. @module */

import { readFolderNow } from "../folder.ts";
import { type Found, lookUp, searchNow, type SiteRequest } from "../look_up.ts";
import type { OpenFile, Root } from "../open_root.ts";
import { planListing, planMessage } from "../plan/messages.ts";
import { planFile } from "../plan/plan.ts";
import type { Settings } from "../plan/settings.ts";
import type { Plan } from "../plan/types.ts";
import { Cache, type Entry, keyOf } from "./cache.ts";
import type { CacheConfig } from "./config.ts";
import { CONDITIONAL, Field } from "./field_names.ts";
import { equal, hashOf, identityOf, joined, readResident, replyTo } from "./kept_file.ts";
import { partOf } from "./part_reply.ts";
import { Reply } from "./reply.ts";
import type { RequestHead } from "./request_head.ts";
import { Method } from "./request_line.ts";
import { SharedFile } from "./shared_file.ts";

const SLASH = 0x2f;

/** What a site is made of. */
export interface SiteOptions {
  readonly root: Root;
  readonly settings: Settings;
  readonly cache: CacheConfig;
  /** Called for each answer with whether it was kept. */
  looked(hit: boolean): void;
}

/** The folder of one server, as one thread sees it. */
export class Site {
  readonly #options: SiteOptions;
  readonly #cache: Cache;
  /** Files that nobody will ask for again: closed once the answer at hand is on its way. */
  readonly #doomed: SharedFile[] = [];
  /** Why the answer at hand is 500. */
  #error: string | undefined;
  /** Whether the answer to a plain request depends on nothing but its path and what it accepts. */
  readonly #keeps: boolean;

  constructor(options: SiteOptions) {
    this.#options = options;
    this.#cache = new Cache(options.cache, (file) => this.#doomed.push(file));
    const { cors } = options.settings;
    this.#keeps = options.cache.maxFiles > 0 && (cors === undefined || cors.origins === "*");
  }

  /** Bytes of the answers that are kept. */
  get bytes(): number {
    return this.#cache.bytes;
  }

  /** Answers the request in `head`; `now` is monotonic, in milliseconds. */
  answer(head: RequestHead, now: number): Reply {
    const { bytes, known, method, targetStart } = head;
    const file = method === Method.GET || method === Method.HEAD;
    if (!file || !this.#keeps || bytes[targetStart] !== SLASH) return this.#make(head, now, null);
    const extra = this.#extra(head);
    const hash = extra === null ? head.pathHash : hashOf(head.pathHash, extra);
    const entry = this.#cache.find(head, hash, extra);
    if (entry === undefined || !this.#holds(entry, head, now)) {
      this.#options.looked(false);
      return this.#make(head, now, extra ?? NO_BYTES, hash);
    }
    this.#options.looked(true);
    return (known & CONDITIONAL) === 0 ? entry.reply : this.#conditional(head, entry);
  }

  /** Closes what is not needed any more; call when the sender has got the last answer. */
  settle(): void {
    for (let file = this.#doomed.pop(); file !== undefined; file = this.#doomed.pop()) {
      file.retire();
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#cache.clear();
    this.settle();
  }

  /** Forgets what is not used. */
  sweep(): void {
    this.#cache.sweep();
    this.settle();
  }

  /** What beside the path decides: the codings that are accepted, where there are sidecars. */
  #extra(head: RequestHead): Uint8Array | null {
    if (this.#options.settings.precompressed.length === 0) return null;
    const place = head.place(Field.ACCEPT_ENCODING);
    return place === undefined ? null : head.bytes.subarray(place[0], place[1]);
  }

  /** Whether an entry still is what the path leads to; looks at most once in `validMs`. */
  #holds(entry: Entry, head: RequestHead, now: number): boolean {
    if (now - entry.checkedAt < this.#options.cache.validMs) return true;
    const found = this.#find(requestOf(head, true));
    if (found.kind !== "file") {
      closeFound(found);
      this.#cache.remove(entry);
      return false;
    }
    const { file } = found;
    // One that did not fit into memory because it was on the disk is tried again.
    const same = identityOf(file) === entry.identity && entry.reply.file === null;
    const large = file.size > this.#options.cache.maxFileBytes;
    const holds = same || (large && identityOf(file) === entry.identity);
    file.close();
    if (holds) entry.checkedAt = now;
    else this.#cache.remove(entry);
    return holds;
  }

  /** The answer to a request with conditions or a range, for a file that is kept. */
  #conditional(head: RequestHead, entry: Entry): Reply {
    const only = (head.known & CONDITIONAL) === Field.IF_NONE_MATCH &&
      (head.twice & Field.IF_NONE_MATCH) === 0;
    const place = only ? head.place(Field.IF_NONE_MATCH)! : undefined;
    if (place !== undefined && entry.condition !== null) {
      if (equal(head.bytes, place[0], place[1], entry.condition)) return entry.unchanged!;
    }
    const part = partOf(head, entry);
    if (part !== null) return part;
    const plan = planFile(requestOf(head), entry.representation);
    if (plan === entry.representation.whole || plan === entry.representation.head) {
      return entry.reply;
    }
    const reply = replyTo(plan, entry);
    if (place !== undefined && plan.status === 304) {
      entry.condition = head.bytes.slice(place[0], place[1]);
      entry.unchanged = reply;
      reply.kept = true;
    }
    return reply;
  }

  /** Looks the target up, and keeps what it finds under `extra`, unless that is `null`. */
  #make(head: RequestHead, now: number, extra: Uint8Array | null, hash = 0): Reply {
    const request = requestOf(head);
    const found = this.#find(request);
    if (found.kind === "message") return this.#message(found.plan);
    if (found.kind === "listing") return this.#list(request, found);
    const { file, plan } = found;
    const shared = new SharedFile(file);
    const entry = this.#describe(head, hash, extra ?? NO_BYTES, file, shared, now);
    const { representation } = entry;
    const reply = plan === representation.whole || plan === representation.head
      ? entry.reply
      : replyTo(plan, entry);
    // What stands in for another depends on what is accepted.
    if (extra !== null && !found.standsIn && file.made !== true) this.#cache.add(entry);
    else this.#doomed.push(shared);
    return reply;
  }

  #describe(
    head: RequestHead,
    hash: number,
    extra: Uint8Array,
    file: OpenFile,
    shared: SharedFile,
    now: number,
  ): Entry {
    const representation = file.described!;
    const { whole } = representation;
    const identity = identityOf(file);
    const small = this.#keeps && file.size <= this.#options.cache.maxFileBytes;
    const body = small ? readResident(file.fd, file.size) : null;
    return {
      key: keyOf(head, extra),
      hash,
      file: shared,
      representation,
      identity,
      reply: new Reply(whole, shared, body),
      checkedAt: now,
      used: true,
      condition: null,
      unchanged: null,
      partHead: null,
    };
  }

  #find(request: SiteRequest): Found {
    const { root, settings } = this.#options;
    try {
      return searchNow(lookUp(request, settings), root.openNow!);
    } catch (error) {
      return { kind: "message", plan: this.#failure(request, error) };
    }
  }

  #list(request: SiteRequest, { folder, target }: Found & { kind: "listing" }): Reply {
    let plan: Plan;
    try {
      const { root, settings } = this.#options;
      const listing = readFolderNow(root.openNow!, folder, target.names, settings.dotfiles);
      plan = planListing(request, listing, settings);
    } catch (error) {
      plan = this.#failure(request, error);
    } finally {
      folder.close();
    }
    return this.#message(plan);
  }

  #message(plan: Plan): Reply {
    const error = this.#error;
    this.#error = undefined;
    return new Reply(plan, null, joined(plan.parts), { error });
  }

  /** Somebody should know, but not the client. */
  #failure(request: SiteRequest, error: unknown): Plan {
    this.#error = error instanceof Error ? error.message : String(error);
    return planMessage(request, 500);
  }
}

const NO_BYTES = new Uint8Array(0);

function requestOf(head: RequestHead, plain = false): SiteRequest {
  const header = plain
    ? (name: string) => name.startsWith("accept") ? head.header(name) : undefined
    : (name: string) => head.header(name);
  return { method: head.methodName, target: head.target, header };
}

function closeFound(found: Found): void {
  if (found.kind === "listing") found.folder.close();
  if (found.kind === "file") found.file.close();
}
