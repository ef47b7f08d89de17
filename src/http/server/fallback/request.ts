/** The head of a request as it is passed on. @module */

import { Field } from "../field_names.ts";
import type { RequestHead } from "../request_head.ts";
import { Method } from "../request_line.ts";
import { latin1, latin1Bytes } from "../syntax.ts";
import type { Forwarding } from "./options.ts";

/** Fields of one hop (RFC 9110, 7.6.1), and one that CGI programs take for the name of a proxy. */
const OF_THIS_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** What a client cannot have removed by naming it in Connection: without them it is another request. */
const KEPT: ReadonlySet<string> = new Set(["host", "content-length", "transfer-encoding"]);

/** What says who asked; underscores, because some programs cannot tell them from hyphens. */
const WHO: ReadonlySet<string> = new Set([
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip",
]);

const FORWARDED_FOR = "x-forwarded-for";

/** RFC 9112, 3.2.2: what a server has to accept, and a program need not know. */
const ABSOLUTE = /^https?:\/\/([\w.\-~:[\]]+)(?=[/?]|$)/i;

/** Whether a target can be passed on: as it is, or made from the absolute form. */
export function isPassable(head: RequestHead): boolean {
  return head.bytes[head.targetStart] === SLASH || ABSOLUTE.test(head.target);
}

const SLASH = 0x2f;

/** Whether a request asks for another protocol that is passed on: WebSocket, and nothing else. */
export function wantsWebSocket(head: RequestHead): boolean {
  // With "h2c" a client could speak to the program past all that is checked here.
  return (head.known & Field.UPGRADE) !== 0 && head.minor === 1 && head.method === Method.GET &&
    head.header("upgrade")!.toLowerCase() === "websocket" && named(head).has("upgrade");
}

/**
 * Writes the head for the program: the same request, without what concerns this connection alone.
 *
 * @param client Address of the client in digits; empty where it has none.
 */
export function passedHead(
  head: RequestHead,
  { client, forwarded, scheme, upgrade }: {
    readonly client: string;
    readonly forwarded: Forwarding;
    readonly scheme: "http" | "https";
    readonly upgrade: boolean;
  },
): Uint8Array {
  const dropped = named(head);
  const absolute = ABSOLUTE.exec(head.target);
  const rest = absolute === null ? head.target : head.target.slice(absolute[0].length);
  const target = rest.startsWith("/") ? rest : `/${rest}`;
  const lines = [`${head.methodName} ${target} HTTP/1.${head.minor}`];
  let chain = "";
  let host = absolute?.[1];
  if (host !== undefined) lines.push(`Host: ${host}`);
  for (let i = 0; i < head.count; i++) {
    const [name, value] = fieldAt(head, i);
    const lower = name.toLowerCase();
    if (OF_THIS_HOP.has(lower) || (dropped.has(lower) && !KEPT.has(lower))) continue;
    if (lower === "host") {
      if (host !== undefined) continue;
      host = value;
    }
    if (lower === "expect" && head.minor === 0) continue;
    if (forwarded !== false && WHO.has(lower.replaceAll("_", "-"))) {
      if (forwarded === "append" && lower === FORWARDED_FOR) {
        chain += chain === "" ? value : `, ${value}`;
      } else if (forwarded === "append" && WHO.has(lower)) lines.push(`${name}: ${value}`);
      continue;
    }
    lines.push(`${name}: ${value}`);
  }
  if (forwarded !== false) {
    lines.push(...whoAsked(head, forwarded, { chain, client, host, scheme }));
  }
  lines.push(`Via: 1.${head.minor} sluice`);
  if ((head.known & Field.TRANSFER_ENCODING) !== 0) lines.push("Transfer-Encoding: chunked");
  // Each connection to the program is for one request: nothing of one can become part of another.
  lines.push(upgrade ? "Connection: Upgrade\r\nUpgrade: websocket" : "Connection: close");
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

/** What Connection names, in lower case. */
function named(head: RequestHead): ReadonlySet<string> {
  if ((head.known & Field.CONNECTION) === 0) return NONE;
  const options = head.header("connection") ?? "";
  return new Set(options.toLowerCase().split(",").map((option) => option.trim()));
}

const NONE: ReadonlySet<string> = new Set();
