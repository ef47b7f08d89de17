/** A root with its options: what every adapter looks requests up in. @module */

import { builtin } from "../builtins.ts";
import { describe } from "../options.ts";
import { readFolder } from "./folder.ts";
import { type Found, lookUp, search, type SiteRequest } from "./look_up.ts";
import { type OpenFile, openRoot, type Root, type Symlinks } from "./open_root.ts";
import { planListing } from "./plan/messages.ts";
import type { SiteOptions } from "./plan/options.ts";
import { splitTarget } from "./plan/target.ts";
import { type Settings, settingsOf } from "./plan/settings.ts";

/** A found file, or an answer that needs none. */
export type Answer = Exclude<Found, { kind: "listing" }>;

/** A folder that is served. */
export class Site {
  /** The folder. */
  readonly root: Root;
  readonly settings: Settings;
  /** What comes before the path below the root, without a slash at its end. */
  readonly prefix: string;
  readonly #open: (path: string) => OpenFile | number | Promise<OpenFile | number>;

  constructor(root: string | URL, options: SiteOptions, symlinks?: Symlinks, prefix: string = "") {
    this.settings = settingsOf(options);
    if (typeof prefix !== "string" || (prefix !== "" && prefix[0] !== "/")) {
      throw new TypeError(`Cannot serve files: prefix is ${describe(prefix)}, but begins with "/"`);
    }
    this.prefix = prefix.replace(/\/+$/, "");
    this.root = openRoot(folderOf(root), symlinks);
    this.#open = (path) => this.root.open(path);
  }

  /** Finds the answer; at once unless a disk has to be waited for. */
  find(request: SiteRequest): Answer | Promise<Answer> {
    const found = search(lookUp(request, this.settings), this.#open);
    if (found instanceof Promise) return found.then((later) => this.#complete(request, later));
    return this.#complete(request, found);
  }

  #complete(request: SiteRequest, found: Found): Answer | Promise<Answer> {
    return found.kind === "listing" ? this.#list(request, found) : found;
  }

  async #list(
    request: SiteRequest,
    { folder, target }: Extract<Found, { kind: "listing" }>,
  ): Promise<Answer> {
    try {
      const { dotfiles } = this.settings;
      const listing = await readFolder(this.root, folder, target.names, dotfiles);
      return { kind: "message", plan: planListing(request, listing, this.settings) };
    } finally {
      folder.close();
    }
  }

  /** The target below the prefix; `undefined` for one that is not below it, or malformed. */
  below(target: string): string | undefined {
    const { prefix } = this;
    if (prefix === "") return target;
    const parts = splitTarget(target);
    if (parts === 400 || !parts.path.startsWith(prefix)) return undefined;
    const rest = parts.path.slice(prefix.length);
    if (rest !== "" && rest[0] !== "/") return undefined;
    return `${rest === "" ? "/" : rest}${parts.query}`;
  }
}

/** The absolute path of a folder: the current one may change. */
export function folderOf(root: string | URL): string {
  if (root instanceof URL) return builtin("url").fileURLToPath(root);
  if (typeof root !== "string" || root === "") {
    throw new TypeError(`Cannot serve ${describe(root)}: expected the path of a folder`);
  }
  return builtin("path").resolve(root);
}
