/** The HTML page of a folder. @module */

/** A row of the page. */
export interface Entry {
  readonly name: string;
  readonly folder: boolean;
  /** Bytes. */
  readonly size: number;
  readonly modified: Date;
}

const STYLE = "body{font:16px/1.6 system-ui,sans-serif;max-width:56rem;margin:2rem auto;" +
  "padding:0 1rem;color-scheme:light dark}table{border-collapse:collapse;width:100%}" +
  "td{padding:.15rem .5rem;border-top:1px solid #8884}td+td{text-align:right;opacity:.75;" +
  "font-variant-numeric:tabular-nums;white-space:nowrap}td:first-child{word-break:break-all}" +
  "footer{margin-top:2rem;opacity:.75}";

const BY_NAME = new Intl.Collator("en", { numeric: true });

/** Renders the folder at `names`; `note` is the last line of the page. */
export function listing(names: readonly string[], entries: readonly Entry[], note: string): string {
  const title = escape(`/${names.map((name) => `${name}/`).join("")}`);
  const rows = entries.toSorted((a, b) =>
    Number(b.folder) - Number(a.folder) || BY_NAME.compare(a.name, b.name)
  ).map(row);
  if (names.length > 0) rows.unshift('<tr><td><a href="../">../</a></td><td></td><td></td></tr>');
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>${STYLE}</style>
<h1>${title}</h1>
<table>
${rows.join("\n")}
</table>
<footer>${escape(note)}</footer>
</html>
`;
}

function row({ name, folder, size, modified }: Entry): string {
  const slash = folder ? "/" : "";
  const date = modified.toISOString().slice(0, 16).replace("T", " ");
  return `<tr><td><a href="./${encodeURIComponent(name)}${slash}">${
    escape(name + slash)
  }</a></td>` +
    `<td>${folder ? "" : formatBytes(size)}</td><td>${date}</td></tr>`;
}

/** Formats bytes in powers of 1024. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.floor(Math.log2(bytes) / 10);
  const value = bytes / 1024 ** power;
  const digits = power === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${["B", "KiB", "MiB", "GiB", "TiB", "PiB"][power]}`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Escapes text for HTML, including attribute values. */
export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character]!);
}
