/** The HTML page: one file that needs no network. @module */

import { VERSION } from "../../../version.ts";
import { figure, size, totalCalls } from "../summary.ts";
import {
  CACHES,
  capital,
  cells,
  COLUMN_NAMES,
  count,
  labelOf,
  LEGEND,
  smallness,
  TARGETS,
} from "../table.ts";
import { counted } from "../../quantity.ts";
import type { Choice, Comparison, Difference, Row, TargetName } from "../types.ts";
import { type Charts, loadCharts } from "./charts.ts";
import { crossings, flow } from "./flow.ts";
import { STYLE } from "./style.ts";

/** Renders the page. */
export async function renderPage(comparison: Comparison): Promise<string> {
  const charts = await loadCharts();
  const targets = [...new Set(comparison.rows.map(({ target }) => target))];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>sluice compare</title>
<style>${STYLE}</style>
<main>
${head(comparison)}
${targets.map((target) => section(target, comparison, charts)).join("\n")}
${foot(comparison)}
</main>
</html>
`;
}

function head(comparison: Comparison): string {
  const { file, machine, rows, choices: [first], rounds } = comparison;
  const name = file.path === null ? "random bytes" : `<code>${escape(file.path)}</code>`;
  const { processors, kernel, runtime, backend } = machine;
  const best = first && find(rows, first);
  const stream = first && find(rows, { ...first, method: "stream" });
  const what = comparison.tooSmall
    ? `${escape(smallness(comparison))}.`
    : `${name}, ${size(file.bytes)}; ${
      counted(rounds, "interleaved round")
    }, medians; every byte ` +
      "was checked";
  return `<header><p class="overline">sluice compare</p><h1>${title(comparison, first)}</h1>
<p>${what}</p>
<p>${escape(processors)}, kernel ${escape(kernel)}, ${escape(runtime)} (${escape(backend)})</p>
</header>
${first === undefined || best === undefined ? "" : tiles(first, best, stream)}`;
}

function title({ tooSmall }: Comparison, choice: Choice | undefined): string {
  if (tooSmall) return "This file is too small to measure";
  if (choice === undefined) return "Nothing was measured";
  if (choice.method === null) return `No advice: ${escape(choice.why)}`;
  const best = `<em>${labelOf(choice.method)}</em>`;
  const [stream] = cheaper(choice.differences.filter(({ than }) => than === "stream"));
  if (stream === undefined) return `${best} is the way to move this file here`;
  const [own] = cheaper(choice.library.filter(({ method }) => method !== choice.method));
  const also = own === undefined
    ? ""
    : `; <em>${labelOf(own.method)}</em> takes ${figure(own.cpu.ratio)} times`;
  return `${best} takes ${figure(stream.cpu.ratio)} times the CPU of the runtime's stream${also}`;
}

/** Those that are shown to take less CPU, the cheapest first. */
function cheaper(differences: readonly Difference[]): Difference[] {
  return differences.filter(({ cpu }) => cpu.shown && cpu.ratio < 1)
    .sort((a, b) => a.cpu.ratio - b.cpu.ratio);
}

/** Compares the chosen method with the runtime's stream, in four numbers. */
function tiles({ target, cache }: Choice, best: Row, stream: Row | undefined): string {
  const beside = (value: string) => stream === undefined ? "" : `, ${value} by the stream`;
  const list = [
    [figure(best.cpuPerGb.median), `CPU-s/GB${beside(figure(stream?.cpuPerGb.median ?? 0))}`],
    [figure(best.gbPerSecond.median), `GB/s${beside(figure(stream?.gbPerSecond.median ?? 0))}`],
    [
      count(totalCalls(best.traffic)),
      `system calls${beside(count(stream === undefined ? null : totalCalls(stream.traffic)))}`,
    ],
    [
      crossings(best) === 0 ? "none" : size(crossings(best)),
      `through user memory${beside(stream === undefined ? "" : size(crossings(stream)))}`,
    ],
  ] as const;
  const where = `${capital(TARGETS[target])}, ${CACHES[cache]}:`;
  const tile = ([value, what]: readonly [string, string]) =>
    `<div class="tile"><b>${value}</b><span>${what}</span></div>`;
  return `<p class="legend where">${where}</p>
<div class="tiles">${list.map(tile).join("")}</div>`;
}

function section(target: TargetName, { rows, choices }: Comparison, charts: Charts): string {
  const own = rows.filter((row) => row.target === target);
  const chosen = choices.filter((choice) => choice.target === target);
  const verdicts = chosen.map(({ method, cache, why }) => {
    const reasons = why.split("; ").map((text) => `<li>${escape(text)}</li>`);
    const advice = method === null ? "no advice" : labelOf(method);
    return `<p><b>${capital(CACHES[cache])}: ${advice}</b></p><ul>${reasons.join("")}</ul>`;
  });
  const caches = chosen.map(({ cache }) => cache);
  const shades = caches.length < 2 ? "" : "<span>strong: in the page cache; pale: on disk</span>";
  return `<section><h2>${capital(TARGETS[target])}</h2>
<div class="verdict">${verdicts.join("")}</div>
<div class="charts">
<div class="card"><h3>CPU seconds per gigabyte</h3><p class="legend">
<span><i style="background:var(--user)"></i>user</span>
<span><i style="background:var(--system)"></i>system</span>${shades}</p>${charts.cpu(own)}</div>
<div class="card"><h3>Gigabytes a second</h3><p class="legend">
<span><i style="background:var(--speed)"></i>median, with smallest and largest</span>${shades}</p>
${charts.speed(own)}</div>
</div>
<div class="way"><h3>The path of the bytes, as measured</h3><p class="legend">
<span><i style="background:var(--copy)"></i>copied by the processor</span>
<span><i style="background:var(--share)"></i>by reference, or mapped</span>
<span><i style="background:var(--device)"></i>by the device</span></p></div>
<div class="flows" tabindex="0" role="group" aria-label="The path of the bytes, one picture for each way">
${flows(own, chosen)}</div>
<details${target === "socket" ? " open" : ""}><summary>All figures</summary>
${chosen.map((choice) => table(own, choice)).join("")}</details></section>`;
}

/** One picture for each method. Uses the cold run if there is one, because it includes the disk. */
function flows(rows: readonly Row[], chosen: readonly Choice[]): string {
  const { cache } = chosen.at(-1)!;
  const shown = rows.filter((row) => row.cache === cache);
  const best = chosen.at(-1)!.method;
  return shown.map((row) => {
    const facts = [
      ["calls", count(totalCalls(row.traffic))],
      ["context switches", count(row.voluntary + row.involuntary)],
      ["page faults", count(row.minorFaults + row.majorFaults)],
      ["page cache", `+${size(row.cacheGrowth)}`],
    ].map(([name, value]) => `<dt>${name}</dt><dd>${value}</dd>`);
    const style = row.method === best ? "card flow best" : "card flow";
    return `<div class="${style}"><h3>${labelOf(row.method)}<small>${CACHES[cache]}</small></h3>
${flow(row)}<dl>${facts.join("")}</dl></div>`;
  }).join("");
}

function table(rows: readonly Row[], { cache, method }: Choice): string {
  const lines = rows.filter((row) => row.cache === cache).map((row) => {
    const style = row.method === method ? ` class="best"` : "";
    return `<tr${style}>${cells(row).map((cell) => `<td>${escape(cell)}</td>`).join("")}</tr>`;
  });
  const names = COLUMN_NAMES.map((name, i) =>
    `<th scope="col">${i === 0 ? CACHES[cache] : name}</th>`
  );
  return `<div class="card scroll" tabindex="0" role="group" aria-label="Figures, ${CACHES[cache]}">
<table><thead><tr>${names.join("")}</tr></thead>
<tbody>${lines.join("")}</tbody></table></div>`;
}

function foot({ refusals, notes, file, rows }: Comparison): string {
  const explained = rows.length === 0 ? [] : [
    ...LEGEND,
    "An interval behind a ratio is that of the rank test of Wilcoxon, Mann and Whitney over the rounds. " +
    "If it contains 1, no difference is shown.",
    "Each run has a process of its own. Another process drains sockets with recv(MSG_TRUNC), and " +
    "pipes by splicing into /dev/null, so that the figures show the sender. Files are not synced " +
    "to the disk; only O_DIRECT writes reach it.",
    "sluice counts calls where it makes them. For the runtime and the library, strace counts " +
    "them in the pass that verifies the bytes. Loopback has no network card.",
  ];
  const list = [
    ...refusals.map(({ target, method, reason }) =>
      `Not possible here: ${labelOf(method)} ${TARGETS[target]} (${reason}).`
    ),
    ...notes,
    ...explained,
    `SHA-256 of the file: ${file.sha256}`,
    `sluice ${VERSION}`,
  ];
  return `<footer><ul>${list.map((text) => `<li>${escape(text)}</li>`).join("")}</ul></footer>`;
}

function find(
  rows: readonly Row[],
  { target, cache, method }: Pick<Choice, "target" | "cache" | "method">,
): Row | undefined {
  return rows.find((row) => row.target === target && row.cache === cache && row.method === method);
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
