/** Redirects and rewrites by path, as in the file `_redirects` of static hosts. @module */

import { describe } from "../../../options.ts";
import type { Target } from "../target.ts";
import { type Captures, compilePattern, type Matcher } from "./pattern.ts";

/** Where requests for a path lead. */
export interface RedirectRule {
  /** Such as `/old`, `/blog/:slug` or `/docs/*`; a slash at its end does not matter. */
  readonly from: string;
  /** Path or URL; `:slug` and `:splat` stand for what `from` has matched. */
  readonly to: string;
  /**
   * 301, 302, 303, 307 or 308 for a redirect; 200 or 404 sends the file at `to` with this status.
   *
   * @default {301}
   */
  readonly status?: number | undefined;
  /** Whether it also applies where there is a file. @default {false} */
  readonly force?: boolean | undefined;
}

/** A rule in the form in which it is applied. */
export interface CompiledRedirect {
  readonly matches: Matcher;
  readonly to: string;
  readonly status: number;
  readonly force: boolean;
}

/** What a rule demands: a redirect, or another file with a status. */
export type Redirected =
  | { readonly location: string; readonly status: number }
  | { readonly path: string; readonly status: number };

const STATUSES: readonly number[] = [200, 301, 302, 303, 307, 308, 404];
const PLACEHOLDER = /:([a-z]\w*)/gi;
/** No placeholder may become part of the host: it could lead to any other. */
const TARGET = /^(?:https?:\/\/[\w.-]+(?::\d+)?)?(?:\/(?!\/)[!-~]*)?$/;

/**
 * Compiles rules.
 *
 * @throws {TypeError} When a path, a target or a status is invalid.
 */
export function compileRedirects(rules: readonly RedirectRule[]): readonly CompiledRedirect[] {
  if (!Array.isArray(rules)) {
    throw new TypeError(`Cannot serve files: redirects must be a list, not ${describe(rules)}`);
  }
  return rules.map(({ force = false, from, status = 301, to }) => {
    const matches = compilePattern(typeof from === "string" ? bare(from) : from);
    const refuse = (why: string) => new TypeError(`Cannot redirect "${from}": ${why}`);
    if (!STATUSES.includes(status)) {
      throw refuse(`the status is ${describe(status)}, but must be one of ${STATUSES.join(", ")}`);
    }
    const local = typeof to === "string" && to[0] === "/";
    if (typeof to !== "string" || to === "" || !TARGET.test(to)) {
      throw refuse(`${describe(to)} is not a path or URL that begins with "/" or "https://"`);
    }
    if (!local && (status === 200 || status === 404)) {
      throw refuse(`status ${status} needs a file of the folder, not ${to}`);
    }
    return { matches, to, status, force: Boolean(force) };
  });
}

/** Applies the first rule that matches; those with `force`, or the others. */
export function redirected(
  { folder, names, query }: Pick<Target, "folder" | "names" | "query">,
  rules: readonly CompiledRedirect[],
  force: boolean,
): Redirected | undefined {
  if (rules.length === 0) return undefined;
  const path = bare(`/${names.join("/")}${folder && names.length > 0 ? "/" : ""}`);
  for (const rule of rules) {
    // `/old/*` also stands for `/old/`, and so for `/old`.
    const captures = rule.force === force
      ? rule.matches(path) ?? rule.matches(`${path}/`)
      : undefined;
    if (captures === undefined) continue;
    const { status, to } = rule;
    if (status === 200 || status === 404) {
      const file = fill(to, captures, (text) => text).replace(/^\/+|\/+$/g, "");
      return { path: file === "" ? "." : file, status };
    }
    const filled = fill(to, captures, encode);
    // A placeholder that is empty, or begins with a slash, would make a host of the next name.
    const location = to[0] === "/" ? filled.replace(/^\/+/, "/") : filled;
    const more = query !== "" && !location.includes("?") ? query : "";
    return { location: location + more, status };
  }
  return undefined;
}

function fill(to: string, captures: Captures, write: (text: string) => string): string {
  return to.replaceAll(PLACEHOLDER, (all, name) => {
    const found = captures[name];
    return found === undefined ? all : write(found);
  });
}

/** A splat may have several names. */
function encode(text: string): string {
  return text.split("/").map(encodeURIComponent).join("/");
}

function bare(path: string): string {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}
