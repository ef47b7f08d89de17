/** The HTML page of a folder listing. @module */

import { escapeHtml, type Listing, type ListingEntry } from "../rules/listing.ts";
import { extrasHtml, type ListingExtras, NO_EXTRAS } from "./extras.ts";
import { icon, ICONS, kindOf } from "./kinds.ts";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";
import { formatBytes, formatTime } from "./text.ts";

const EMPTY_ICON = "data:,";

/**
 * Renders the page as one document that loads nothing else.
 *
 * Works without JavaScript. With it, readers can search, sort and preview images, video and audio.
 */
export function listingPage(listing: Listing, extras: ListingExtras = NO_EXTRAS): string {
  const { entries, names } = listing;
  const title = escapeHtml(`/${names.map((name) => `${name}/`).join("")}`);
  const up = names.length === 0 ? "" : row("../", "..", "folder", "", "", "");
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<link rel="icon" href="${EMPTY_ICON}">
<title>${title}</title>
<style>${STYLE}</style>
${ICONS}
<main>
<header><h1>${crumbs(names)}</h1>
<input type="search" placeholder="Search  ( / )" aria-label="Search" hidden></header>
<table>
<thead><tr><th>Name</th><th class="n">Size</th><th class="n d">Changed</th></tr></thead>
<tbody>
${up}${entries.map(entryRow).join("")}</tbody>
</table>
<p id="none"${entries.length > 0 ? " hidden" : ""}>Nothing here.</p>
${pageLinks(listing)}${extrasHtml(extras)}<footer><span>${
    summary(listing)
  }</span><span>sluice</span></footer>
</main>
<dialog></dialog>
<script>${SCRIPT}</script>
</html>
`;
}

/** Links each folder on the path. */
function crumbs(names: readonly string[]): string {
  const links = names.map((name, index) => {
    const up = names.length - 1 - index;
    const href = up === 0 ? "./" : "../".repeat(up);
    return `<i>/</i><a href="${href}">${escapeHtml(name)}</a>`;
  });
  const root = names.length === 0 ? "./" : "../".repeat(names.length);
  return `<a href="${root}" aria-label="Home">&#8962;</a>${links.join("")}`;
}

function entryRow(entry: ListingEntry): string {
  const { modifiedMs, name, size } = entry;
  const kind = kindOf(entry);
  const slash = kind === "folder" ? "/" : "";
  const time = formatTime(modifiedMs);
  const when = time === "" ? "" : `<time datetime="${time.replace(" ", "T")}Z">${time}</time>`;
  const bytes = kind === "folder" ? "" : formatBytes(size);
  const data = ` data-k="${kind}" data-s="${size}" data-t="${Math.round(modifiedMs) || 0}"`;
  // Without "./", the browser would read a name such as "a:b" as a URL with a scheme.
  return row(`./${encodeURIComponent(name)}${slash}`, `${name}${slash}`, kind, bytes, when, data);
}

function row(
  href: string,
  name: string,
  kind: Parameters<typeof icon>[0],
  size: string,
  when: string,
  data: string,
): string {
  return `<tr${data}><td><a href="${href}">${icon(kind)}<span>${escapeHtml(name)}</span></a></td>` +
    `<td class="n">${size}</td><td class="n d">${when}</td></tr>\n`;
}

/** Links to the previous and the next page. */
function pageLinks({ page = 1, pages = 1 }: Listing): string {
  if (pages === 1) return "";
  const link = (to: number, rel: string, text: string) =>
    to < 1 || to > pages ? "" : `<a href="?page=${to}" rel="${rel}">${text}</a> `;
  return `<nav>${link(page - 1, "prev", "&larr; Previous")}<span>Page ${page} of ${pages}</span> ${
    link(page + 1, "next", "Next &rarr;")
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
