/** Draws a line chart with a logarithmic x axis as SVG, for light and dark pages. @module */

import type { Series } from "./report.ts";

const WIDTH = 860;
const HEIGHT = 380;
const LEFT = 64;
const RIGHT = 24;
const TOP = 70;
const BOTTOM = 34;
/** Number of steps on the y axis. */
const TICKS = 5;

/** Ratio of the largest to the smallest figure from which the y axis is logarithmic. */
const WIDE = 50;

/** Draws the lines, and the spread of each as a band. */
export function lineChart({ title, lines }: Series): string {
  const points = lines.flatMap((line) => line.points);
  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  const range = Math.log(xs.at(-1)! / xs[0]!) || 1;
  const x = (value: number) => LEFT + (Math.log(value / xs[0]!) / range) * (WIDTH - LEFT - RIGHT);
  const { ticks, share } = verticalScale(points);
  const y = (value: number) => HEIGHT - BOTTOM - share(value) * (HEIGHT - TOP - BOTTOM);
  const grid = ticks.map((value) => {
    return `<line x1="${LEFT}" y1="${n(y(value))}" x2="${WIDTH - RIGHT}" y2="${n(y(value))}" ` +
      `class="grid"/><text x="${LEFT - 8}" y="${n(y(value) + 4)}" class="tick" ` +
      `text-anchor="end">${Number(value.toPrecision(3))}</text>`;
  });
  const below = xs.map((value) =>
    `<text x="${n(x(value))}" y="${HEIGHT - 10}" class="tick" text-anchor="middle">${
      short(value)
    }</text>`
  );
  const drawn = lines.filter((line) => line.points.length > 0).map((line, index) => {
    const upper = line.points.map((p) => `${n(x(p.x))},${n(y(p.max))}`);
    const lower = line.points.map((p) => `${n(x(p.x))},${n(y(p.min))}`).reverse();
    const middle = line.points.map((p) => `${n(x(p.x))},${n(y(p.median))}`);
    const dots = line.points.map((p) => `<circle cx="${n(x(p.x))}" cy="${n(y(p.median))}" r="3"/>`);
    const at = LEFT + index * 190;
    return `<g class="c${index}"><polygon points="${[...upper, ...lower].join(" ")}"/>` +
      `<polyline points="${middle.join(" ")}"/>${dots.join("")}` +
      `<circle cx="${at}" cy="46" r="5"/><text x="${at + 11}" y="51">${
        escape(line.name)
      }</text></g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">
<title>${escape(title)}</title>
<style>
text { font: 14px system-ui, "DejaVu Sans", sans-serif; fill: #16202e; }
.title { font-weight: 600; } .tick { fill: #5d6b7e; font-size: 12px; } .grid { stroke: #dde3ea; }
polygon { opacity: 0.16; } polyline { fill: none; stroke-width: 2.2; }
${COLORS.map(([light], i) => color(i, light)).join("\n")}
@media (prefers-color-scheme: dark) {
text { fill: #e6ecf3; } .tick { fill: #94a3b5; } .grid { stroke: #2b3644; }
${COLORS.map(([, dark], i) => color(i, dark)).join("\n")}
}
</style>
<text x="0" y="20" class="title">${escape(title)}</text>
${[...grid, ...below, ...drawn].join("\n")}
</svg>
`;
}

/** Colours for nginx, which comes first, and the runtimes: on light and on dark pages. */
const COLORS = [
  ["#7a8899", "#93a1b1"],
  ["#12917f", "#2fbfa8"],
  ["#2b6fdb", "#6ea2f5"],
  ["#c46a12", "#e79a4c"],
  ["#8a4bc0", "#b98be3"],
] as const;

function color(index: number, value: string): string {
  const name = `.c${index}`;
  return `${name} polygon, ${name} circle { fill: ${value}; } ${name} polyline { stroke: ${value}; }`;
}

/** Scales the y axis from 0, or by powers of ten if most figures would lie at the bottom. */
function verticalScale(
  points: readonly { readonly min: number; readonly max: number }[],
): { ticks: number[]; share(value: number): number } {
  const most = Math.max(...points.map(({ max }) => max));
  const least = Math.min(...points.map(({ min }) => min));
  if (least <= 0 || most / least < WIDE) {
    const top = niceCeiling(most);
    const ticks = Array.from({ length: TICKS + 1 }, (_, i) => (top / TICKS) * i);
    return { ticks, share: (value) => value / top };
  }
  const [from, to] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
  const ticks = Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
  return { ticks, share: (value) => (Math.log10(value) - from) / (to - from) };
}

/** Returns the next of 1, 2, 2.5, 5, 10, ... */
function niceCeiling(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value));
  return unit * [1, 2, 2.5, 5, 10].find((step) => step * unit >= value)!;
}

function short(value: number): string {
  for (const [unit, name] of [[2 ** 30, "Gi"], [2 ** 20, "Mi"], [2 ** 10, "Ki"]] as const) {
    if (value >= unit && value % unit === 0) return `${value / unit} ${name}`;
  }
  return String(value);
}

function n(value: number): string {
  return value.toFixed(1);
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
