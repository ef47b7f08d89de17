/** Builds the head of a forwarded request. @module */

import { Field } from "../parser/field_names.ts";
import { splitTarget } from "../../rules/target.ts";
import type { HeadWriter } from "../parser/head_writer.ts";
import { NameTable } from "../parser/name_table.ts";
import type { RequestHead } from "../parser/request_head.ts";
import { Method } from "../parser/request_line.ts";
import { latin1, latin1Bytes } from "../parser/syntax.ts";
import { type Accel, OF_SERVERS } from "../response/accel.ts";
import { namedByConnection, OF_THIS_HOP } from "./hop.ts";
import type { Forwarding } from "./options.ts";

/** What happens to a field on its way to the program. */
const Kind = { HOP: 1, HOST: 2, EXPECT: 3, KEPT: 4 } as const;

/**
 * Fields that are not just copied. Trailers are dropped: a program could mistake a trailer field for
 * one of the head.
 */
const KINDS = new NameTable({
  ...Object.fromEntries([...OF_THIS_HOP, "trailer"].map((name) => [name, Kind.HOP])),
  "host": Kind.HOST,
  "expect": Kind.EXPECT,
  "content-length": Kind.KEPT,
});

/** Fields about the client; with underscores too, because some programs treat them like hyphens. */
const WHO = new NameTable({
  "forwarded": 1,
  "x-forwarded-for": 2,
  "x-forwarded-host": 1,
  "x-forwarded-proto": 1,
  "x-real-ip": 1,
}, true);

const FORWARDED_FOR = 2;

const SERVERS = new NameTable(
  Object.fromEntries([...OF_SERVERS].map((name) => [name, 1])),
  true,
);

const UNDERSCORE = 0x5f;

/** Whether a target can be forwarded, as it is or converted from the absolute form. */
export function isPassable(head: RequestHead): boolean {
  return head.bytes[head.targetStart] === SLASH || splitTarget(head.target) !== 400;
}

const SLASH = 0x2f;

/** Whether a request asks to switch to WebSocket, the only protocol that is forwarded. */
export function wantsWebSocket(head: RequestHead): boolean {
  // With "h2c", a client could send requests that bypass all checks here.
  return (head.known & Field.UPGRADE) !== 0 && head.minor === 1 && head.method === Method.GET &&
    head.header("upgrade")!.toLowerCase() === "websocket" &&
    (namedByConnection(head)?.has("upgrade") ?? false);
}

/** Who asks, and how the request is to be passed on. */
export interface Passing {
  readonly accel: Accel;
  /** Numeric address of the client; empty if unknown. */
  readonly client: string;
  readonly forwarded: Forwarding;
  /** Value of Host for an HTTP/1.0 request without one. */
  readonly host: string;
  readonly scheme: "http" | "https";
  /** Whether the connection may carry other requests afterwards. */
  readonly shared: boolean;
  readonly upgrade: boolean;
  readonly via: boolean;
}

/** Writes the head for the program: the same request without hop-by-hop fields. */
export function writePassedHead(head: RequestHead, passing: Passing, writer: HeadWriter): void {
  const { accel, forwarded, host: own, shared, upgrade, via } = passing;
  const { bytes, count, fields, known } = head;
  const authority = writeRequestLine(head, writer);
  const dropped = namedByConnection(head);
  let host = -1;
  let chain = "";
  for (let place = 0; place < 4 * count; place += 4) {
    const start = fields[place]!;
    const end = fields[place + 1]!;
    const kind = KINDS.find(bytes, start, end);
    if (kind === Kind.HOP) continue;
    if (kind === Kind.HOST) {
      if (authority !== undefined) continue;
      host = place;
    } else if (kind === Kind.EXPECT && head.minor === 0) continue;
    else if (kind !== Kind.KEPT && dropped?.has(latin1(bytes, start, end).toLowerCase())) continue;
    if (accel !== false && SERVERS.find(bytes, start, end) !== 0) continue;
    const who = forwarded === false ? 0 : WHO.find(bytes, start, end);
    if (who === 0) writer.field(bytes, fields, place);
    // With underscores, it is neither replaced nor understood.
    else if (forwarded === "append" && !bytes.subarray(start, end).includes(UNDERSCORE)) {
      if (who !== FORWARDED_FOR) writer.field(bytes, fields, place);
      else chain += `${chain && ", "}${latin1(bytes, fields[place + 2]!, fields[place + 3]!)}`;
    }
  }
  // HTTP/1.1 requires a Host field.
  if (authority === undefined && host < 0) writer.text(`Host: ${own}\r\n`);
  if (forwarded !== false) {
    const asked = host < 0 ? authority : latin1(bytes, fields[host + 2]!, fields[host + 3]!);
    writeWhoAsked(head, passing, { chain, host: asked }, writer);
  }
  if (via) writer.text(`Via: 1.${head.minor} sluice\r\n`);
  if ((known & Field.TRANSFER_ENCODING) !== 0) writer.text("Transfer-Encoding: chunked\r\n");
  // A connection that carries a body carries no other request, so requests cannot mix.
  if (upgrade) writer.add(UPGRADE);
  else if (!shared) writer.add(CLOSE);
  writer.endLine();
}

/** Writes the request line, and `Host` if the target names it, which is returned. */
function writeRequestLine(head: RequestHead, writer: HeadWriter): string | undefined {
  const { bytes, start, targetEnd, targetStart } = head;
  if (bytes[targetStart] === SLASH) {
    // The parser has seen one space between the two.
    writer.add(bytes, start, targetEnd);
    writer.add(VERSION);
    return undefined;
  }
  const parts = splitTarget(head.target);
  if (parts === 400) throw new TypeError("Cannot pass a request on: its target is malformed");
  const { authority, path, query } = parts;
  writer.text(`${head.methodName} ${path}${query}`);
  writer.add(VERSION);
  writer.text(`Host: ${authority}\r\n`);
  return authority;
}

// RFC 9112, 2.3: an intermediary sends its own version instead of the client's.
const VERSION = latin1Bytes(" HTTP/1.1\r\n");
const UPGRADE = latin1Bytes("Connection: Upgrade\r\nUpgrade: websocket\r\n");
const CLOSE = latin1Bytes("Connection: close\r\n");

/** Writes the fields that tell who asks; `host` is what the client has asked for, if it has. */
function writeWhoAsked(
  head: RequestHead,
  { client, forwarded, scheme }: Passing,
  { chain, host }: { readonly chain: string; readonly host: string | undefined },
  writer: HeadWriter,
): void {
  const add = (name: Uint8Array, lower: string, value: string | undefined) => {
    if (!value || (forwarded === "append" && head.header(lower) !== undefined)) return;
    writer.add(name);
    writer.text(value);
    writer.endLine();
  };
  if (chain !== "" || client !== "") {
    writer.add(FOR);
    writer.text(chain);
    if (chain !== "" && client !== "") writer.text(", ");
    writer.text(client);
    writer.endLine();
  }
  add(FOR_HOST, "x-forwarded-host", host);
  add(FOR_SCHEME, "x-forwarded-proto", scheme);
}

const FOR = latin1Bytes("X-Forwarded-For: ");
const FOR_HOST = latin1Bytes("X-Forwarded-Host: ");
const FOR_SCHEME = latin1Bytes("X-Forwarded-Proto: ");
