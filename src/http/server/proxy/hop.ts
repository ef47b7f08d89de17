/** Hop-by-hop header fields, which are not forwarded: RFC 9110, 7.6.1. @module */

import { trimBlanks } from "../../rules/blanks.ts";
import { Field } from "../parser/field_names.ts";
import type { HeaderFields } from "../parser/header_fields.ts";
import { equalsIgnoringCase } from "../parser/name_table.ts";
import { latin1Bytes } from "../parser/syntax.ts";

/** Hop-by-hop fields of requests, and one that CGI programs take for the name of a proxy. */
export const OF_THIS_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** Fields that Connection cannot remove: without them, it would be a different message. */
export const KEPT: ReadonlySet<string> = new Set(["host", "content-length", "transfer-encoding"]);

const KEEP_ALIVE = latin1Bytes("keep-alive");

/**
 * Names listed in Connection, in lower case; `null` if it is absent, or has its usual value, which
 * names a field that is never forwarded.
 */
export function namedByConnection(head: HeaderFields): ReadonlySet<string> | null {
  if ((head.known & Field.CONNECTION) === 0) return null;
  const [start, end] = head.place(Field.CONNECTION)!;
  const usual = (head.twice & Field.CONNECTION) === 0 && end - start === KEEP_ALIVE.length &&
    equalsIgnoringCase(head.bytes, start, KEEP_ALIVE);
  if (usual) return null;
  return new Set(head.header("connection")!.toLowerCase().split(",").map(trimBlanks));
}
