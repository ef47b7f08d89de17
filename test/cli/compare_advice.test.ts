/** The advice of `sluice compare`, and its page, from figures that need no run. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { choose } from "../../src/cli/compare/advice.ts";
import { renderPage } from "../../src/cli/compare/page/mod.ts";
import { certainty, compareCosts } from "../../src/cli/compare/ratio.ts";
import { rowsOf } from "../../src/cli/compare/summary.ts";
import { render } from "../../src/cli/compare/table.ts";
import type {
  CacheState,
  Choice,
  Comparison,
  Sample,
  TargetName,
} from "../../src/cli/compare/types.ts";
import { accessibilityFaults } from "../_kit/accessible.ts";
import { NO_BROWSER, openPage } from "../_kit/browser.ts";

/** CPU milliseconds and milliseconds of each round, by method. */
type Costs = Record<string, readonly (readonly [cpu: number, ms: number])[]>;

function samplesOf(costs: Costs, target: TargetName, cache: CacheState): Sample[] {
  return Object.entries(costs).flatMap(([method, rounds]) =>
    rounds.map(([cpu, ms], round): Sample => ({
      target,
      cache,
      method,
      round,
      bytes: 1e9,
      ms,
      userMs: cpu / 4,
      systemMs: (cpu * 3) / 4,
      voluntary: 1,
      involuntary: 2,
      minorFaults: 3,
      majorFaults: 0,
      peak: 1e8,
      growth: 1e6,
      cacheGrowth: cache === "cold" ? 1e9 : 0,
      calls: { read: 15_259, write: 15_259 },
      intoUser: 1e9,
      outOfUser: 1e9,
      inKernel: method === "sendfile" ? 1e9 : 0,
    }))
  );
}

function comparisonOf(samples: readonly Sample[], more: Partial<Comparison> = {}): Comparison {
  const rows = rowsOf(samples, new Map());
  return {
    tooSmall: false,
    leastBytes: 1_000_000,
    file: { path: "/srv/a-folder-with-a-long-name/video.mp4", bytes: 1e9, sha256: "0".repeat(64) },
    machine: { processors: "2 x A", kernel: "6.18", runtime: "node", backend: "koffi" },
    rounds: rows[0]?.rounds ?? 0,
    rows,
    refusals: [],
    choices: choose(rows, samples),
    notes: [],
    samples,
    ...more,
  };
}

function adviceOf(costs: Costs): Choice {
  const samples = samplesOf(costs, "socket", "warm");
  return choose(rowsOf(samples, new Map()), samples)[0]!;
}

const STREAM = [[1000, 900], [1100, 950], [1050, 920], [990, 910], [1020, 990]] as const;
const SENDFILE = [[420, 300], [400, 310], [410, 305], [430, 302], [415, 320]] as const;
const OWN = [[500, 310], [520, 330], [510, 305], [505, 312], [530, 320]] as const;

describe("the advice of sluice compare", () => {
  it("knows how sure the rounds are", () => {
    assert.deepEqual([1, 2].map(certainty), [null, null]);
    // Of the 20 orders of 3 and 3 values, 2 keep the two apart; of 70 and 252 orders likewise.
    assert.deepEqual(certainty(3), { confidence: 1 - 2 / 20, cut: 0 });
    assert.deepEqual(certainty(4), { confidence: 1 - 2 / 70, cut: 0 });
    // Tables of the rank test give the critical value 2 for 5 and 5, 23 for 10 and 10.
    assert.deepEqual(certainty(5), { confidence: 1 - 8 / 252, cut: 2 });
    assert.equal(certainty(10)!.cut, 23);
    // The counted distribution passes into the normal one.
    assert.ok(Math.abs(certainty(20)!.cut - 127) <= 1 && Math.abs(certainty(21)!.cut - 142) <= 2);
    for (const rounds of [6, 8, 20, 21, 1000]) {
      const { confidence } = certainty(rounds)!;
      assert.ok(confidence >= 0.95 && confidence < 0.98, `${rounds}: ${confidence}`);
    }
  });

  it("shows a difference only if the spreads lie apart", () => {
    const sure = certainty(3)!;
    const apart = compareCosts([1, 2, 3], [4, 5, 6], sure);
    assert.deepEqual(apart, { ratio: 2 / 5, low: 1 / 6, high: 3 / 4, shown: true });
    assert.equal(compareCosts([1, 2, 4.5], [4, 5, 6], sure).shown, false);
    assert.equal(compareCosts([4, 5, 6], [1, 2, 3], sure).shown, true);
    // A clock that shows nothing divides nothing by zero.
    assert.deepEqual(compareCosts([0, 0, 0], [0, 0, 0], sure).ratio, 1);
  });

  it("says by how much and how sure, and credits the library", () => {
    const { method, why, confidence, library } = adviceOf({
      stream: STREAM,
      sendfile: SENDFILE,
      sluice: OWN,
    });
    assert.equal(method, "sendfile");
    assert.equal(confidence, 1 - 8 / 252);
    assert.match(why, /^0\.41 CPU-s\/GB at 3\.28 GB\/s; it takes 0\.41 times the CPU of createRe/);
    assert.match(
      why,
      /pipe\(\) \(0\.\d\d to 0\.\d\d in 5 rounds, 96 % sure\) and 0\.81 times that of slu/,
    );
    assert.match(
      why,
      /; sluice sendFile\(\) takes 0\.50 times the CPU of createReadStream\(\)\.pipe\(\) \(/,
    );
    assert.deepEqual(library.map(({ method, than }) => [method, than]), [["sluice", "stream"]]);
  });

  it("follows the median: neither one lucky round nor one bad round turns it", () => {
    const seven = (costs: typeof STREAM | typeof SENDFILE) => [...costs, ...costs.slice(0, 2)];
    for (const [odd, advice] of [["stream", [5, 3]], ["sendfile", [90_000, 80_000]]] as const) {
      const few = { stream: [...STREAM], sendfile: [...SENDFILE] } as Record<string, unknown[]>;
      few[odd]![2] = advice;
      // Five rounds, one of them odd, show nothing.
      assert.equal(adviceOf(few as Costs).method, null, odd);
      const more = { stream: seven(STREAM), sendfile: seven(SENDFILE) } as Record<
        string,
        unknown[]
      >;
      more[odd]![2] = advice;
      assert.equal(adviceOf(more as Costs).method, "sendfile", odd);
    }
  });

  it("advises nothing if the rounds show no difference", () => {
    const { method, why } = adviceOf({ sendfile: SENDFILE, splice: SENDFILE });
    assert.deepEqual([method, why], [null, "no difference shown in 5 rounds"]);
    const one = adviceOf({ sendfile: SENDFILE });
    assert.deepEqual([one.method, one.why], [null, "there is no other method to compare with"]);
    const few = adviceOf({ sendfile: SENDFILE.slice(3), stream: STREAM.slice(3) });
    assert.deepEqual([few.method, few.confidence, few.differences], [null, null, []]);
    const same = adviceOf({ stream: STREAM, sendfile: SENDFILE, splice: SENDFILE });
    assert.match(same.why, /; no difference in CPU shown from splice/);
  });

  it("says what is faster and what it costs", () => {
    const fast = [[800, 200], [810, 201], [805, 202], [808, 203], [815, 204]] as const;
    const near = SENDFILE.map(([cpu], index) => [cpu, 230 + index] as const);
    const { method, why } = adviceOf({ mmap: fast, sendfile: near });
    assert.equal(method, "sendfile");
    assert.match(
      why,
      /; mmap \+ write takes 0\.87 times the time of sendfile \(.+\) and 1\.95 times the CPU \(/,
    );
  });
});

describe("the page of sluice compare", { skip: NO_BROWSER }, () => {
  const costs = { stream: STREAM, sendfile: SENDFILE, splice: SENDFILE, mmap: OWN, sluice: OWN };
  const all = (["socket", "file"] as const).flatMap((target) =>
    (["warm", "cold"] as const).flatMap((cache) => samplesOf(costs, target, cache))
  );
  const pages: [string, Comparison][] = [
    ["full", comparisonOf(all)],
    ["without advice", comparisonOf(all.filter(({ round }) => round === 0))],
    ["nothing measured", comparisonOf([], { notes: ["Nothing was measured cold."] })],
    ["too small", comparisonOf([], { tooSmall: true })],
  ];

  it("is accessible and fits a phone", async () => {
    const { page, faults } = await openPage();
    for (const [name, comparison] of pages) {
      await page.setContent(await renderPage(comparison));
      assert.deepEqual(await accessibilityFaults(page), [], name);
      // Text of a chart that is cut off, or a box that is wider than the page.
      const cut = await page.evaluate(`[...document.querySelectorAll(".charts svg")]
        .filter((svg) => svg.checkVisibility()).flatMap((svg) => {
          const { left, right } = svg.getBoundingClientRect();
          return [...svg.querySelectorAll("text")].filter((text) => {
            const box = text.getBoundingClientRect();
            return box.left < left - 1 || box.right > right + 1;
          }).map((text) => text.textContent);
        })`);
      assert.deepEqual(cut, [], name);
      const wide = await page.evaluate(`[...document.querySelectorAll("main *")].filter((e) =>
        e.checkVisibility() && !e.closest(".flows, .scroll") &&
        e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 80))`);
      assert.deepEqual(wide, [], name);
    }
    assert.deepEqual(faults, []);
    await page.close();
  });

  it("and the table say the same", () => {
    const plain = (_: string, text: string) => text;
    const texts = pages.map(([, comparison]) => render(comparison, plain, 100));
    assert.match(texts[0]!, /choose sendfile: 0\.41 CPU-s\/GB/);
    assert.match(texts[1]!, /no advice: 1 round is too few/);
    assert.match(texts[3]!, /^.+ is too small to measure: .+ from 1 MB$/);
  });
});
