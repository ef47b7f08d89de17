/** The contents of a folder listing, as JSON and as plain HTML. @module */

import { encodePath } from "./target.ts";

/** One entry of a folder. */
export interface ListingEntry {
  /** Name, decoded. */
  readonly name: string;
  /** Kind of the entry; of the link's target for a symbolic link. */
  readonly kind: "file" | "folder";
  /** Bytes; 0 for a folder. */
  readonly size: number;
  /** Last modification, in milliseconds since the epoch. */
  readonly modifiedMs: number;
}

/** A listing of a folder. */
export interface Listing {
  /** Decoded names from the root to the folder. */
  readonly names: readonly string[];
  /** The entries of one page: folders first, each by name. */
  readonly entries: readonly ListingEntry[];
  /** Whether another page follows. */
  readonly truncated: boolean;
  /** Number of this page, from 1; the query `?page=2` selects the second. @default {1} */
  readonly page?: number | undefined;
  /** Number of pages, of 2,000 entries each. @default {1} */
  readonly pages?: number | undefined;
  /** Entries on all pages, including unreadable entries that are not shown. */
  readonly total?: number | undefined;
  /** Order of the entries; `?sort=-size` selects the largest first. @default {"name"} */
  readonly sort?: ListingSort | undefined;
  /** Name of the root; empty for none. @default {""} */
  readonly title?: string | undefined;
  /** HTML that the server adds to the end of the page. @default {""} */
  readonly appended?: string | undefined;
}

/** Order of a listing: folders come first; `-` reverses the order. */
export type ListingSort = "name" | "-name" | "size" | "-size" | "time" | "-time";

/** Most entries on one page. */
export const PAGE_ENTRIES = 2000;

/** Returns the order that a query selects; by name, unless it names another one. */
export function sortOf(query: string): ListingSort {
  const [, sort] = /[?&]sort=(-?(?:name|size|time))(?:&|$)/.exec(query) ?? [];
  return (sort ?? "name") as ListingSort;
}

/** Returns the query that selects a page in an order. */
export function pageQuery(page: number, sort: ListingSort = "name"): string {
  return `?${sort === "name" ? "" : `sort=${sort}&`}page=${page}`;
}

/** Returns the page number that a query selects; 1 by default. */
export function pageNumber(query: string): number {
  const [, digits] = /[?&]page=(\d{1,9})(?:&|$)/.exec(query) ?? [];
  return digits === undefined ? 1 : Number(digits);
}

let collator: Intl.Collator | undefined;

/** Made at its first use: that takes milliseconds, and most servers list no folder. */
function inLanguageOrder(a: string, b: string): number {
  collator ??= new Intl.Collator("en", { numeric: true });
  return collator.compare(a, b);
}

/** Orders entries: folders first, then by name, with digits compared as numbers. */
export function compareEntries(
  a: Pick<ListingEntry, "kind" | "name">,
  b: Pick<ListingEntry, "kind" | "name">,
): number {
  if (a.kind !== b.kind) return a.kind === "folder" ? -1 : 1;
  return compareNames(a.name, b.name);
}

/** Orders names, with digits compared as numbers. */
export function compareNames(a: string, b: string): number {
  return inLanguageOrder(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}

/** Returns the comparison for an order. Equal entries follow by name. */
export function comparison(sort: ListingSort): (a: ListingEntry, b: ListingEntry) => number {
  const sign = sort[0] === "-" ? -1 : 1;
  const value = sort.endsWith("size")
    ? ({ size }: ListingEntry) => size
    : ({ modifiedMs }: ListingEntry) => modifiedMs;
  return (a, b) => {
    const same = a.kind !== b.kind || sort.endsWith("name") ? 0 : value(a) - value(b);
    return sign * same || compareEntries(a, b);
  };
}

/** Renders a listing as a JSON object, which can gain fields later. */
export function listingJson(listing: Listing): string {
  const { names, entries, truncated, page = 1, pages = 1, sort, total } = listing;
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
    ...(page < pages && { next: pageQuery(page + 1, sort) }),
  };
  return `${JSON.stringify({ path, truncated, ...paging, entries: files })}\n`;
}

/** Formats a time; `null` if it is outside the calendar, as file times can be. */
function isoDate(ms: number): string | null {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** Renders a listing as an HTML page without a style sheet. */
export function listingHtml(listing: Listing): string {
  const { names, entries, page = 1, pages = 1, sort, truncated } = listing;
  const title = escapeHtml(`/${names.map((name) => `${name}/`).join("")}`);
  const up = names.length === 0 ? [] : [`<li><a href="../">../</a>`];
  const items = entries.map(({ name, kind, size }) => {
    const slash = kind === "folder" ? "/" : "";
    // Without "./", the browser would read a name such as "a:b" as a URL with a scheme.
    const href = `./${encodeURIComponent(name)}${slash}`;
    const bytes = kind === "file" ? ` <small>${size}</small>` : "";
    return `<li><a href="${href}">${escapeHtml(name)}${slash}</a>${bytes}`;
  });
  const link = (to: number) => `<li><a href="${escapeHtml(pageQuery(to, sort))}"`;
  const rest = [
    ...page > 1 ? [`${link(page - 1)} rel="prev">previous page</a>`] : [],
    ...page < pages ? [`${link(page + 1)} rel="next">next page</a>`] : [],
    ...truncated && page >= pages ? ["<li>&hellip;"] : [],
  ];
  return `<!doctype html><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>\n` +
    `<ul>\n${[...up, ...items, ...rest].join("\n")}\n</ul>\n`;
}

/** Escapes text for HTML, including attribute values. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
