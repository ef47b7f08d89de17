/** A root with its options, in which all adapters look up requests. @module */

import { builtin } from "../../builtins.ts";
import { describe } from "../../options.ts";
import { FolderReader } from "./folder.ts";
import { FolderCache } from "./names/folder_names.ts";
import { type Found, lookUp, lookUpFile, type LookupRequest } from "./look_up.ts";
import { type OpenFile, openRoot, type Root, type Symlinks } from "./open_root.ts";
import { search } from "./search.ts";
import { type Listing, PAGE_ENTRIES, pageNumber, sortOf } from "../rules/listing.ts";
import { planListing, planMessage } from "../rules/messages.ts";
import type { SiteOptions } from "../rules/options.ts";
import { type Mount, ROOT } from "../rules/by_path/mount.ts";
import { belowTarget } from "../rules/by_path/router.ts";
import type { Target } from "../rules/target.ts";
import { type Settings, settingsOf, withUploads } from "../rules/settings.ts";
import type { PlanRequest } from "../rules/types.ts";

/** Time to keep a listing, in milliseconds: file sizes change while the folder does not. */
const LISTING_MS = 250;

/** A file, or a response without one. */
export type Answer = Exclude<Found, { kind: "listing" }>;

/** A folder to serve. */
export class StaticRoot {
  /** The folder. */
  readonly root: Root;
  readonly settings: Settings;
  /** Path below which the folder is served. */
  readonly mount: Mount;
  readonly #open: (path: string) => OpenFile | number | Promise<OpenFile | number>;

  readonly #reader: FolderReader;
  readonly #listings = new FolderCache<Promise<Listing | undefined>>();

  constructor(
    root: string | URL,
    options: SiteOptions,
    symlinks?: Symlinks,
    prefix: string | Mount = "",
    uploads = false,
  ) {
    const settings = settingsOf(options);
    this.settings = uploads ? withUploads(settings) : settings;
    this.mount = typeof prefix === "object" ? prefix : mountOf(prefix);
    const { versions } = this.settings;
    this.root = openRoot(folderOf(root), symlinks, { versions: versions && folderOf(versions) });
    this.#reader = new FolderReader(this.root);
    this.#open = (path) => this.root.open(path);
  }

  /** Finds the response; returns at once unless a disk is needed. */
  find(request: LookupRequest): Answer | Promise<Answer> {
    const found = search(lookUp(request, this.settings), this.#open);
    if (found instanceof Promise) return found.then((later) => this.#complete(request, later));
    return this.#complete(request, found);
  }

  /** Names of the folder whose listing is the response; `undefined` if there is another response. */
  async findListed(request: LookupRequest): Promise<readonly string[] | undefined> {
    const found = await search(lookUp(request, this.settings), this.#open);
    if (found.kind === "file") found.file.close();
    if (found.kind !== "listing") return undefined;
    found.folder.close();
    return found.target.names;
  }

  /** Finds one file by its path below the root. */
  findFile(request: PlanRequest, path: string): Answer | Promise<Answer> {
    return search(lookUpFile(request, path, this.settings), this.#open);
  }

  /** Returns the whole path for a path that `find()` reports. */
  pathOf(path: string): string {
    return builtin("path").join(this.root.path, path);
  }

  #complete(request: LookupRequest, found: Found): Answer | Promise<Answer> {
    return found.kind === "listing" ? this.#list(request, found) : found;
  }

  async #list(
    request: LookupRequest,
    { folder, target }: Extract<Found, { kind: "listing" }>,
  ): Promise<Answer> {
    try {
      const listing = await this.#listing(folder, target);
      const plan = listing === undefined
        ? planMessage(request, 404)
        : planListing(request, this.#placed(listing), this.settings);
      return { kind: "message", plan };
    } finally {
      folder.close();
    }
  }

  /** The listing with the whole path of its folder. */
  #placed(listing: Listing): Listing {
    const { names } = this.mount;
    return names.length === 0 ? listing : { ...listing, names: [...names, ...listing.names] };
  }

  /** Caches listings briefly, so that simultaneous requests share one. */
  #listing(folder: OpenFile, { names, query }: Target): Promise<Listing | undefined> {
    const { dotfiles } = this.settings;
    const [page, sort] = [pageNumber(query), sortOf(query)];
    const key = JSON.stringify([names, page, sort]);
    const kept = this.#listings.find(key, folder, LISTING_MS);
    if (kept !== undefined) return kept;
    const listing = this.#reader.read(folder, { names, dotfiles, page, sort });
    this.#listings.add(key, folder, listing, PAGE_ENTRIES);
    listing.catch(() => this.#listings.drop(key));
    return listing;
  }

  /** Returns the target below the prefix; `undefined` if it is elsewhere or malformed. */
  below(target: string): string | undefined {
    return belowTarget(this.mount, target);
  }
}

function mountOf(prefix: string): Mount {
  if (typeof prefix !== "string" || (prefix !== "" && prefix[0] !== "/")) {
    throw new TypeError(`Cannot serve files: prefix is ${describe(prefix)}, but begins with "/"`);
  }
  const path = prefix.replace(/\/+$/, "");
  if (path === "") return ROOT;
  return { names: [], path, plain: true };
}

/** Returns the absolute path of a folder, because the current folder may change. */
export function folderOf(root: string | URL): string {
  if (root instanceof URL) return builtin("url").fileURLToPath(root);
  if (typeof root !== "string" || root === "") {
    throw new TypeError(`Cannot serve ${describe(root)}: expected the path of a folder`);
  }
  return builtin("path").resolve(root);
}
