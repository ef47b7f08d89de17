/**
 * Prints what `node:test` reports, as it happens. The reporter "spec" prints the errors only after
 * the last test, so that a file that hangs or crashes afterwards never shows them.
 *
 * JavaScript, because Node.js loads it in every process of a test, without types to strip.
 *
 * @module
 */

import { inspect } from "node:util";

/** Failures that are repeated by the tests around them. */
const REPEATED = new Set(["subtestsFailed", "cancelledByParent"]);

/**
 * @param {AsyncIterable<{ type: string, data: any }>} source
 * @returns {AsyncGenerator<string>}
 */
export default async function* report(source) {
  for await (const { type, data } of source) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    const indent = "  ".repeat(data.nesting);
    const note = [data.skip, data.todo].find((value) => value !== undefined);
    const mark = type === "test:fail" ? "✖" : note === undefined ? "✔" : "﹣";
    const reason = note === undefined ? "" : ` # ${note}`;
    yield `${indent}${mark} ${data.name} (${Math.round(data.details.duration_ms)} ms)${reason}\n`;
    const { error } = data.details;
    if (type !== "test:fail" || REPEATED.has(error?.failureType)) continue;
    yield `${inspect(error?.cause ?? error)}\n`.replace(/^/gm, `${indent}    `).trimEnd() + "\n";
  }
}
