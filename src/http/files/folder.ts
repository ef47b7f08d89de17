/** Reads folders below a root, page by page. @module */

import { builtin } from "../../builtins.ts";
import { DONT_SYNC, factsOf, FileType } from "../../sys/file/statx.ts";
import {
  FolderCache,
  type FolderTimes,
  listInTurns,
  namesValidMs,
  visibleNames,
} from "./names/folder_names.ts";
import type { NamedEntry, NameList } from "./names/name_list.ts";
import { readNames } from "./names/read_names.ts";
import { search } from "./search.ts";
import { isFar } from "./near.ts";
import type { OpenFile, Root } from "./open_root.ts";
import { pageOf, sorted, SORTED_MS, sortFor } from "../listing/order.ts";
import {
  type Listing,
  type ListingEntry,
  type ListingSort,
  PAGE_ENTRIES,
} from "../rules/listing.ts";
import type { Dotfiles } from "../rules/target.ts";

/** Longest time that a listing occupies the event loop at once, in milliseconds. */
const TURN_MS = 4;

/** Mode bits: all users may read the file. */
const READABLE = 0o444;

/** Selects one page of one folder. */
export interface FolderPage {
  /** Decoded names from the root down. */
  readonly names: readonly string[];
  readonly dotfiles: Dotfiles;
  /** Number of the page, from 1 on. */
  readonly page: number;
  /** Order of the entries. @default {"name"} */
  readonly sort?: ListingSort | undefined;
}

/** An entry that only another machine or process can tell about. */
export class FarEntry extends Error {
  /** The mount that has to be asked. */
  readonly key: string;

  constructor(key: string) {
    super("the folder shows what another machine or process has");
    this.key = key;
  }
}

interface Names {
  readonly entries: NameList;
  readonly validMs: number;
  readonly at: number;
}

/** Names that have just been read. */
function namesOf(entries: NameList): Names {
  return { entries, validMs: namesValidMs(entries.links), at: performance.now() };
}

/** Bytes of memory that an entry of a page takes, about. */
const ENTRY_BYTES = 160;

/** Entries of a page, or of all pages. */
interface Described {
  readonly folder: FolderTimes;
  /** Key of the folder. */
  readonly key: string;
  /** Entries of all pages in their order, described a moment ago. */
  readonly kept: readonly ListingEntry[] | undefined;
  readonly entries: ListingEntry[];
}

/** Reads folders and caches their sorted names; one for each site or thread. */
export class FolderReader {
  readonly #root: Root;
  readonly #names = new FolderCache<Names>();
  /** Entries of several pages in an order that needs the size or the time of all. */
  readonly #sorted = new FolderCache<readonly ListingEntry[]>();
  readonly #reading = new Map<string, Promise<Names>>();
  readonly #openNow: (path: string) => OpenFile | number;

  /** With `near`, {@linkcode readNow} throws {@linkcode FarEntry} rather than wait for another machine. */
  constructor(root: Root, near = false) {
    this.#root = root;
    this.#openNow = near ? (path) => openedNear(root, path) : (path) => root.openNow!(path);
  }

  /**
   * Lists entries that a request could open; `undefined` if the page does not exist. Yields to the
   * event loop every few milliseconds. Leaves out links that lead out of the root, as if they did
   * not exist.
   */
  async read(folder: OpenFile, wanted: FolderPage): Promise<Listing | undefined> {
    const turn = turns();
    const key = JSON.stringify(wanted.names);
    let names = this.#find(key, folder);
    if (names === undefined) {
      // Requests for the same version of a folder share one read.
      const version = `${key} ${folder.mtimeNs} ${folder.ctimeNs}`;
      let reading = this.#reading.get(version);
      if (reading === undefined) {
        reading = this.#readNames(folder, wanted, turn);
        this.#reading.set(version, reading);
        reading.finally(() => this.#reading.delete(version)).catch(() => {});
      }
      names = await reading;
      this.#names.add(key, folder, names, names.entries.bytes);
    }
    const sort = sortFor(wanted.sort, names.entries.length);
    const kept = this.#sorted.find(`${key} ${sort}`, folder, SORTED_MS);
    const chosen = kept === undefined ? choose(names.entries, sort, wanted.page) : [];
    if (chosen === undefined) return undefined;
    const entries: ListingEntry[] = [];
    for (const { name } of chosen) {
      const opened = await this.#root.open([...wanted.names, name].join("/"));
      if (typeof opened !== "number") entries.push(describeEntry(name, opened));
      await turn();
    }
    return this.#listing(wanted, sort, names.entries.length, { folder, key, kept, entries });
  }

  /** Does the same in a thread that may block. */
  readNow(fd: number, times: FolderTimes, wanted: FolderPage): Listing | undefined {
    const key = JSON.stringify(wanted.names);
    let names = this.#find(key, times);
    if (names === undefined) {
      names = namesOf(readNames(fd, wanted.dotfiles, (name) => this.#open(wanted, name)));
      this.#names.add(key, times, names, names.entries.bytes);
    }
    const sort = sortFor(wanted.sort, names.entries.length);
    const kept = this.#sorted.find(`${key} ${sort}`, times, SORTED_MS);
    const chosen = kept === undefined ? choose(names.entries, sort, wanted.page) : [];
    if (chosen === undefined) return undefined;
    const entries: ListingEntry[] = [];
    for (const { link, name } of chosen) {
      const entry = (link ? undefined : statEntry(fd, name)) ?? this.#openEntry(wanted, name);
      if (entry !== undefined) entries.push(entry);
    }
    return this.#listing(wanted, sort, names.entries.length, { folder: times, key, kept, entries });
  }

  /** Selects the page from entries that are all there if their order demands it. */
  #listing(
    { names, page }: FolderPage,
    sort: ListingSort,
    total: number,
    { entries, folder, kept, key }: Described,
  ): Listing | undefined {
    const pages = Math.max(1, Math.ceil(total / PAGE_ENTRIES));
    const rest = { names, truncated: page < pages, page, pages, total, sort };
    if (sort.endsWith("name")) return { ...rest, entries };
    const all = kept ?? sorted(entries, sort);
    if (pages > 1 && kept === undefined) {
      this.#sorted.add(`${key} ${sort}`, folder, all, ENTRY_BYTES * all.length);
    }
    const shown = pageOf(all, page);
    return shown && { ...rest, entries: shown };
  }

  #find(key: string, times: FolderTimes): Names | undefined {
    const names = this.#names.find(key, times);
    return names !== undefined && performance.now() - names.at < names.validMs ? names : undefined;
  }

  async #readNames(
    { fd }: OpenFile,
    { dotfiles, names }: FolderPage,
    turn: () => Promise<void> | undefined,
  ): Promise<Names> {
    const { path, openNow } = this.#root;
    // A path through the descriptor cannot be renamed away, if the kernel offers one.
    const place = openNow === null ? builtin("path").join(path, ...names) : `/proc/self/fd/${fd}`;
    const found = await builtin("fs").promises.readdir(place, { withFileTypes: true });
    const opened = await search(visibleNames(found, dotfiles), async (name) => {
      await turn();
      return await this.#root.open([...names, name].join("/"));
    });
    return namesOf(await listInTurns(opened, turn));
  }

  #open({ names }: FolderPage, name: string): OpenFile | number {
    return this.#openNow([...names, name].join("/"));
  }

  #openEntry(wanted: FolderPage, name: string): ListingEntry | undefined {
    const opened = this.#open(wanted, name);
    return typeof opened === "number" ? undefined : describeEntry(name, opened);
  }
}

function openedNear(root: Root, path: string): OpenFile | number {
  const opened = root.openNear!(path);
  if (isFar(opened)) throw new FarEntry(opened.key);
  return opened;
}

/** Returns a function that yields to the event loop when the time is up. */
function turns(): () => Promise<void> | undefined {
  let until = performance.now() + TURN_MS;
  return () => {
    if (performance.now() < until) return undefined;
    return new Promise((resolve) => {
      setTimeout(() => {
        until = performance.now() + TURN_MS;
        resolve();
      });
    });
  };
}

/** Returns the entries to describe: those of the page, or all if the order needs them. */
function choose(
  entries: NameList,
  sort: ListingSort,
  page: number,
): readonly NamedEntry[] | undefined {
  if (!sort.endsWith("name")) return entries.slice(0, entries.length);
  const reverse = sort === "-name";
  const { length } = entries;
  return pageOf({ length, slice: (start, end) => entries.slice(start, end, reverse) }, page);
}

/** Describes a file that all users may read, by one call; `undefined` if it must be opened. */
function statEntry(fd: number, name: string): ListingEntry | undefined {
  // The look-up has brought the attributes. A mount that does not answer is not asked for those of its root.
  const facts = factsOf(fd, name, DONT_SYNC);
  if (typeof facts === "number" || (facts.mode & READABLE) !== READABLE) return undefined;
  const { modifiedMs, size, type } = facts;
  const folder = type === FileType.DIRECTORY;
  if (!folder && type !== FileType.REGULAR) return undefined;
  const kind = folder ? "folder" : "file";
  return { name, kind, size: folder ? 0 : size, modifiedMs: Math.floor(modifiedMs) };
}

/** Describes an opened entry and closes it. */
function describeEntry(name: string, opened: OpenFile): ListingEntry {
  const kind = opened.folder ? "folder" : "file";
  const size = opened.folder ? 0 : opened.size;
  const modifiedMs = Number(opened.mtimeNs / 1_000_000n);
  opened.close();
  return { name, kind, size, modifiedMs };
}
