/**
 * What sluice uses of a runtime beyond its documented API, and how it checks that.
 *
 * A release may change any of it without notice. Each check compares with something documented, or with
 * the kernel. If a check fails, the bytes go through the runtime's own write.
 *
 * | used | must be | check |
 * | --- | --- | --- |
 * | `socket._handle.fd` (Node.js, Bun), `_handle.fdForIpc()` (Deno) | the descriptor of this connection | first use: ports of getsockname(2) and getpeername(2) against `address()` and `remotePort` |
 * | `Deno.Conn[Symbol(Deno.internal.fd)]`, `fd` of Bun's sockets | the same | the same, against `localAddr`, `remoteAddr`; `localPort`, `remotePort` |
 * | `_handle.writeQueueSize` (Node.js) | bytes that libuv holds back | each use: a number; `writableLength` is documented, and has to be 0 as well |
 * | `_handle.reading`, `readStop()`, `readStart()` (Node.js), `readStop()` (Deno), `pause()` (Bun) | reading stops at once | each use: types; on Node.js `bytesRead` may not change until reading starts again |
 * | `response._header`, `_headerSent`, `_hasBody` | the head, whether the socket has it, whether a body follows | each use: types, the text of a status line, agreement with `headersSent` |
 * | `socket._httpMessage` | the response that has the socket | each use: `response.socket` before the first byte |
 * | `ReadStream` `fd`, `pos`, `end` | descriptor, next byte, last byte | each use: types, `pos` against `start` and `bytesRead`, or the file's own position against `bytesRead` |
 * | `Symbol.toStringTag` of Bun's sockets | which have TLS | none: an unknown tag is refused |
 *
 * Destinations of a pipe and undelivered bytes are counted by the stream itself: see `FileStream`.
 *
 * @module
 */

import type { ServerResponse } from "node:http";
import { available } from "../sys/libc.ts";
import * as raw from "../sys/raw/mod.ts";

/** Bytes of `struct sockaddr_in6`, the longest with a port. */
const ADDRESS_BYTES = 28;
const address = new Uint8Array(ADDRESS_BYTES);

/** Where a runtime shows a descriptor. */
export type DescriptorSource = "_handle.fd" | "fdForIpc()" | "Deno.Conn" | "Bun.Socket";

const verified = new Set<DescriptorSource>();

/** Whether the kernel has agreed with a source already. */
export function isVerified(source: DescriptorSource): boolean {
  return verified.has(source);
}

/** The two ports of a connection, as its runtime documents them; `undefined` where it has none. */
export interface Ports {
  readonly local: number | undefined;
  readonly remote: number | undefined;
}

/**
 * Whether `fd` is the connection with these ports. Asks the kernel until it has agreed once for this
 * source; connections without ports are not compared.
 */
export function isDescriptorOf(source: DescriptorSource, fd: number, ports: () => Ports): boolean {
  if (isVerified(source) || !available()) return true;
  const { local, remote } = ports();
  if (local === undefined || remote === undefined) return true;
  const [ours, theirs] = [raw.getsockname, raw.getpeername].map((call) => portBy(call, fd));
  // A peer that has gone is no mistake of the runtime, and settles nothing.
  if (ours === local && theirs === undefined) return true;
  if (ours !== local || theirs !== remote) return false;
  verified.add(source);
  return true;
}

function portBy(
  call: (fd: number, target: Uint8Array) => number,
  fd: number,
): number | undefined {
  // Both families have it at the same place, in network order (ip(7), ipv6(7)).
  return call(fd, address) < 4 ? undefined : address[2]! << 8 | address[3]!;
}

/** The undocumented part of a response that is used; Bun lacks it. */
export interface ResponseInternals {
  /** The head as it was, or will be, written. */
  readonly _header?: string | object | null;
  /** Whether that has been passed to the socket. */
  readonly _headerSent?: boolean;
  /** False for HEAD, 204 and 304. */
  readonly _hasBody?: boolean;
}

/** Whether the fields of a response mean what {@linkcode ResponseInternals} says. */
export function isKnownResponse(res: ServerResponse): boolean {
  const { _header: head, _headerSent: sent, _hasBody: body } = res as ResponseInternals;
  if (typeof sent !== "boolean" || typeof body !== "boolean") return false;
  if (typeof res.chunkedEncoding !== "boolean") return false;
  if (head === null) return !sent && !res.headersSent;
  return typeof head === "string" && res.headersSent && /^HTTP\/1\.[01] \d{3} /.test(head);
}

/** The fields of a `ReadStream` that are used; all but `bytesRead` are undocumented. */
interface StreamFields {
  readonly fd: unknown;
  readonly pos: unknown;
  readonly end: unknown;
  readonly bytesRead: number;
}

/**
 * Whether the fields of a file stream mean what they did when this was written.
 *
 * @param start The option of the same name.
 * @param filePosition Asks for the position of a file that the stream opened itself.
 */
export function isKnownStream(
  stream: StreamFields,
  start: number | undefined,
  filePosition: (() => number) | undefined,
): boolean {
  const { fd, pos, end, bytesRead } = stream;
  if (!Number.isSafeInteger(fd) || typeof end !== "number" || !isWritable(stream, "bytesRead")) {
    return false;
  }
  if (pos !== undefined) return pos === (start ?? 0) + bytesRead && isWritable(stream, "pos");
  return start === undefined && (filePosition === undefined || filePosition() === bytesRead);
}

function isWritable(object: object, name: string): boolean {
  return Object.getOwnPropertyDescriptor(object, name)?.writable === true;
}
