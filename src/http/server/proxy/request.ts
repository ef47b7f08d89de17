/** Builds the head of a forwarded request. @module */

import { Field } from "../parser/field_names.ts";
import { trimBlanks } from "../../rules/blanks.ts";
import { splitTarget } from "../../rules/target.ts";
import type { RequestHead } from "../parser/request_head.ts";
import { Method } from "../parser/request_line.ts";
import { latin1, latin1Bytes } from "../parser/syntax.ts";
import { type Accel, isOfServers } from "../response/accel.ts";
import { KEPT, OF_THIS_HOP } from "./hop.ts";
import type { Forwarding } from "./options.ts";

/** Fields about the client; with underscores too, because some programs treat them like hyphens. */
const WHO: ReadonlySet<string> = new Set([
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip",
]);

const FORWARDED_FOR = "x-forwarded-for";

/** Whether a target can be forwarded, as it is or converted from the absolute form. */
export function isPassable(head: RequestHead): boolean {
  return head.bytes[head.targetStart] === SLASH || splitTarget(head.target) !== 400;
}

const SLASH = 0x2f;

/** Whether a request asks to switch to WebSocket, the only protocol that is forwarded. */
export function wantsWebSocket(head: RequestHead): boolean {
  // With "h2c", a client could send requests that bypass all checks here.
  return (head.known & Field.UPGRADE) !== 0 && head.minor === 1 && head.method === Method.GET &&
    head.header("upgrade")!.toLowerCase() === "websocket" && named(head).has("upgrade");
}

/**
 * Builds the head for the program: the same request without hop-by-hop fields.
 *
 * @param client Numeric address of the client; empty if unknown.
 */
export function passedHead(
  head: RequestHead,
  { accel, client, forwarded, host: own, scheme, shared, upgrade, via }: {
    readonly accel: Accel;
    readonly client: string;
    readonly forwarded: Forwarding;
    /** Value of Host for an HTTP/1.0 request without one. */
    readonly host: string;
    readonly scheme: "http" | "https";
    /** Whether the connection may carry other requests afterwards. */
    readonly shared: boolean;
    readonly upgrade: boolean;
    readonly via: boolean;
  },
): Uint8Array {
  const dropped = named(head);
  const parts = splitTarget(head.target);
  if (parts === 400) throw new TypeError("Cannot pass a request on: its target is malformed");
  const { authority, path, query } = parts;
  // RFC 9112, 2.3: an intermediary sends its own version instead of the client's.
  const lines = [`${head.methodName} ${path}${query} HTTP/1.1`];
  let chain = "";
  let host = authority;
  if (host !== undefined) lines.push(`Host: ${host}`);
  for (let i = 0; i < head.count; i++) {
    const [name, value] = fieldAt(head, i);
    const lower = name.toLowerCase();
    // Drop trailers: a program could mistake a trailer field for one of the head.
    if (OF_THIS_HOP.has(lower) || lower === "trailer" || (dropped.has(lower) && !KEPT.has(lower))) {
      continue;
    }
    if (lower === "host") {
      if (host !== undefined) continue;
      host = value;
    }
    if (lower === "expect" && head.minor === 0) continue;
    if (accel !== false && isOfServers(lower)) continue;
    if (forwarded !== false && WHO.has(lower.replaceAll("_", "-"))) {
      if (forwarded === "append" && lower === FORWARDED_FOR) {
        chain += chain === "" ? value : `, ${value}`;
      } else if (forwarded === "append" && WHO.has(lower)) lines.push(`${name}: ${value}`);
      continue;
    }
    lines.push(`${name}: ${value}`);
  }
  // HTTP/1.1 requires a Host field.
  if (host === undefined) lines.push(`Host: ${own}`);
  if (forwarded !== false) {
    lines.push(...whoAsked(head, forwarded, { chain, client, host, scheme }));
  }
  if (via) lines.push(`Via: 1.${head.minor} sluice`);
  if ((head.known & Field.TRANSFER_ENCODING) !== 0) lines.push("Transfer-Encoding: chunked");
  // A connection that carries a body carries no other request, so requests cannot mix.
  if (upgrade) lines.push("Connection: Upgrade\r\nUpgrade: websocket");
  else if (!shared) lines.push("Connection: close");
  return latin1Bytes(`${lines.join("\r\n")}\r\n\r\n`);
}

function whoAsked(
  head: RequestHead,
  forwarded: Forwarding,
  { chain, client, host, scheme }: {
    readonly chain: string;
    readonly client: string;
    readonly host: string | undefined;
    readonly scheme: "http" | "https";
  },
): string[] {
  const lines: string[] = [];
  const add = (name: string, value: string | undefined) => {
    const given = forwarded === "append" && head.header(name.toLowerCase()) !== undefined;
    if (value && !given) lines.push(`${name}: ${value}`);
  };
  const all = [chain, client].filter((address) => address !== "").join(", ");
  if (all !== "") lines.push(`X-Forwarded-For: ${all}`);
  add("X-Forwarded-Host", host);
  add("X-Forwarded-Proto", scheme);
  return lines;
}

function fieldAt({ bytes, fields }: RequestHead, index: number): readonly [string, string] {
  const at = 4 * index;
  return [
    latin1(bytes, fields[at]!, fields[at + 1]!),
    latin1(bytes, fields[at + 2]!, fields[at + 3]!),
  ];
}

/** Names listed in Connection, in lower case. */
function named(head: RequestHead): ReadonlySet<string> {
  if ((head.known & Field.CONNECTION) === 0) return NONE;
  const options = head.header("connection") ?? "";
  return new Set(options.toLowerCase().split(",").map(trimBlanks));
}

const NONE: ReadonlySet<string> = new Set();
