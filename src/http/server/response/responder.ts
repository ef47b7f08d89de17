/** Answers requests: from the cache if it is valid, else from the folder. @module */

import type { Found } from "../../files/look_up.ts";
import type { Root } from "../../files/open_root.ts";
import { archiveFormat } from "../../archive/types.ts";
import { prefersJson } from "../../rules/fields/codings.ts";
import { pageNumber, sortOf } from "../../rules/listing.ts";
import type { Mount } from "../../rules/by_path/mount.ts";
import { belowTarget } from "../../rules/by_path/router.ts";
import { planFile } from "../../rules/plan.ts";
import type { Settings } from "../../rules/settings.ts";
import { type Accel, describedBy, type Redirection } from "./accel.ts";
import { type Cache, type Entry, pathOf, unchanged } from "./cache.ts";
import { conditional, requestOf } from "./conditional.ts";
import { CONDITIONAL } from "../parser/field_names.ts";
import { closeFound, Finder, type SearchRequest, type SuspendedSearch } from "./finder.ts";
import type { KeptFiles } from "./kept_files.ts";
import { cancel, type Lookups, unavailable } from "./lookups.ts";
import { readResident, replyTo, versionOf, whole } from "./cached_file.ts";
import type { Listings } from "../listing/listings.ts";
import { encodeHead, Reply } from "./response.ts";
import type { RequestHead } from "../parser/request_head.ts";
import { Method } from "../parser/request_line.ts";
import { SharedFile } from "./shared_file.ts";
import { replyOnce } from "./unkept_file.ts";
import { Variants } from "./variants.ts";

const SLASH = 0x2f;

/** Settings and callbacks of a responder. */
export interface ResponderOptions {
  readonly root: Root;
  readonly settings: Settings;
  /** Index of the root among those of the server. */
  readonly site: number;
  /** Path below which the root is served. */
  readonly mount: Mount;
  /** The files of all folders that are open. */
  readonly kept: KeptFiles;
  /** Requests that wait for others to open their files. */
  readonly lookups: Lookups;
  /** Pages of folders; `null` if folders are not listed. */
  readonly listings: Listings | null;
  /** Whether folders that are listed can be downloaded. */
  readonly archives: boolean;
  /** Called for each response with whether it was cached. */
  looked(hit: boolean): void;
  /** Called when no descriptor is left to open a file: the callee should free some. */
  exhausted(): void;
}

/** One folder of a server, as one thread serves it. */
export class Responder {
  readonly #options: ResponderOptions;
  readonly #kept: KeptFiles;
  readonly #cache: Cache;
  readonly #variants: Variants;
  readonly #finder: Finder;
  readonly #lookups: Lookups;
  /** Whether the response to a plain request depends only on its path and accepted codings. */
  readonly #keeps: boolean;

  constructor(options: ResponderOptions) {
    const { exhausted, kept, lookups, mount: place, root, settings, site } = options;
    this.#options = options;
    this.#kept = kept;
    this.#cache = kept.cache;
    this.#lookups = lookups;
    this.#variants = new Variants(settings.precompressed, site);
    this.#finder = new Finder({ root, settings, site, place, exhausted });
    const { cors } = settings;
    this.#keeps = kept.config.maxFiles > 0 && (cors === undefined || cors.origins === "*");
  }

  /**
   * Answers the request in `head`; `now` is monotonic, in milliseconds. `null` says that it has to wait:
   * call `wait` or `forgetWanted` of the lookups.
   */
  answer(head: RequestHead, now: number): Reply | null {
    const { bytes, known, method, targetStart } = head;
    const file = method === Method.GET || method === Method.HEAD;
    const keeps = file && this.#keeps && bytes[targetStart] === SLASH;
    const granted = this.#lookups.take();
    if (granted instanceof Reply) return granted;
    if (!keeps) return this.#make(head, now, -1, granted);
    const variant = this.#variants.of(head);
    if (granted !== undefined) return this.#make(head, now, variant, granted);
    const entry = this.#cache.find(head, hashOf(head, variant), variant);
    if (entry === undefined || !this.#holds(entry, head, now)) {
      this.#options.looked(false);
      return this.#make(head, now, variant);
    }
    this.#options.looked(true);
    return (known & CONDITIONAL) === 0 ? entry.reply : conditional(head, entry);
  }

  /** Answers the request in `head` with the file that the program has named; as {@linkcode answer}. */
  redirected(head: RequestHead, redirection: Redirection, accel: Accel): Reply | null {
    const method = head.method === Method.HEAD ? "HEAD" : "GET";
    const request = { ...this.#requestOf(head), method };
    const found = this.#lookups.take() ??
      this.#finder.findNamed(request, redirection.target, accel);
    if (found instanceof Reply) return found;
    if (found.kind === "remote") return this.#suspend(found);
    if (found.kind === "listing") throw new TypeError("A named file cannot be listed");
    if (found.kind === "message") return this.#finder.message(found.plan);
    const file = new SharedFile(found.file);
    this.#kept.doom({ file, original: null });
    const plan = planFile(request, describedBy(found.file.described!, redirection));
    return new Reply(plan, file, null, { head: encodeHead(plan, redirection.cookies) });
  }

  /** Leaves a search to the threads of a mount, unless too many wait for it. */
  #suspend(search: SuspendedSearch): Reply | null {
    return this.#lookups.want(search) ? null : this.#finder.message(unavailable());
  }

  /** The request, for a look-up below the path of this folder. */
  #requestOf(head: RequestHead, plain = false): SearchRequest {
    const { mount } = this.#options;
    const request = requestOf(head, plain);
    if (mount.path === "") return request;
    const { target } = request;
    return { ...request, target: belowTarget(mount, target) ?? target, original: target };
  }

  /**
   * Whether the path of an entry still leads to the same, unchanged file. Checks its files once per
   * turn of the loop, and the path once per `validMs`: a changed link or folder on the way may go
   * unnoticed for that long.
   */
  #holds(entry: Entry, head: RequestHead, now: number): boolean {
    if (entry.askedAt === now) return true;
    entry.askedAt = now;
    const recent = now - entry.checkedAt < this.#kept.config.validMs;
    if (!recent) entry.checkedAt = now;
    // The look-up may have emptied the cache.
    if (unchanged(entry) && (recent || (this.#leadsTo(entry, head) && this.#cache.has(entry)))) {
      return true;
    }
    this.#cache.remove(entry);
    return false;
  }

  #leadsTo(entry: Entry, head: RequestHead): boolean {
    // Others have to open it again.
    const found = entry.file.remote ? undefined : this.#finder.find(this.#requestOf(head, true));
    if (found?.kind === "remote") cancel(found);
    if (found === undefined || found.kind === "remote") return false;
    const same = found.kind === "file" && !found.standsIn && this.#is(entry, found);
    closeFound(found);
    return same;
  }

  #is(entry: Entry, { file, path }: Extract<Found, { kind: "file" }>): boolean {
    const { name, representation, reply, version } = entry;
    if (path !== name || file.described!.coding !== representation.coding) return false;
    // Try again to cache a file that was not in the page cache.
    const settled = reply.file === null || file.size > this.#kept.config.maxFileBytes;
    return settled && version!.holds(file.fd);
  }

  /** Looks up the target, and caches the result for a variant unless that is negative. */
  #make(head: RequestHead, now: number, variant: number, granted?: Found): Reply | null {
    const request = { ...this.#requestOf(head), keepOriginal: variant >= 0 };
    const found = granted ?? this.#finder.find(request);
    if (found.kind === "remote") return this.#suspend(found);
    if (found.kind === "message") return this.#finder.message(found.plan);
    if (found.kind === "listing") return this.#list(request, found);
    const { plan } = found;
    if (variant < 0) {
      const file = new SharedFile(found.file);
      this.#kept.doom({ file, original: null });
      return replyOnce(plan, file, found.file.described!);
    }
    const entry = this.#describe(head, variant, found, now);
    const { original, representation, version } = entry;
    const reply = plan === representation.whole || plan === representation.head
      ? entry.reply
      : replyTo(plan, entry);
    // A file that stands in for another depends on the codings accepted.
    const keeps = !found.standsIn && version !== null &&
      found.file.made !== true && (original === null || original.version !== null);
    if (keeps) this.#cache.add(entry);
    else this.#kept.doom(entry);
    // Count before the client can see the response.
    this.#kept.tell();
    return reply;
  }

  #describe(
    head: RequestHead,
    variant: number,
    { file, original, path: name }: Extract<Found, { kind: "file" }>,
    now: number,
  ): Entry {
    const shared = new SharedFile(file);
    const representation = file.described!;
    const version = versionOf(file);
    const small = !shared.remote && file.size <= this.#kept.config.maxFileBytes;
    const read = version !== null && small ? readResident(file.fd, file.size) : null;
    // The file may have changed while it was read.
    const body = read !== null && version!.holds(file.fd) ? read : null;
    return {
      path: pathOf(head),
      variant,
      hash: hashOf(head, variant),
      file: shared,
      name,
      representation,
      version: read === body ? version : null,
      original: original ? { file: original, version: versionOf(original) } : null,
      reply: new Reply(representation.whole, shared, whole(representation.whole, body)),
      askedAt: now,
      checkedAt: now,
      used: true,
      condition: null,
      unchanged: null,
      partHead: null,
    };
  }

  /** The page of a folder; `null` if it must be built first. */
  #list(request: SearchRequest, { folder, target }: Found & { kind: "listing" }): Reply | null {
    const { archives, listings } = this.#options;
    const format = archives ? archiveFormat(target.query) : undefined;
    if (format !== undefined) {
      folder.close();
      const { names } = target;
      this.#lookups.want({ kind: "archive", wanted: { site: this.#options.site, names, format } });
      return null;
    }
    const json = prefersJson(request.header("accept"));
    const { site } = this.#options;
    const { query, names } = target;
    const wanted = { site, names, page: pageNumber(query), sort: sortOf(query), json };
    const gone = listings === null || (listings.gone && folder.remote !== true);
    const reply = gone
      ? this.#finder.listNow(request, folder, wanted)
      : listings.find(folder, wanted);
    if (reply === undefined) {
      this.#lookups.want({ kind: "page", folder, wanted });
      return null;
    }
    folder.close();
    return reply;
  }
}

/** Variants are small numbers: each changes the hash of all paths. */
function hashOf({ pathHash }: RequestHead, variant: number): number {
  return variant <= 0 ? pathHash : Math.imul(pathHash, 31) + variant | 0;
}
