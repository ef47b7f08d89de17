/**
 * Counts tests in the JUnit reports of `node:test`, `bun test` and `deno test`.
 *
 * The three nest differently. Node.js and Bun write suites around cases. Deno writes each suite as
 * one more case, flat, whose name starts the names of its tests. A leaf is a test in all of them.
 *
 * @module
 */

/** Tests by outcome. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/** Content of one report. */
export interface Report extends Tally {
  /** Names of failed tests, as the runtime writes them. */
  readonly failures: string[];
  /** Whether the report is complete; the runner of a process that exits early leaves it open. */
  readonly complete: boolean;
}

// Node.js does not escape ">" inside attributes, so a tag ends at the first ">" outside quotes.
const TAG = /<(\/?)(testcase|failure|error|skipped)((?:\s+[\w:-]+="[^"]*")*)\s*(\/?)>/g;

/** Counts the leaf tests of a report; an empty text has none and is incomplete. */
export function count(xml: string): Report {
  const cases: { name: string; outcome: keyof Tally }[] = [];
  for (const [, closing, tag, attributes = ""] of xml.matchAll(TAG)) {
    if (closing === "/") continue;
    if (tag === "testcase") {
      cases.push({ name: / name="([^"]*)"/.exec(attributes)?.[1] ?? "", outcome: "passed" });
      continue;
    }
    const current = cases.at(-1);
    // A test marked "todo" may fail without failing the run, and carries both tags.
    if (current === undefined || current.outcome === "skipped") continue;
    current.outcome = tag === "skipped" ? "skipped" : "failed";
  }
  const tally = { passed: 0, failed: 0, skipped: 0 };
  const failures: string[] = [];
  for (const { name, outcome } of cases) {
    const isSuite = cases.some((other) => other.name.startsWith(`${name} &gt; `));
    if (isSuite) continue;
    tally[outcome]++;
    if (outcome === "failed") failures.push(plain(name));
  }
  return { ...tally, failures, complete: xml.trimEnd().endsWith("</testsuites>") };
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function plain(name: string): string {
  return name.replace(/&(\w+);/g, (entity, word: string) => ENTITIES[word] ?? entity);
}
