/** Header fields by path, as in the file `_headers` of static hosts. @module */

import { checkHeaders, mergeHeaders } from "../fields/fields.ts";
import type { Headers, PlanFile } from "../types.ts";
import { compilePattern } from "./pattern.ts";

/** Header fields for the files whose path matches. */
export interface HeaderRule {
  /** Such as `/assets/*`, `/blog/:slug` or `/`. */
  readonly path: string;
  /** Fields, which override those of the plan. */
  readonly headers: Headers;
}

/**
 * Combines rules to a function that is asked once for each version of a file. A rule matches the path
 * of the file, or that under which clients ask for it: `/docs/` for `/docs/index.html`, and `/about`
 * for `/about.html` if the extension may be left out. A later rule wins.
 *
 * @throws {TypeError} When a path or a field is invalid.
 */
export function compileHeaderRules(
  rules: readonly HeaderRule[],
  index: readonly string[],
  extensions: readonly string[],
): (file: PlanFile) => Headers {
  const compiled = rules.map(({ headers, path }) => ({
    headers: checkHeaders(headers),
    matches: compilePattern(path),
  }));
  return ({ name }) => {
    const paths = pathsOf(`/${name}`, index, extensions);
    const fields: Record<string, string> = {};
    for (const { headers, matches } of compiled) {
      if (paths.some((path) => matches(path) !== undefined)) mergeHeaders(fields, headers);
    }
    return fields;
  };
}

function pathsOf(
  path: string,
  index: readonly string[],
  extensions: readonly string[],
): readonly string[] {
  const paths = [path];
  for (const name of index) {
    if (path.endsWith(`/${name}`)) paths.push(path.slice(0, -name.length));
  }
  for (const extension of extensions) {
    if (path.endsWith(`.${extension}`)) paths.push(path.slice(0, -extension.length - 1));
  }
  return paths;
}
