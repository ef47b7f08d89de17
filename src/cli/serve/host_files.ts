/** Reads the files `_headers` and `_redirects` of static hosts. @module */

import { readFileSync } from "node:fs";
import type { HeaderRule, RedirectRule } from "../../http/mod.ts";

/** Reads rules from a file. */
export function readHeaders(file: string): HeaderRule[] {
  return parseHeaders(read(file), file);
}

/** Reads rules from a file. */
export function readRedirects(file: string): RedirectRule[] {
  return parseRedirects(read(file), file);
}

/**
 * Parses `_headers`: a path at the beginning of a line, and below it indented fields.
 *
 * @param name For error messages.
 */
export function parseHeaders(text: string, name: string): HeaderRule[] {
  const rules: { path: string; headers: Record<string, string> }[] = [];
  for (const { line, number, indented } of linesOf(text)) {
    if (!indented) {
      rules.push({ path: line, headers: {} });
      continue;
    }
    const [, field, value] = /^([^:\s]+):\s*(.*)$/.exec(line) ?? [];
    if (field === undefined || rules.length === 0) {
      throw new Error(`${name}:${number}: expected "Name: value" below a path, not "${line}"`);
    }
    const { headers } = rules.at(-1)!;
    const known = Object.keys(headers).find((each) => each.toLowerCase() === field.toLowerCase());
    // Several values of one field are a list.
    if (known === undefined) headers[field] = value!;
    else headers[known] = `${headers[known]}, ${value}`;
  }
  return rules;
}

/**
 * Parses `_redirects`: in each line a path, a target and perhaps a status; with `!` behind it, the rule
 * also applies where there is a file.
 *
 * @param name For error messages.
 */
export function parseRedirects(text: string, name: string): RedirectRule[] {
  return Array.from(linesOf(text), ({ line, number }) => {
    const [from, to, status = "301", ...others] = line.split(/\s+/);
    const match = /^(\d{3})(!?)$/.exec(status);
    if (to === undefined || match === null || others.length > 0) {
      throw new Error(`${name}:${number}: expected "FROM TO [STATUS]", not "${line}"`);
    }
    return { from: from!, to, status: Number(match[1]), force: match[2] === "!" };
  });
}

function* linesOf(text: string) {
  let number = 0;
  for (const each of text.split(/\r?\n/)) {
    number++;
    // A "#" within a line may belong to a URL or a value.
    const line = each.trim();
    if (line !== "" && line[0] !== "#") yield { line, number, indented: /^\s/.test(each) };
  }
}

/** Reads a text file that a flag has named. */
export function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new Error(`Cannot read ${file}`, { cause: error });
  }
}
