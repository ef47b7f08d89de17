/** What is in a folder below a root. @module */

import { builtin } from "../../builtins.ts";
import type { OpenFile, Root } from "./open_root.ts";
import { type Listing, type ListingEntry, sortEntries } from "../rules/listing.ts";
import { type Dotfiles, isVisible } from "../rules/target.ts";

/** Entries in one listing: more help nobody, and each is opened to tell what it is. */
const MOST = 2000;

/** Entries after which others get their turn. */
const TURN = 64;

/** Lists what could be asked for; a link that leads out of the root is left out, as if it were absent. */
export async function readFolder(
  root: Root,
  folder: OpenFile,
  names: readonly string[],
  dotfiles: Dotfiles,
): Promise<Listing> {
  const found = await readNames(root, folder, names);
  const visible = found.filter((name) => isVisible(name, dotfiles)).sort();
  const entries: ListingEntry[] = [];
  for (const [i, name] of visible.slice(0, MOST).entries()) {
    const opened = await root.open([...names, name].join("/"));
    if (typeof opened !== "number") entries.push(describeEntry(name, opened));
    if (i % TURN === TURN - 1) await new Promise((resolve) => setTimeout(resolve));
  }
  return { names, entries: sortEntries(entries), truncated: visible.length > MOST };
}

/** As {@linkcode readFolder}, in a thread that may wait. */
export function readFolderNow(
  openNow: NonNullable<Root["openNow"]>,
  { fd }: OpenFile,
  names: readonly string[],
  dotfiles: Dotfiles,
): Listing {
  const found = builtin("fs").readdirSync(`/proc/self/fd/${fd}`);
  const visible = found.filter((name) => isVisible(name, dotfiles)).sort();
  const entries: ListingEntry[] = [];
  for (const name of visible.slice(0, MOST)) {
    const opened = openNow([...names, name].join("/"));
    if (typeof opened !== "number") entries.push(describeEntry(name, opened));
  }
  return { names, entries: sortEntries(entries), truncated: visible.length > MOST };
}

/** Describes what was opened, and closes it. */
function describeEntry(name: string, opened: OpenFile): ListingEntry {
  const kind = opened.folder ? "folder" : "file";
  const size = opened.folder ? 0 : opened.size;
  const modifiedMs = Number(opened.mtimeNs / 1_000_000n);
  opened.close();
  return { name, kind, size, modifiedMs };
}

/** By the descriptor where the kernel has a path for it, so that no rename can lead elsewhere. */
async function readNames(
  { path, openNow }: Root,
  { fd }: OpenFile,
  names: readonly string[],
): Promise<string[]> {
  const { readdir } = builtin("fs").promises;
  return await readdir(
    openNow === null ? builtin("path").join(path, ...names) : `/proc/self/fd/${fd}`,
  );
}
