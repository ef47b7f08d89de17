/** What a status line says beside the status. @module */

import { PHRASES } from "../../rules/phrases.ts";

/** What a status means, in words; nothing reads them but people. */
export function reasonOf(status: number): string {
  return PHRASES.get(status) ?? "Unknown";
}
