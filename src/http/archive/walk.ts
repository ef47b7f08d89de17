/** Lists what an archive of a folder contains: all that listings show. @module */

import type { Listing } from "../rules/listing.ts";
import type { ArchiveConfig, ArchiveEntry } from "./types.ts";

/** A folder on the way, as the caller has opened it. */
export interface WalkedFolder {
  /** Device and inode number, to find circles of links. */
  readonly identity: string;
  /** Reads a page of its entries; `undefined` after the last. */
  page(number: number): Listing | undefined;
  close(): void;
}

/** Deepest folder: paths of a system call have 4096 bytes. */
const MOST_DEEP = 256;

/** The folder is larger than an archive may be; the message says in what. */
export class ArchiveTooLarge extends Error {}

/**
 * Lists all files and folders below a folder, in the order of listings. A link to a folder above it is left
 * out.
 *
 * @param names Names of the folder from the root down.
 * @param top Name of the folder in the archive.
 * @param open Opens a folder below the root; `undefined` if it is gone.
 */
export function walkFolder(
  names: readonly string[],
  top: string,
  { maxBytes, maxEntries }: ArchiveConfig,
  open: (names: readonly string[]) => WalkedFolder | undefined,
): ArchiveEntry[] {
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
  const visit = (inside: readonly string[], modifiedMs: number): void => {
    const path = [...names, ...inside];
    const folder = open(path);
    if (folder === undefined) return;
    try {
      if (above.includes(folder.identity) || above.length >= MOST_DEEP) return;
      above.push(folder.identity);
      const name = [top, ...inside].join("/");
      add({ name: `${name}/`, path: path.join("/"), size: 0, modifiedMs });
      for (let number = 1, pages = 1; number <= pages; number++) {
        const page = folder.page(number);
        if (page === undefined) break;
        pages = page.pages ?? 1;
        for (const { kind, modifiedMs, name: own, size } of page.entries) {
          if (kind === "folder") visit([...inside, own], modifiedMs);
          else add({ name: `${name}/${own}`, path: [...path, own].join("/"), size, modifiedMs });
        }
      }
      above.pop();
    } finally {
      folder.close();
    }
  };
  visit([], Date.now());
  return entries;
}
