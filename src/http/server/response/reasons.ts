/** Reason phrases of status lines. @module */

import { PHRASES } from "../../rules/phrases.ts";

/** Reason phrase of a status; only people read it. */
export function reasonOf(status: number): string {
  return PHRASES.get(status) ?? "Unknown";
}
