/** Prints and draws the table. @module */

/** One way of sending one size. */
export interface Cell {
  readonly name: string;
  readonly who: "sluice" | "Java";
  /** Bytes of one read and write; 0 for zero copy. */
  readonly blockSize: number;
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** A size, in MB, and what it took each way. */
export interface Row {
  readonly size: number;
  readonly cells: readonly Cell[];
}

/** Prints the table, and what the largest size cost per gigabyte. */
export function printTable(rows: readonly Row[]): void {
  const { size, cells } = rows.at(-1)!;
  const names = cells.map(({ who, name }) => `${who} ${name}`);
  const line = (first: string, rest: readonly string[]) =>
    console.log([first, ...rest].map((text, i) => text.padStart(i === 0 ? 9 : 22)).join(""));
  line("ms", names);
  for (const row of rows) {
    line(
      sizeName(row.size),
      row.cells.map(({ wallMs }) => wallMs.toFixed(1)),
    );
  }
  console.log("\nCPU time of the sender per gigabyte:");
  for (const [i, { cpuMs }] of cells.entries()) {
    console.log(`${names[i]!.padStart(24)}  ${(cpuMs / size).toFixed(3)} s`);
  }
}

const WIDTH = 860;
const HEIGHT = 420;
const LEFT = 70;
const RIGHT = 170;
const TOP = 20;
const BOTTOM = 40;
/** Least distance of two labels, in pixels. */
const LABEL_GAP = 17;

/** Draws the table as a page: a chart with logarithmic axes, and the figures below. */
export function drawTable(rows: readonly Row[]): string {
  const names = rows[0]!.cells.map(({ who, name }) => `${who} ${name}`);
  const head = names.map((name) => `<th>${escape(name)}</th>`).join("");
  const body = rows.map(({ size, cells }) => {
    const figures = cells.map(({ wallMs }) => `<td>${wallMs.toFixed(1)}</td>`).join("");
    return `<tr><th>${sizeName(size)}</th>${figures}</tr>`;
  });
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>A file over TCP: copies and zero copy</title>
<style>
:root { color-scheme: light dark; --text: #16202e; --soft: #5d6b7e; --line: #dde3ea;
  --page: #fff; --sluice: #0f7f70; --java: #b85c0c; }
@media (prefers-color-scheme: dark) { :root { --text: #e6ecf3; --soft: #94a3b5; --line: #2b3644;
  --page: #10161f; --sluice: #35c7af; --java: #eba05a; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);
  max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
svg { width: 100%; height: auto; } svg text { font: 13px system-ui, sans-serif; fill: var(--text); }
svg .tick { fill: var(--soft); font-size: 12px; } .grid { stroke: var(--line); }
polyline { fill: none; stroke-width: 2; } .sluice { stroke: var(--sluice); }
.Java { stroke: var(--java); } text.sluice { stroke: none; fill: var(--sluice); }
text.Java { stroke: none; fill: var(--java); } circle { fill: var(--page); stroke-width: 2; }
.b4096 { stroke-dasharray: 2 4; } .b65536 { stroke-dasharray: 8 5; }
div { overflow-x: auto; } table { border-collapse: collapse; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid var(--line); }
td { font-variant-numeric: tabular-nums; } th:first-child { white-space: nowrap; }
</style>
<h1>A file over TCP: copies and zero copy</h1>
<p>Milliseconds until the receiver on the same machine has everything; medians. Less is better.</p>
${chart(rows)}
<div><table><tr><th>Size</th>${head}</tr>
${body.join("\n")}
</table></div>
</html>
`;
}

function chart(rows: readonly Row[]): string {
  const x = scale(rows.map(({ size }) => size), LEFT, WIDTH - RIGHT);
  const all = rows.flatMap(({ cells }) => cells.map(({ wallMs }) => wallMs));
  const y = scale(all, HEIGHT - BOTTOM, TOP);
  const ticks = steps(all).filter((value) => y(value) >= TOP && y(value) <= HEIGHT - BOTTOM);
  const grid = ticks.map((value) =>
    `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${n(y(value))}" y2="${
      n(y(value))
    }"/>` +
    `<text class="tick" x="${LEFT - 8}" y="${n(y(value) + 4)}" text-anchor="end">${value} ms</text>`
  );
  const below = rows.map(({ size }) =>
    `<text class="tick" x="${n(x(size))}" y="${HEIGHT - 14}" text-anchor="middle">${
      sizeName(size)
    }</text>`
  );
  const labels = spread(rows.at(-1)!.cells.map(({ wallMs }) => y(wallMs)));
  const lines = rows[0]!.cells.map(({ who, name, blockSize }, i) => {
    const points = rows.map(({ size, cells }) => [size, cells[i]!.wallMs] as const);
    const path = points.map(([size, ms]) => `${n(x(size))},${n(y(ms))}`).join(" ");
    const dots = points.map(([size, ms]) =>
      `<circle class="${who}" cx="${n(x(size))}" cy="${n(y(ms))}" r="3.5">` +
      `<title>${escape(`${who} ${name}, ${size} MB: ${ms.toFixed(1)} ms`)}</title></circle>`
    );
    return `<polyline class="${who} b${blockSize}" points="${path}"/>${dots.join("")}` +
      `<text class="${who}" x="${WIDTH - RIGHT + 10}" y="${n(labels[i]! + 4)}">` +
      `${escape(`${who} ${name}`)}</text>`;
  });
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Time by size and way">
${[...grid, ...below, ...lines].join("\n")}
</svg>`;
}

function sizeName(size: number): string {
  return size % 1000 === 0 ? `${size / 1000} GB` : `${size} MB`;
}

/** Returns a logarithmic scale with a margin at both ends. */
function scale(values: readonly number[], from: number, to: number): (value: number) => number {
  const least = Math.log(Math.min(...values));
  const most = Math.log(Math.max(...values));
  return (value) => {
    const share = most === least ? 0.5 : (Math.log(value) - least) / (most - least);
    return from + (to - from) * (0.04 + 0.92 * share);
  };
}

/** Returns 1, 2, 5, 10, ... around the values. */
function steps(values: readonly number[]): number[] {
  const from = Math.floor(Math.log10(Math.min(...values)));
  const to = Math.ceil(Math.log10(Math.max(...values)));
  const powers = Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
  return powers.flatMap((power) => [power, 2 * power, 5 * power]);
}

/** Moves labels apart, from the top down. */
function spread(positions: readonly number[]): number[] {
  const moved = [...positions];
  const order = Array.from(positions.keys()).sort((a, b) => positions[a]! - positions[b]!);
  let last = -Infinity;
  for (const i of order) {
    last = moved[i] = Math.max(positions[i]!, last + LABEL_GAP);
  }
  return moved;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function n(value: number): string {
  return value.toFixed(1);
}
