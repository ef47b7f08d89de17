/** Orders of a listing other than by name. @module */

import { comparison, type ListingEntry, type ListingSort, PAGE_ENTRIES } from "../rules/listing.ts";

/**
 * For how long an order by size or time is kept, in milliseconds: the next page of a large folder then
 * continues the last one. Folders with one page are described anew for each request.
 */
export const SORTED_MS = 2000;

/** Most entries that are put in an order by size or time: each one costs a call. */
const MOST_SORTED = 200_000;

/** Returns the order for a folder: by name if it has too many entries for the wanted order. */
export function sortFor(wanted: ListingSort = "name", total: number): ListingSort {
  return total <= MOST_SORTED || wanted.endsWith("name") ? wanted : "name";
}

/** Sorts by size or time. */
export function sorted(entries: ListingEntry[], sort: ListingSort): readonly ListingEntry[] {
  return entries.sort(comparison(sort));
}

/** Returns the entries of a page; `undefined` if there is no such page. */
export function pageOf<T>(
  entries: { readonly length: number; slice(start: number, end: number): T },
  page: number,
): T | undefined {
  const start = (page - 1) * PAGE_ENTRIES;
  return page >= 1 && start < Math.max(1, entries.length)
    ? entries.slice(start, start + PAGE_ENTRIES)
    : undefined;
}
