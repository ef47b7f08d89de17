/** Draws a bar chart of a column as SVG, for light and dark pages. @module */

const WIDTH = 860;
/** Room for the labels: at least this, and so much for each letter of the longest one. */
const LABELS = 330;
const LETTER = 7.4;
const ROW = 30;
const BAR = 18;
const TOP = 44;

/** A bar with its spread. */
export interface Entry {
  readonly label: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Parses a cell such as `0.20 (0.19-0.23)`; `undefined` if it is not a figure. */
export function parseCell(cell: string): Omit<Entry, "label"> | undefined {
  const match = /^([\d.e+-]+?)(?: \(([\d.e+]+)-([\d.e+]+)\))?$/.exec(cell.trim());
  if (match === null) return undefined;
  const median = Number(match[1]);
  if (!Number.isFinite(median)) return undefined;
  return { median, min: Number(match[2] ?? median), max: Number(match[3] ?? median) };
}

/** Draws the chart and highlights sluice. */
export function chart(title: string, entries: readonly Entry[]): string {
  const most = Math.max(...entries.map(({ max }) => max));
  const longest = Math.max(...entries.map(({ label }) => label.length));
  const labels = Math.max(LABELS, Math.ceil(longest * LETTER) + 12);
  const scale = (value: number) => (value / most) * (WIDTH - labels - 70);
  const height = TOP + entries.length * ROW + 8;
  const rows = entries.map((entry, i) => row(entry, { labels, scale, y: TOP + i * ROW }));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img">
<title>${escape(title)}</title>
<style>
text { font: 14px system-ui, "DejaVu Sans", sans-serif; fill: #16202e; }
.title { font-weight: 600; } .value { fill: #5d6b7e; font-size: 13px; }
.bar { fill: #a9b6c6; } .bar.own { fill: #12917f; } .spread { stroke: #16202e; opacity: 0.55; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6ecf3; } .value { fill: #94a3b5; } .bar { fill: #566579; }
  .bar.own { fill: #2fbfa8; } .spread { stroke: #e6ecf3; }
}
</style>
<text x="0" y="20" class="title">${escape(title)}</text>
${rows.join("\n")}
</svg>
`;
}

/** Names of what is measured, as far as it is ours. */
const OWN = /sluice|sendFile\(|serveStatic|broadcast\(|createRelay|copyFile\(\)|createFileServer/;

interface Place {
  readonly y: number;
  /** Width of the labels. */
  readonly labels: number;
  readonly scale: (value: number) => number;
}

function row({ label, median, min, max }: Entry, { labels, scale, y }: Place): string {
  const own = OWN.test(label);
  const middle = y + BAR / 2;
  const [from, to] = [labels + scale(min), labels + scale(max)];
  const spread = max > min
    ? `<line x1="${n(from)}" y1="${middle}" x2="${n(to)}" y2="${middle}" class="spread"/>`
    : "";
  const value = `<text x="${n(to + 8)}" y="${middle + 5}" class="value">${median}</text>`;
  return `<text x="${labels - 10}" y="${middle + 5}" text-anchor="end">${escape(label)}</text>` +
    `<rect x="${labels}" y="${y}" width="${n(scale(median))}" height="${BAR}" rx="3" ` +
    `class="${own ? "bar own" : "bar"}"/>${spread}${value}`;
}

function n(value: number): string {
  return value.toFixed(1);
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
