/** Negotiates content codings: RFC 9110, section 12.5.3. @module */

import { trimBlanks } from "../blanks.ts";
import type { Coding } from "../types.ts";

/** File name suffixes of sidecars. */
export const SUFFIXES: Readonly<Record<Coding, string>> = { br: ".br", zstd: ".zst", gzip: ".gz" };

/** Most members to read; browsers send fewer. */
const MOST = 32;

const MEMBER =
  /^[ \t]*([!#$%&'*+\-.^`|~\w]+)[ \t]*(?:;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*)?$/i;

/**
 * Returns the codings that a client accepts, ordered by its weights, then by `offered`.
 *
 * The unencoded file ranks below every named coding. If the client gives `identity` a weight of its
 * own, codings with lower weights are left out.
 *
 * @param accept Value of Accept-Encoding; without it, only the unencoded file is accepted.
 * @param offered Codings in the server's order of preference.
 */
export function acceptedCodings(
  accept: string | null | undefined,
  offered: readonly Coding[],
): readonly Coding[] {
  if (!accept || offered.length === 0) return NONE;
  const weights = parseWeights(accept);
  const others = weights.get("*") ?? 0;
  const identity = weights.get("identity") ?? 0;
  const weightOf = (coding: Coding) =>
    weights.get(coding) ?? (coding === "gzip" ? weights.get("x-gzip") : undefined) ?? others;
  return offered.filter((coding) => weightOf(coding) > 0 && weightOf(coding) >= identity)
    // The sort is stable: the server's order decides between equal weights.
    .sort((a, b) => weightOf(b) - weightOf(a));
}

const NONE: readonly Coding[] = Object.freeze([]);

function parseWeights(accept: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const member of accept.split(",", MOST)) {
    const match = MEMBER.exec(member);
    // An unparsable member counts as not accepted.
    if (match !== null) weights.set(match[1]!.toLowerCase(), Number(match[2] ?? 1));
  }
  return weights;
}

/** Whether a client asks for HTML by name, as browsers do for pages. */
export function asksForHtml(accept: string | null | undefined): boolean {
  return !!accept && /\btext\/html\b/i.test(accept) && weightOf(accept, "text/html") > 0;
}

/** Returns the weight of a media type that is listed by name; 0 for others. */
function weightOf(accept: string, type: string): number {
  for (const member of accept.split(",", MOST)) {
    const [name, ...parameters] = member.split(";").map((part) => trimBlanks(part).toLowerCase());
    if (name !== type) continue;
    const q = parameters.find((parameter) => parameter.startsWith("q="));
    return q === undefined ? 1 : Number(q.slice(2)) || 0;
  }
  return 0;
}

/** Whether a client prefers JSON to HTML (section 12.5.1); HTML is the default. */
export function prefersJson(accept: string | null | undefined): boolean {
  if (!accept?.includes("json")) return false;
  return weightOf(accept, "application/json") > weightOf(accept, "text/html");
}
