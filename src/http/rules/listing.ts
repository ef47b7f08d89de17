/** What a listing of a folder consists of, in JSON, and in the plainest HTML. @module */

import { encodePath } from "./target.ts";

/** One entry of a folder. */
export interface ListingEntry {
  /** Name, decoded. */
  readonly name: string;
  /** What a link of that name leads to, too. */
  readonly kind: "file" | "folder";
  /** Bytes; 0 for a folder. */
  readonly size: number;
  /** Last modification, in milliseconds since the epoch. */
  readonly modifiedMs: number;
}

/** A folder to be shown. */
export interface Listing {
  /** Decoded names from the root to the folder. */
  readonly names: readonly string[];
  /** The entries of one page: folders first, each by name. */
  readonly entries: readonly ListingEntry[];
  /** Whether more entries follow on the next page. */
  readonly truncated: boolean;
  /** Number of the page, from 1 on: the query `?page=2` asks for the second. @default {1} */
  readonly page?: number | undefined;
  /** How many pages there are, of 2,000 entries each. @default {1} */
  readonly pages?: number | undefined;
  /** Entries on all pages; those that cannot be opened are counted, but not shown. */
  readonly total?: number | undefined;
}

/** Entries of one page. */
export const PAGE_ENTRIES = 2000;

/** The page that a query asks for; the first one where it asks for none. */
export function pageNumber(query: string): number {
  const [, digits] = /[?&]page=(\d{1,9})(?:&|$)/.exec(query) ?? [];
  return digits === undefined ? 1 : Number(digits);
}

const { compare } = new Intl.Collator("en", { numeric: true });

/** Orders entries for people: folders first, then by name, with numbers by their value. */
export function compareEntries(
  a: Pick<ListingEntry, "kind" | "name">,
  b: Pick<ListingEntry, "kind" | "name">,
): number {
  if (a.kind !== b.kind) return a.kind === "folder" ? -1 : 1;
  return compare(a.name, b.name) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

/** Sorts entries by {@linkcode compareEntries}. */
export function sortEntries(entries: ListingEntry[]): ListingEntry[] {
  return entries.sort(compareEntries);
}

/** The listing as JSON: an object, so that it can grow. */
export function listingJson(listing: Listing): string {
  const { names, entries, truncated, page = 1, pages = 1, total } = listing;
  const path = names.length === 0 ? "/" : `${encodePath(names)}/`;
  const files = entries.map(({ name, kind, size, modifiedMs }) => ({
    name,
    kind,
    ...(kind === "file" && { size }),
    modified: isoDate(modifiedMs),
  }));
  const paging = pages > 1 && {
    page,
    pages,
    total,
    ...(page < pages && { next: `?page=${page + 1}` }),
  };
  return `${JSON.stringify({ path, truncated, ...paging, entries: files })}\n`;
}

/** A file can have a time that no calendar has. */
function isoDate(ms: number): string | null {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** The listing as a page without any style. */
export function listingHtml({ names, entries, page = 1, pages = 1, truncated }: Listing): string {
  const title = escapeHtml(`/${names.map((name) => `${name}/`).join("")}`);
  const up = names.length === 0 ? [] : [`<li><a href="../">../</a>`];
  const items = entries.map(({ name, kind, size }) => {
    const slash = kind === "folder" ? "/" : "";
    // Without "./" a name such as "a:b" would be another scheme.
    const href = `./${encodeURIComponent(name)}${slash}`;
    const bytes = kind === "file" ? ` <small>${size}</small>` : "";
    return `<li><a href="${href}">${escapeHtml(name)}${slash}</a>${bytes}`;
  });
  const rest = [
    ...page > 1 ? [`<li><a href="?page=${page - 1}" rel="prev">previous page</a>`] : [],
    ...page < pages ? [`<li><a href="?page=${page + 1}" rel="next">next page</a>`] : [],
    ...truncated && page >= pages ? ["<li>&hellip;"] : [],
  ];
  return `<!doctype html><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>\n` +
    `<ul>\n${[...up, ...items, ...rest].join("\n")}\n</ul>\n`;
}

/** Text that can stand in HTML, in an attribute too. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
