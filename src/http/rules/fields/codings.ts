/** Which content coding a client prefers: RFC 9110, section 12.5.3. @module */

import { trimBlanks } from "../blanks.ts";
import type { Coding } from "../types.ts";

/** Suffix of the sidecar's file name. */
export const SUFFIXES: Readonly<Record<Coding, string>> = { br: ".br", zstd: ".zst", gzip: ".gz" };

/** More members than any browser sends; what follows is not looked at. */
const MOST = 32;

const MEMBER =
  /^[ \t]*([!#$%&'*+\-.^`|~\w]+)[ \t]*(?:;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*)?$/i;

/**
 * Orders the codings that a client accepts by its weights, then by `offered`.
 *
 * The file as it is counts as less wanted than every coding that is named, unless `identity` has
 * been given a weight of its own: codings below that are left out.
 *
 * @param accept Value of Accept-Encoding; without one nothing is accepted but the file as it is.
 * @param offered Codings in the order in which the server prefers them.
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
    // The sort is stable, so that of equal weights the server's order decides.
    .sort((a, b) => weightOf(b) - weightOf(a));
}

const NONE: readonly Coding[] = Object.freeze([]);

function parseWeights(accept: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const member of accept.split(",", MOST)) {
    const match = MEMBER.exec(member);
    // A member that is not understood is not accepted.
    if (match !== null) weights.set(match[1]!.toLowerCase(), Number(match[2] ?? 1));
  }
  return weights;
}

/** Whether a client prefers JSON to HTML (section 12.5.1); without a preference it gets HTML. */
export function prefersJson(accept: string | null | undefined): boolean {
  if (!accept?.includes("json")) return false;
  const weight = (type: string) => {
    for (const member of accept.split(",", MOST)) {
      const [name, ...parameters] = member.split(";").map((part) => trimBlanks(part).toLowerCase());
      if (name !== type) continue;
      const q = parameters.find((parameter) => parameter.startsWith("q="));
      return q === undefined ? 1 : Number(q.slice(2)) || 0;
    }
    return 0;
  };
  return weight("application/json") > weight("text/html");
}
