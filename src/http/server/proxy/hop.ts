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

type Last = "close" | "keep-alive" | "upgrade";

/** The last lines of a head, by the value of Connection. */
const LAST: Readonly<Record<Last, Uint8Array>> = {
  "close": latin1Bytes("Connection: close\r\n\r\n"),
  "keep-alive": latin1Bytes("Connection: keep-alive\r\n\r\n"),
  "upgrade": latin1Bytes("Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
};

/** The end of a head of an interim response, which has no Connection field. */
export const INTERIM_END: Uint8Array = latin1Bytes("\r\n");

/** Returns the last lines of a head: its Connection field and the empty line. */
export function lastLines(connection: Last, required?: string): Uint8Array {
  if (connection === "upgrade" || required === undefined) return LAST[connection];
  return latin1Bytes(`Connection: ${connection}, upgrade\r\nUpgrade: ${required}\r\n\r\n`);
}
