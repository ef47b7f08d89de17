/** Reading a folder for its listing. @module */

import { builtin } from "../builtins.ts";
import type { OpenFile } from "./open_root.ts";
import { type Listing, type ListingEntry, sortEntries } from "./plan/listing.ts";
import type { Settings } from "./plan/settings.ts";
import { isVisible, type Target } from "./plan/target.ts";

const MOST = 10_000;

export function listFolder(folder: OpenFile, { names }: Target, settings: Settings): Listing {
  const fs = builtin("fs");
  const path = `/proc/self/fd/${folder.fd}`;
  const all = fs.readdirSync(path).filter((name) => isVisible(name, settings.dotfiles));
  const entries: ListingEntry[] = [];
  for (const name of all.slice(0, MOST)) {
    const stat = fs.statSync(`${path}/${name}`, { throwIfNoEntry: false });
    if (stat === undefined || !(stat.isFile() || stat.isDirectory())) continue;
    const kind = stat.isFile() ? "file" : "folder";
    entries.push({ name, kind, size: stat.isFile() ? stat.size : 0, modifiedMs: stat.mtimeMs });
  }
  return { names, entries: sortEntries(entries), truncated: all.length > MOST };
}
