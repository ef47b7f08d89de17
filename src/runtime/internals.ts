/**
 * Undocumented parts of a runtime that sluice uses, and the checks of each.
 *
 * A release may change any of them without notice. Each check compares with a documented value, or
 * with the kernel. If a check fails, the bytes go through the runtime's own write.
 *
 * | used | must be | check |
 * | --- | --- | --- |
 * | `socket._handle.fd` (Node.js, Bun), `_handle.fdForIpc()` (Deno) | the descriptor of this connection | first use: ports of getsockname(2) and getpeername(2) against `address()` and `remotePort` |
 * | `Deno.Conn[Symbol(Deno.internal.fd)]`, `fd` of Bun's sockets | the same | the same, against `localAddr`, `remoteAddr`; `localPort`, `remotePort` |
 * | `socket.server._handle.fd` (Node.js, Bun), its `fdForIpc()` (Deno), `socket.listener.fd` of Bun's sockets | the listener of this connection | each use: it listens, on the port of the connection |
 * | `_handle.writeQueueSize` (Node.js) | bytes that libuv buffers | each use: a number; the documented `writableLength` must also be 0 |
 * | `_handle.reading`, `readStop()`, `readStart()` (Node.js), `readStop()` (Deno), `pause()` (Bun) | reading stops at once | each use: types; on Node.js `bytesRead` must not change until reading restarts |
 * | a descriptor of the process with both addresses of a response's socket (Bun) | the connection of that response | each use: getsockname(2) and getpeername(2) of the duplicate; TCP_INFO, for all that passes through Bun |
 * | `response._header`, `_headerSent`, `_hasBody` | the head, whether it was passed to the socket, whether a body follows | each use: types, the text of a status line, agreement with `headersSent` |
 * | `socket._httpMessage` | the response that owns the socket | each use: `response.socket` before the first byte |
 * | `_handle._parentWrap.stream` of a `TLSSocket`; the listener `tlsConnectionListener` (Node.js) | the stream that sluice made; what starts TLS | each use: a stream that sluice made; the name |
 * | `_write`, `_writev` of a `TLSSocket` (Node.js) | what writes pass through | none: they are of `stream.Writable` |
 * | numbers of files that `node:fs` opens, and takes | the kernel's descriptors | first file of this machine, each way: its inode by fstat() of the runtime, and by statx(2) |
 * | `ReadStream` `fd`, `pos`, `end` | descriptor, next byte, last byte | each use: types, `pos` against `start` and `bytesRead`, or the file's own position against `bytesRead` |
 * | `Symbol.toStringTag` of Bun's sockets | whether they use TLS | none: an unknown tag is rejected |
 *
 * The stream itself counts its pipe destinations and undelivered bytes: see `FileStream`.
 *
 * @module
 */

import type { ServerResponse } from "node:http";
import { available } from "../sys/libc.ts";
import * as raw from "../sys/raw/mod.ts";

/** Length of `struct sockaddr_in6`, the longest address with a port, in bytes. */
const ADDRESS_BYTES = 28;
const address = new Uint8Array(ADDRESS_BYTES);

/** Where a runtime exposes a descriptor. */
export type DescriptorSource = "_handle.fd" | "fdForIpc()" | "Deno.Conn" | "Bun.Socket";

const verified = new Set<DescriptorSource>();

/** Whether the kernel has already confirmed a source. */
export function isVerified(source: DescriptorSource): boolean {
  return verified.has(source);
}

/** The ports of a connection, from documented properties; `undefined` if it has none. */
export interface Ports {
  readonly local: number | undefined;
  readonly remote: number | undefined;
}

/**
 * Whether `fd` is the connection with these ports. Asks the kernel until it has confirmed this
 * source once; connections without ports are not compared.
 */
export function isDescriptorOf(source: DescriptorSource, fd: number, ports: () => Ports): boolean {
  if (isVerified(source) || !available()) return true;
  const { local, remote } = ports();
  if (local === undefined || remote === undefined) return true;
  const [ours, theirs] = [raw.getsockname, raw.getpeername].map((call) => portBy(call, fd));
  // The peer has disconnected: this neither confirms nor refutes the source.
  if (ours === local && theirs === undefined) return true;
  if (ours !== local || theirs !== remote) return false;
  verified.add(source);
  return true;
}

function portBy(
  call: (fd: number, target: Uint8Array) => number,
  fd: number,
): number | undefined {
  // Both families store the port at the same offset, in network order (ip(7), ipv6(7)).
  return call(fd, address) < 4 ? undefined : address[2]! << 8 | address[3]!;
}

/** The undocumented part of a response that is used here; Bun lacks it. */
export interface ResponseInternals {
  /** The head as it was or will be written. */
  readonly _header?: string | object | null;
  /** Whether the head has been passed to the socket. */
  readonly _headerSent?: boolean;
  /** False for HEAD, 204 and 304. */
  readonly _hasBody?: boolean;
}

/** Whether the fields of a response match {@linkcode ResponseInternals}. */
export function isKnownResponse(res: ServerResponse): boolean {
  const { _header: head, _headerSent: sent, _hasBody: body } = res as ResponseInternals;
  if (typeof sent !== "boolean" || typeof body !== "boolean") return false;
  if (typeof res.chunkedEncoding !== "boolean") return false;
  if (head === null) return !sent && !res.headersSent;
  return typeof head === "string" && res.headersSent && /^HTTP\/1\.[01] \d{3} /.test(head);
}

/** Fields of a `ReadStream` used here; all except `bytesRead` are undocumented. */
interface StreamFields {
  readonly fd: unknown;
  readonly pos: unknown;
  readonly end: unknown;
  readonly bytesRead: number;
}

/**
 * Whether the fields of a file stream still have the meaning that sluice relies on.
 *
 * @param start The option of the same name.
 * @param filePosition Returns the position of a file that the stream opened itself.
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
