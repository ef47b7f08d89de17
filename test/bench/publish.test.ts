import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chart, parseCell } from "../../bench/chart.ts";
import { draw, fill, page } from "../../bench/publish.ts";
import { lineChart } from "../../bench/line_chart.ts";
import type { Result } from "../../bench/results.ts";

const RESULT: Result = {
  what: "serve",
  date: "2026-01-02",
  title: "serve: 100 clients",
  method: [],
  columns: ["server", "CPU-s/GB", "client busy"],
  rows: [["nginx", "0.23 (0.18-0.27)", "0.90"], ["sluice", "0.20", "0.80"]],
  bars: [],
  environment: { machine: "2 x CPU", load: "", versions: { nginx: "nginx version: nginx/1" } },
};

describe("npm run bench -- report", () => {
  it("reads a median with its spread, and one alone", () => {
    assert.deepEqual(parseCell("0.23 (0.18-0.27)"), { median: 0.23, min: 0.18, max: 0.27 });
    assert.deepEqual(parseCell(" 12 "), { median: 12, min: 12, max: 12 });
    assert.equal(parseCell("none"), undefined);
    assert.equal(parseCell(""), undefined);
  });

  it("fills the place of a benchmark, twice with the same outcome, and leaves others alone", () => {
    const text = "a\n<!-- bench:serve -->\nold\n<!-- /bench -->\nb\n" +
      "<!-- bench:relay -->\nkept\n<!-- /bench -->\n";
    const results = new Map([["serve", RESULT]]);
    const once = fill(text, results);
    assert.equal(fill(once, results), once);
    assert.match(once, /^a\n<!-- bench:serve -->\n\n\| server/);
    assert.match(once, /\| nginx +\| 0\.23 \(0\.18-0\.27\) \|/);
    assert.match(once, /Measured on 2026-01-02: 2 x CPU; nginx\/1\.\n/);
    assert.doesNotMatch(once, /old|client/);
    assert.match(once, /<!-- bench:relay -->\nkept\n<!-- \/bench -->/);
  });

  it("draws a bar for each entry, in proportion, with text that cannot break out", () => {
    const entries = [
      { label: "a <b> & c", median: 1, min: 1, max: 1 },
      { label: "sendFile(res)", median: 4, min: 3, max: 5 },
    ];
    const svg = chart("title", entries);
    const widths = Array.from(svg.matchAll(/<rect [^>]*width="([\d.]+)"/g), ([, w]) => Number(w));
    assert.equal(widths.length, 2);
    assert.ok(Math.abs(widths[1]! / widths[0]! - 4) < 0.01);
    assert.match(svg, /a &lt;b> &amp; c/);
    assert.equal((svg.match(/class="bar own"/g) ?? []).length, 1);
    assert.equal((svg.match(/class="spread"/g) ?? []).length, 1);
  });

  it("draws lines over a logarithmic axis", () => {
    const at = (x: number, median: number) => ({ x, median, min: median / 2, max: median * 2 });
    const lines = [{ name: "a <b>", points: [at(1, 1), at(10, 2), at(100, 4)] }];
    const svg = lineChart({ name: "clients", title: "by clients", lines });
    const [, points] = /<polyline points="([^"]+)"/.exec(svg)!;
    const [x1, x2, x3] = points!.split(" ").map((point) => Number(point.split(",")[0]));
    assert.ok(Math.abs((x2! - x1!) - (x3! - x2!)) < 0.3, points!);
    assert.match(svg, /a &lt;b>/);
    assert.doesNotMatch(svg, /NaN/);
  });

  it("writes a page with every table, chart and figure that was missed", () => {
    const value = { median: 2, min: 1, max: 3 };
    const bar = { subject: "ours", what: "CPU / C", value, limit: 1, wanted: "at most" } as const;
    const series = [{
      name: "x",
      title: "lines",
      lines: [{ name: "a", points: [{ x: 1, ...value }] }],
    }];
    const results = new Map<string, Result>([
      ["serve", { ...RESULT, bars: [bar] }],
      ["growth", { ...RESULT, what: "growth", series }],
    ]);
    const charts = new Map([...results].map(([what, result]) => [what, draw(result)]));
    const text = page(results, charts);
    assert.match(text, /\| ours +\| CPU \/ C +\| at most 1\.00 \| .*\*\*missed\*\*/);
    assert.match(text, /!\[serve: CPU-s\/GB\]\(charts\/serve-cpu-s-gb\.svg\)/);
    assert.match(text, /!\[lines\]\(charts\/growth-x\.svg\)/);
    assert.match(text, /npm run bench -- growth/);
  });
});
