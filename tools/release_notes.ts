/**
 * `node tools/release_notes.ts 1.2.3`: prints the CHANGELOG.md entry of a version. First checks
 * that both manifests and `src/version.ts` name that version, and that the entry has a date.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

/** Returns the date and the text of `version`'s entry. */
function entry(changelog: string, version: string): { date: string; notes: string } {
  const headings = [...changelog.matchAll(/^## \[(.+?)\] - (\S+)$/gm)];
  const index = headings.findIndex(([, name]) => name === version);
  if (index < 0) throw new Error(`CHANGELOG.md has no entry for ${version}`);
  const { 0: heading, 2: date, index: start } = headings[index]!;
  const notes = changelog.slice(start + heading.length, headings[index + 1]?.index);
  return { date: date!, notes: notes.trim() };
}

const version = process.argv[2];
if (version === undefined) throw new Error("Name the version: node tools/release_notes.ts 1.2.3");
const found = {
  "package.json": JSON.parse(read("package.json")).version,
  "deno.json": JSON.parse(read("deno.json")).version,
  "src/version.ts": /VERSION = "(.+)"/.exec(read("src/version.ts"))?.[1],
};
for (const [file, other] of Object.entries(found)) {
  if (other !== version) throw new Error(`${file} has version ${other}, not ${version}`);
}
const { date, notes } = entry(read("CHANGELOG.md"), version);
if (!/^\d{4}-\d\d-\d\d$/.test(date)) {
  throw new Error(`CHANGELOG.md calls ${version} "${date}": give it a date`);
}
process.stdout.write(`${notes}\n`);
