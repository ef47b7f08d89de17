/** Classifies files for icons and previews. @module */

import { mediaType } from "../../media_types.ts";
import type { ListingEntry } from "../rules/listing.ts";

/** Kinds of entries with an icon of their own. */
export type Kind =
  | "folder"
  | "image"
  | "video"
  | "audio"
  | "text"
  | "code"
  | "archive"
  | "document"
  | "file";

const CODE =
  /\.(?:[cm]?[jt]sx?|json|css|html?|xml|ya?ml|toml|sh|py|rb|rs|go|c|h|cc|cpp|java|php|sql|wasm|map)$/i;
const ARCHIVE = /\.(?:zip|tar|t?gz|t?xz|bz2|zst|7z|rar|iso|deb|rpm|jar)$/i;
const DOCUMENT = /\.(?:pdf|docx?|odt|xlsx?|ods|pptx?|odp|epub)$/i;
const TEXT = /(?:\.(?:txt|md|log|csv|ini|conf)|^(?:README|LICENSE|CHANGELOG|NOTICE|AUTHORS))$/i;

/** Returns the kind by the name, without reading the file. */
export function kindOf({ kind, name }: Pick<ListingEntry, "kind" | "name">): Kind {
  if (kind === "folder") return "folder";
  // ".ts" is TypeScript far more often than video.
  if (CODE.test(name)) return "code";
  if (ARCHIVE.test(name)) return "archive";
  if (DOCUMENT.test(name)) return "document";
  if (TEXT.test(name)) return "text";
  const type = mediaType(name).split("/", 1)[0]!;
  return type === "image" || type === "video" || type === "audio" ? type : "file";
}

/** Shapes in a square of 24, drawn by strokes. */
const SHAPES: Readonly<Record<Kind, string>> = {
  folder: '<path d="M3 6.5A1.5 1.5 0 0 1 4.5 5H9l2 2.5h8.5A1.5 1.5 0 0 1 21 9v8.5A1.5 1.5 0 ' +
    '0 1 19.5 19h-15A1.5 1.5 0 0 1 3 17.5z"/>',
  image: '<rect x="3.5" y="4.5" width="17" height="15" rx="2"/><circle cx="9" cy="10" r="1.6"/>' +
    '<path d="m4 17 5-4 4 3 3-2.5 4.5 3.5"/>',
  video: '<rect x="3.5" y="5" width="17" height="14" rx="2"/><path d="m10.5 9 4.5 3-4.5 3z"/>',
  audio: '<path d="M9 17.5V6l10-2v11.5"/><circle cx="6.5" cy="17.5" r="2.5"/>' +
    '<circle cx="16.5" cy="15.5" r="2.5"/>',
  text: '<path d="M6 3.5h8l4.5 4.5v12.5H6z"/><path d="M9 12h6M9 15h6M9 9h2"/>',
  code: '<path d="m8.5 8-4 4 4 4M15.5 8l4 4-4 4M13.5 5.5l-3 13"/>',
  archive: '<rect x="4" y="4" width="16" height="4.5" rx="1"/>' +
    '<path d="M5.5 8.5V20h13V8.5M10 12.5h4"/>',
  document: '<path d="M6 3.5h8l4.5 4.5v12.5H6zM14 3.5V8h4.5"/>',
  file: '<path d="M6 3.5h8l4.5 4.5v12.5H6zM14 3.5V8h4.5"/>',
};

/** All icons, once for each page; rows refer to them by {@linkcode icon}. */
export const ICONS: string = `<svg hidden>${
  Object.entries(SHAPES).map(([kind, shape]) =>
    `<symbol id="i-${kind}" viewBox="0 0 24 24">${shape}</symbol>`
  ).join("")
}</svg>`;

/** Returns the icon of a kind. */
export function icon(kind: Kind): string {
  return `<svg class="i ${kind}" aria-hidden="true"><use href="#i-${kind}"/></svg>`;
}
