/** Reads the values of options of `sluice serve`. @module */

import { InvalidArgumentError } from "commander";
import { parseDuration } from "../../http/rules/fields/duration.ts";
import type { SiteFlags } from "./site.ts";

/** A port. */
export function port(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new InvalidArgumentError("Expected a port in 0..65535.");
}

/** A number of threads. */
export function threads(text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 256) return Number(text);
  throw new InvalidArgumentError("Expected a number in 1..256.");
}

/** How long clients may keep files. */
export function cacheTime(text: string): NonNullable<SiteFlags["cache"]> {
  if (text === "no-store" || text === "no-cache") return { cacheControl: text };
  try {
    parseDuration(text, "cache");
    return { maxAge: text };
  } catch {
    throw new InvalidArgumentError("Expected a time such as 1h or 30 days, no-cache or no-store.");
  }
}

const UNITS: Readonly<Record<string, number>> = { "": 0, k: 1, m: 2, g: 3, t: 4 };

/** A size in bytes, in powers of 1024 like the listing; `Infinity` for "none". */
export function fileSize(text: string): number {
  if (text === "none" || text === "Infinity") return Infinity;
  const [, digits, unit = ""] = /^(\d{1,15}(?:\.\d{1,3})?)([kmgt]?)(?:i?b)?$/i.exec(text) ?? [];
  const bytes = Math.floor(Number(digits) * 1024 ** UNITS[unit.toLowerCase()]!);
  if (bytes >= 1 && bytes <= Number.MAX_SAFE_INTEGER) return bytes;
  throw new InvalidArgumentError('Expected a size such as 500M or 2G, or "none".');
}

/** A user with a password; several add up. */
export function credentials(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const [, user, password] = /^([^:]+):(.+)$/.exec(text) ?? [];
  if (user === undefined) throw new InvalidArgumentError("Expected USER:PASSWORD.");
  return { ...before, [user]: password! };
}

/** A folder below a path; several add up. */
export function mount(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const [, path, folder] = /^(\/[^=]*)=(.+)$/s.exec(text) ?? [];
  if (path === undefined) throw new InvalidArgumentError("Expected PATH=DIR, such as /media=/srv.");
  return { ...before, [path]: folder! };
}

/** A name of this server; several add up. The server checks them. */
export function hostNames(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** Names of index files; none for "none". */
export function indexNames(text: string): string[] {
  const names = text === "none" ? [] : text.split(",");
  if (names.every((name) => name !== "" && name[0] !== "/")) return names;
  throw new InvalidArgumentError('Expected names such as index.html,index.htm, or "none".');
}
