/**
 * Finds what keeps people from using a page: the rules of WCAG 2.2 that a program can check and that
 * concern pages like these, and those of axe-core if it is installed.
 *
 * @module
 */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { Page } from "./browser.ts";

const TOOLS = process.env["SLUICE_TEST_BUNDLERS"];
const AXE = TOOLS === undefined ? "" : join(TOOLS, "node_modules/axe-core/axe.min.js");

/** Why the rules of axe-core are not checked; `false` if they are. */
export const NO_AXE: string | false = existsSync(AXE)
  ? false
  : "SLUICE_TEST_BUNDLERS names no folder with axe-core";

/** All rules, the best practices too. */
const RUN_AXE = String
  .raw`axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
  violations.flatMap(({ help, id, nodes }) =>
    nodes.map(({ html }) => "axe " + id + ", " + help + ": " + html.slice(0, 120))))`;

/** Runs in the browser; returns one line for each finding. */
const CHECK = String.raw`(() => {
const found = [], say = (element, what) => found.push(what + ": " + element.outerHTML.slice(0, 120));
const all = (selector) => [...document.querySelectorAll(selector)];
const seen = (element) => element.checkVisibility({ visibilityProperty: true });
if (!document.documentElement.lang) found.push("3.1.1 no language");
if (!document.title.trim()) found.push("2.4.2 no title");
if (all("main").length !== 1) found.push("1.3.1 not one main");
if (all("h1").filter(seen).length !== 1) found.push("1.3.1 not one h1");
const viewport = document.querySelector("meta[name=viewport]")?.content ?? "";
if (/user-scalable=no|maximum-scale=1\b/.test(viewport)) found.push("1.4.4 no zoom");
const ids = new Set();
for (const { id } of all("[id]")) { if (ids.has(id)) found.push("duplicate id " + id); ids.add(id); }
for (const [name, list] of all("[aria-labelledby],[aria-describedby]").map((e) => [e, (e.getAttribute("aria-labelledby") ?? "") + " " + (e.getAttribute("aria-describedby") ?? "")]))
  for (const id of list.trim().split(/\s+/)) if (!document.getElementById(id)) say(name, "4.1.2 refers to nothing");
const nameOf = (e) => (e.getAttribute("aria-label") ?? "").trim() || (e.labels?.[0]?.textContent ?? "").trim() ||
  e.textContent.trim() || [...e.querySelectorAll("img[alt]")].map((i) => i.alt).join("").trim() || (e.title ?? "").trim();
for (const e of all("a[href],button,input,select,textarea,[role=button],summary,dialog")) if ((seen(e) || e.tagName === "DIALOG") && !nameOf(e) && e.type !== "hidden" && !(e.tagName === "DIALOG" && !e.open && e.ariaLabel)) say(e, "4.1.2 no name");
for (const e of all("img")) if (!e.hasAttribute("alt")) say(e, "1.1.1 no alt");
for (const e of all("svg")) if (seen(e) && !e.closest("[aria-hidden=true]") && !e.getAttribute("aria-label") && e.getAttribute("role") !== "img" && !e.querySelector("title,text")) say(e, "1.1.1 no name");
for (const e of all("svg[role=img]")) if (!e.getAttribute("aria-label") && !e.querySelector("title")) say(e, "1.1.1 no name");
for (const e of all("[aria-hidden=true] a[href],[aria-hidden=true] button")) say(e, "4.1.2 hidden but in the tab order");
for (const e of all("[tabindex]")) if (e.tabIndex > 0) say(e, "2.4.3 tab order");
for (const e of all("th")) if (!e.textContent.trim()) say(e, "1.3.1 empty head of a column");
let level = 0;
for (const e of all("h1,h2,h3,h4,h5,h6")) { if (!seen(e)) continue; const n = +e.tagName[1]; if (n > level + 1) say(e, "1.3.1 skipped a level"); level = n; }
for (const e of all("*")) if (seen(e) && e.scrollWidth > e.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(e).overflowX) && e.tabIndex < 0 && !e.querySelector("a,button")) say(e, "2.1.1 scrolls by no key");
if (document.documentElement.scrollWidth > innerWidth + 1) found.push("1.4.10 page scrolls sideways at " + innerWidth);
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const rgba = (text) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
const over = (top, below) => [0, 1, 2].map((i) => (top[i] * top[3] + below[i] * (255 - top[3])) / 255);
const ground = (e) => { const stack = []; for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); stack.push(c); if (c[3] === 255) break; }
  return stack.reverse().reduce((below, c) => over(c, below), matchMedia("(prefers-color-scheme:dark)").matches ? [18, 18, 18] : [255, 255, 255]); };
const light = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const told = new Set();
const contrast = (e, colour, what) => { const below = ground(e), a = light(over(rgba(colour), below)), b = light(below);
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), style = getComputedStyle(e), size = parseFloat(style.fontSize);
  const least = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700) ? 3 : 4.5, key = colour + below.join() + least;
  if (ratio < least && !told.has(key)) { told.add(key); say(e, "1.4.3 " + what + " contrast " + ratio.toFixed(2)); } };
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) { const e = walk.currentNode.parentElement; if (!walk.currentNode.data.trim() || /^(SCRIPT|STYLE)$/.test(e.tagName) || !seen(e)) continue;
  const style = getComputedStyle(e); contrast(e, e instanceof SVGElement ? style.fill : style.color, "text"); }
for (const e of all("input")) if (seen(e) && e.placeholder) contrast(e, getComputedStyle(e, "::placeholder").color, "placeholder");
for (const e of all("a[href],button,summary")) if (seen(e)) { const { width, height } = e.getBoundingClientRect(); const inline = getComputedStyle(e).display === "inline";
  if (!inline && Math.min(width, height) < 24) say(e, "2.5.8 smaller than 24 pixels"); }
return found; })()`;

/** The findings of one page, in light and dark, on a desk and on a phone. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  const faults: string[] = [];
  if (!NO_AXE) await page.evaluate(`${readFileSync(AXE, "utf8")}\n;0`);
  for (const width of [1000, 390]) {
    await page.setViewportSize({ width, height: 740 });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      for (const script of NO_AXE ? [CHECK] : [CHECK, RUN_AXE]) {
        for (const fault of await page.evaluate(script) as string[]) {
          faults.push(`${colorScheme}, ${width} pixels: ${fault}`);
        }
      }
    }
  }
  return faults;
}
