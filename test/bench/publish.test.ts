import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chart, parseCell } from "../../bench/chart.ts";
import { fill } from "../../bench/publish.ts";
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
});
