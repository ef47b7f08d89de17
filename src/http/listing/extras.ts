/** What a listing offers beside its entries: uploads and downloads of the folder. @module */

import type { UploadConfig } from "../upload/rules.ts";
import { UPLOAD_SCRIPT } from "./upload_script.ts";
import { formatBytes } from "./text.ts";

/** What a listing says about uploads. */
type ShownUpload = Pick<UploadConfig, "maxBytes" | "overwrite">;

/** What the server can do for the page. */
export interface ListingExtras {
  /** Uploads; `null` without them. */
  readonly upload: ShownUpload | null;
  /** Whether the folder can be downloaded as an archive. */
  readonly archives: boolean;
}

/** Nothing: as for `serveStatic`. */
export const NO_EXTRAS: ListingExtras = { upload: null, archives: false };

const STYLE =
  "#up{margin:1rem 0;padding:.7rem 1rem;border:1px dashed var(--line);border-radius:.5rem;color:var(--soft)}" +
  "#up.over{border-color:var(--accent);background:var(--hover)}" +
  "#up button{font:inherit;color:var(--ink);background:var(--hover);border:1px solid var(--line);" +
  "border-radius:.5rem;padding:.35rem .9rem;cursor:pointer}" +
  "#up button:focus-visible{outline:2px solid var(--accent)}" +
  "#up ul{list-style:none;margin:0;padding:0}" +
  "#up li{display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:center;margin-top:.5rem}" +
  "#up li span:first-child{flex:1;min-width:10rem;overflow-wrap:anywhere;color:var(--ink)}";

/** The inline scripts and styles of the part, which the page's policy must allow. */
export function extrasSources(
  { upload }: ListingExtras,
): { readonly scripts: readonly string[]; readonly styles: readonly string[] } {
  return upload === null
    ? { scripts: [], styles: [] }
    : { scripts: [UPLOAD_SCRIPT], styles: [STYLE] };
}

/** The part of the page below the table; empty if there is nothing to offer. */
export function extrasHtml({ archives, upload }: ListingExtras): string {
  return (archives ? DOWNLOADS : "") + (upload === null ? "" : uploadHtml(upload));
}

/** Not as a link with `download`: the server names the file. */
const DOWNLOADS = '<nav aria-label="Download">Download this folder: ' +
  '<a href="?download=zip">.zip</a> <a href="?download=tar">.tar</a></nav>\n';

function uploadHtml(upload: ShownUpload): string {
  const { maxBytes, overwrite } = upload;
  const most = maxBytes === Infinity ? "" : `, at most ${formatBytes(maxBytes)} each`;
  const data = `data-max="${maxBytes}"${overwrite ? " data-over" : ""}`;
  // Without scripts there is no way to send a file by PUT, so the section stays hidden.
  return `<style>${STYLE}</style>
<section id="up" aria-label="Upload" ${data} hidden>
<button type="button">Upload files</button> or drop them here${most}
<input type="file" multiple hidden>
<ul aria-live="polite"></ul>
</section>
<noscript><p>Uploads need JavaScript.</p></noscript>
<script>${UPLOAD_SCRIPT}</script>
`;
}
