/** Lists what an archive of a folder contains: all that listings show. @module */

import type { Listing } from "../rules/listing.ts";
import type { ArchiveConfig, ArchiveEntry } from "./types.ts";

/** A value, or the promise of one if the event loop may not wait. */
type Later<T> = T | Promise<T>;

/** Yields values that may be promises, and receives what they resolve to. */
type Walk = Generator<unknown, ArchiveEntry[], unknown>;
type Visit = Generator<unknown, void, unknown>;

/** A folder on the way, as the caller has opened it. */
export interface WalkedFolder {
  /** Device and inode number, to find circles of links. */
  readonly identity: string;
  /** Last modification, in milliseconds since the epoch. */
  readonly modifiedMs: number;
  /** Reads a page of its entries; `undefined` after the last. */
  page(number: number): Later<Listing | undefined>;
  close(): void;
}

/** Deepest folder: paths of a system call have 4096 bytes. */
const MOST_DEEP = 256;

/** The folder is larger than an archive may be; the message says in what. */
export class ArchiveTooLarge extends Error {}

/** The part of a folder that becomes an archive. */
export interface WalkedPart {
  /** Names of the folder from the root down. */
  readonly names: readonly string[];
  /** Most that the archive may contain. */
  readonly limits: ArchiveConfig;
  /** Opens a folder below the root; `undefined` if it is gone. */
  open(names: readonly string[]): Later<WalkedFolder | undefined>;
  /** Whether anybody still waits for the archive. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Lists all files and folders below a folder, in the order of listings. A link to a folder above it is left
 * out. Its callbacks return no promises.
 */
export function walkFolderNow(part: WalkedPart): ArchiveEntry[] {
  const walk = walkFolder(part);
  for (let step = walk.next();; step = walk.next(step.value)) if (step.done) return step.value;
}

/** Does the same, without blocking the event loop. */
export async function walkFolderLater(part: WalkedPart): Promise<ArchiveEntry[]> {
  const walk = walkFolder(part);
  try {
    for (let step = walk.next();; step = walk.next(await step.value)) {
      if (step.done) return step.value;
    }
  } finally {
    // Closes the folders of a walk that has not come to its end.
    walk.return([]);
  }
}

/** Name of an archive without its extension, and of the folder in it. */
export function nameOfArchive(names: readonly string[]): string {
  return names.at(-1) ?? "files";
}

function* walkFolder({ limits, names, open, signal }: WalkedPart): Walk {
  const { maxBytes, maxEntries } = limits;
  const top = nameOfArchive(names);
  const entries: ArchiveEntry[] = [];
  const above: string[] = [];
  let bytes = 0;
  const add = (entry: ArchiveEntry) => {
    bytes += entry.size;
    if (entries.push(entry) > maxEntries) {
      throw new ArchiveTooLarge(`the folder has more than ${maxEntries} entries`);
    }
    if (bytes > maxBytes) throw new ArchiveTooLarge(`the folder has more than ${maxBytes} bytes`);
  };
  const visit = function* (inside: readonly string[]): Visit {
    signal?.throwIfAborted();
    const path = [...names, ...inside];
    const folder = yield* settled(open(path));
    if (folder === undefined) return;
    try {
      if (above.includes(folder.identity) || above.length >= MOST_DEEP) return;
      above.push(folder.identity);
      const name = [top, ...inside].join("/");
      add({ name: `${name}/`, path: path.join("/"), size: 0, modifiedMs: folder.modifiedMs });
      for (let number = 1, pages = 1; number <= pages; number++) {
        signal?.throwIfAborted();
        const page = yield* settled(folder.page(number));
        if (page === undefined) break;
        pages = page.pages ?? 1;
        for (const { kind, modifiedMs, name: own, size } of page.entries) {
          if (kind === "folder") yield* visit([...inside, own]);
          else add({ name: `${name}/${own}`, path: [...path, own].join("/"), size, modifiedMs });
        }
      }
      above.pop();
    } finally {
      folder.close();
    }
  };
  yield* visit([]);
  return entries;
}

function* settled<T>(value: Later<T>): Generator<unknown, T, unknown> {
  return (yield value) as T;
}
