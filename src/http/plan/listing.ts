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
  /** Folders first, each by name. */
  readonly entries: readonly ListingEntry[];
  /** Whether there are more than could be read. */
  readonly truncated: boolean;
}

/** Orders entries for people: folders first, then by name, with numbers by their value. */
export function sortEntries(entries: ListingEntry[]): ListingEntry[] {
  const { compare } = new Intl.Collator("en", { numeric: true });
  return entries.sort((a, b) => {
    if (a.kind !== b.kind) return a.kind === "folder" ? -1 : 1;
    return compare(a.name, b.name) || (a.name < b.name ? -1 : 1);
  });
}

/** The listing as JSON: an object, so that it can grow. */
export function listingJson({ names, entries, truncated }: Listing): string {
  const path = names.length === 0 ? "/" : `${encodePath(names)}/`;
  const files = entries.map(({ name, kind, size, modifiedMs }) => ({
    name,
    kind,
    ...(kind === "file" && { size }),
    modified: isoDate(modifiedMs),
  }));
  return `${JSON.stringify({ path, truncated, entries: files })}\n`;
}

/** A time that a file system can have, and JavaScript's dates cannot, is `null`. */
function isoDate(ms: number): string | null {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** The listing as a page without any style. */
export function listingHtml({ names, entries, truncated }: Listing): string {
  const title = escapeHtml(`/${names.map((name) => `${name}/`).join("")}`);
  const up = names.length === 0 ? [] : [`<li><a href="../">../</a>`];
  const items = entries.map(({ name, kind, size }) => {
    const slash = kind === "folder" ? "/" : "";
    // Without "./" a name such as "a:b" would be another scheme.
    const href = `./${encodeURIComponent(name)}${slash}`;
    const bytes = kind === "file" ? ` <small>${size}</small>` : "";
    return `<li><a href="${href}">${escapeHtml(name)}${slash}</a>${bytes}`;
  });
  const rest = truncated ? ["<li>&hellip;"] : [];
  return `<!doctype html><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>\n` +
    `<ul>\n${[...up, ...items, ...rest].join("\n")}\n</ul>\n`;
}

/** Text that can stand in HTML, in an attribute too. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
