/** Names in a folder, in the order of a listing. @module */

import type { Dirent } from "node:fs";
import type { OpenFile } from "../open_root.ts";
import { type Dotfiles, isVisible } from "../../rules/target.ts";
import { NameCollector } from "./name_collector.ts";
import type { NamedEntry, NameList } from "./name_list.ts";

/**
 * Returns the kind that readdir(3) reports; `"link"` if it must be opened, `undefined` to skip it.
 */
function direntKind(entry: Dirent): NamedEntry["kind"] | "link" | undefined {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "folder";
  const special = entry.isFIFO() || entry.isSocket() || entry.isBlockDevice() ||
    entry.isCharacterDevice();
  // Some file systems report no type. Such entries are opened, like links.
  return special ? undefined : "link";
}

/** Yields the entries to show; `open` finds out what a link leads to. */
export function* visibleNames(
  found: readonly Dirent[],
  dotfiles: Dotfiles,
): Generator<string, NamedEntry[], OpenFile | number> {
  const entries: NamedEntry[] = [];
  for (const entry of found) {
    const { name } = entry;
    if (!isVisible(name, dotfiles)) continue;
    const kind = direntKind(entry);
    if (kind === undefined) continue;
    if (kind !== "link") {
      entries.push({ name, kind, link: false });
      continue;
    }
    const opened = yield name;
    if (typeof opened === "number") continue;
    opened.close();
    entries.push({ name, kind: opened.folder ? "folder" : "file", link: true });
  }
  return entries;
}

/** Sorts entries in short steps, and awaits `turn` between them. */
export async function listInTurns(
  entries: readonly NamedEntry[],
  turn: () => Promise<void> | undefined,
): Promise<NameList> {
  const names = new NameCollector();
  let pause: Promise<void> | undefined;
  for (const entry of entries) {
    names.add(entry);
    if ((pause = turn()) !== undefined) await pause;
  }
  for (const steps = names.sort();;) {
    const { done, value } = steps.next();
    if (done) return value;
    if ((pause = turn()) !== undefined) await pause;
  }
}

/** Time after a change in which another change may leave the times equal, in milliseconds. */
const RACY_MS = 20;

/** Time to keep names that include links, in milliseconds: the links' targets may change. */
const LINKS_MS = 1000;

/** Most memory to keep, over all folders, in bytes: the names of a million files take less. */
const MOST_BYTES = 32 * 1024 * 1024;

/** Bytes that each folder takes besides. */
const OVERHEAD = 256;

interface Kept<T> {
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly at: number;
  readonly value: T;
  readonly size: number;
}

/** Caches values by folder until the times of the folder change. */
export class FolderCache<T> {
  readonly #kept = new Map<string, Kept<T>>();
  #size = 0;

  /** Returns the value of a folder, unless the folder has changed or the value is too old. */
  find(key: string, times: FolderTimes, validMs: number = Infinity): T | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    const same = kept.mtimeNs === times.mtimeNs && kept.ctimeNs === times.ctimeNs;
    if (same && performance.now() - kept.at < validMs) return kept.value;
    this.#remove(key);
    return undefined;
  }

  /** Adds a value of `size` bytes, unless the folder has changed just now. */
  add(key: string, { mtimeNs, ctimeNs }: FolderTimes, value: T, size: number): void {
    this.#remove(key);
    const age = Date.now() - Number(ctimeNs / 1_000_000n);
    if (size > MOST_BYTES || Math.abs(age) < RACY_MS) return;
    this.#kept.set(key, { mtimeNs, ctimeNs, at: performance.now(), value, size });
    this.#size += size + OVERHEAD;
    for (const oldest of this.#kept.keys()) {
      if (this.#size <= MOST_BYTES) return;
      this.#remove(oldest);
    }
  }

  /** Removes the value of a key. */
  drop(key: string): void {
    this.#remove(key);
  }

  #remove(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#size -= kept.size + OVERHEAD;
    this.#kept.delete(key);
  }
}

/** Times that change if a name is added, removed or changed. */
export type FolderTimes = Pick<OpenFile, "mtimeNs" | "ctimeNs">;

/** Returns how long the names of a folder stay valid, in milliseconds: whether it has links decides. */
export function namesValidMs(links: boolean): number {
  return links ? LINKS_MS : Infinity;
}
