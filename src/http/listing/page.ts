/** The HTML page of a folder listing. @module */

import {
  escapeHtml,
  type Listing,
  type ListingEntry,
  type ListingSort,
  pageQuery,
} from "../rules/listing.ts";
import { extrasHtml, extrasSources, type ListingExtras, NO_EXTRAS } from "./extras.ts";
import { HELP } from "./help.ts";
import { icon, ICONS, type Kind, kindOf } from "./kinds.ts";
import { policy } from "./policy.ts";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";
import { formatBytes, formatTime, printable } from "./text.ts";

const EMPTY_ICON = "data:,";

/** Largest image that is its own thumbnail, in bytes. */
const THUMBNAIL_BYTES = 4 * 1024 * 1024;

/**
 * Renders the page as one document that loads nothing but thumbnails.
 *
 * Works without JavaScript. With it, readers can filter, use the keyboard, and preview images, video
 * and audio.
 */
export function listingPage(listing: Listing, extras: ListingExtras = NO_EXTRAS): string {
  const { appended = "", entries, names, pages = 1, sort = "name", title = "" } = listing;
  const { scripts, styles } = extrasSources(extras);
  const path = shown(`${title}/${names.map((name) => `${name}/`).join("")}`);
  const up = names.length === 0 ? "" : row({ href: "../", name: "..", kind: "folder" });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
${
    policy({
      appended: appended !== "",
      connects: scripts.length > 0,
      scripts: [SCRIPT, ...scripts],
      styles: [STYLE, ...styles],
    })
  }
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="${EMPTY_ICON}">
<title>${path}</title>
<style>${STYLE}</style>
${ICONS}
<main>
<header><h1>${crumbs(names, title)}</h1>
<input type="search" placeholder="Filter${
    pages > 1 ? " this page" : ""
  }  ( / )" aria-label="Filter" hidden>
<button id="keys" type="button" aria-label="Keyboard" title="Keyboard ( ? )" hidden>?</button></header>
<table>
<thead><tr>${head("Name", "name", "", sort)}${head("Size", "size", "n", sort)}${
    head("Changed", "time", "n d", sort)
  }</tr></thead>
<tbody>
${up}${entries.map(entryRow).join("")}</tbody>
</table>
<p id="none"${entries.length > 0 ? " hidden" : ""}>Nothing here.</p>
${pageLinks(listing)}${extrasHtml(extras)}<footer><span>${
    summary(listing)
  }</span><span>sluice</span></footer>
</main>
<dialog id="preview" aria-label="Preview"></dialog>
${HELP}
<script>${SCRIPT}</script>
</html>
`;
}

/** Escapes a name, and isolates it from the writing direction of the text around it. */
function shown(name: string): string {
  return escapeHtml(printable(name));
}

/** Links each folder on the path. */
function crumbs(names: readonly string[], title: string): string {
  const current = (last: boolean) => last ? ` aria-current="page"` : "";
  const links = names.map((name, index) => {
    const up = names.length - 1 - index;
    const href = up === 0 ? "./" : "../".repeat(up);
    return `<i>/</i><a href="${href}"${current(up === 0)}><bdi>${shown(name)}</bdi></a>`;
  });
  const root = names.length === 0 ? "./" : "../".repeat(names.length);
  const home = title === "" ? "&#8962;" : `<bdi>${shown(title)}</bdi>`;
  const label = title === "" ? ` aria-label="Home"` : "";
  return `<a href="${root}"${label}${current(names.length === 0)}>${home}</a>${links.join("")}`;
}

/** The head of a column: a link that sorts all pages by it, the largest and newest first. */
function head(text: string, key: "name" | "size" | "time", style: string, sort: ListingSort) {
  const now = sort === key ? "ascending" : sort === `-${key}` ? "descending" : undefined;
  const first: ListingSort = key === "name" ? "name" : `-${key}`;
  const other: ListingSort = key === "name" ? "-name" : key;
  const next = sort === first ? other : first;
  return `<th scope="col"${style === "" ? "" : ` class="${style}"`}${
    now === undefined ? "" : ` aria-sort="${now}"`
  }><a href="?sort=${next}">${text}</a></th>`;
}

function entryRow(entry: ListingEntry): string {
  const { modifiedMs, name, size } = entry;
  const kind = kindOf(entry);
  const slash = kind === "folder" ? "/" : "";
  const time = formatTime(modifiedMs);
  const when = time === ""
    ? ""
    : `<time datetime="${time.replace(" ", "T")}Z" title="${time} UTC">${time}</time>`;
  return row({
    // Without "./", the browser would read a name such as "a:b" as a URL with a scheme.
    href: `./${encodeURIComponent(name.toWellFormed())}${slash}`,
    name: `${name}${slash}`,
    kind,
    size: kind === "folder" ? "" : formatBytes(size),
    when,
    data: ` data-k="${kind}"`,
    thumbnail: kind === "image" && size > 0 && size <= THUMBNAIL_BYTES,
  });
}

interface Row {
  readonly href: string;
  readonly name: string;
  readonly kind: Kind;
  readonly size?: string;
  readonly when?: string;
  readonly data?: string;
  readonly thumbnail?: boolean;
}

function row({ data = "", href, kind, name, size = "", thumbnail, when = "" }: Row): string {
  const picture = thumbnail
    ? `<img src="${href}" alt="" loading="lazy" decoding="async" width="32" height="32">`
    : icon(kind);
  const label = name === ".." ? ` aria-label="Parent folder"` : "";
  return `<tr${data}><td><a href="${href}"${label}>${picture}<bdi>${shown(name)}</bdi></a></td>` +
    `<td class="n">${size}</td><td class="n d">${when}</td></tr>\n`;
}

/** Links to the first, previous, next and last page, in the same order. */
function pageLinks({ page = 1, pages = 1, sort }: Listing): string {
  if (pages === 1) return "";
  const link = (to: number, text: string, rel = "") =>
    to < 1 || to > pages || to === page
      ? ""
      : `<a href="${escapeHtml(pageQuery(to, sort))}"${rel}>${text}</a> `;
  return `<nav aria-label="Pages">${page > 2 ? link(1, "First") : ""}${
    link(page - 1, "&larr; Previous", ` rel="prev"`)
  }<span>Page ${page} of ${pages}</span> ${link(page + 1, "Next &rarr;", ` rel="next"`)}${
    page < pages - 1 ? link(pages, "Last") : ""
  }</nav>\n`;
}

function summary({ entries, pages = 1, total, truncated }: Listing): string {
  const files = entries.filter(({ kind }) => kind === "file");
  const folders = entries.length - files.length;
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const counts = [
    ...folders > 0 ? [`${folders} ${folders === 1 ? "folder" : "folders"}`] : [],
    `${files.length} ${files.length === 1 ? "file" : "files"}, ${formatBytes(bytes)}`,
  ];
  const more = pages > 1
    ? `, on this page; ${total} entries on all`
    : truncated
    ? ", and more that are not shown"
    : "";
  return counts.join(", ") + more;
}
