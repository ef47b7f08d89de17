/** Where to listen and whom to connect to, as a user writes it. @module */

import { builtin } from "../../builtins.ts";
import { describe } from "../../options.ts";
import type { SocketAddress } from "../../sys/net/address.ts";
import { parseIpv4, parseIpv6 } from "../../sys/net/ip.ts";

/** A port, or the path of a Unix socket. */
export type Endpoint =
  | {
    /** Name or address. Default: `"127.0.0.1"`. */
    readonly host?: string | undefined;
    /** 0..65535; 0 lets the system choose one to listen on. */
    readonly port: number;
  }
  | {
    /** Path of a Unix socket; a leading NUL makes an abstract name. */
    readonly path: string;
  };

const LOOPBACK = "127.0.0.1";
const FORMS = '"host:port", "[::1]:port", ":port" or "unix:/path"';

/**
 * Reads `"host:port"`, `"[::1]:port"`, `":port"` or `"unix:/path"`, or checks an object.
 *
 * @param role What it is for, to be named in the error.
 *
 * @throws {TypeError} When it is none of these.
 * @throws {RangeError} When the port is not in 0..65535.
 */
export function parseEndpoint(value: string | Endpoint, role: string): Endpoint {
  if (typeof value === "string") return parseText(value, role);
  if (typeof value !== "object" || value === null) throw wrong(value, role);
  if ("path" in value) {
    if (typeof value.path !== "string" || value.path === "") throw wrong(value.path, role);
    return { path: value.path };
  }
  const { host = LOOPBACK, port } = value;
  if (typeof host !== "string" || host === "") throw wrong(host, role);
  if (typeof port !== "number") throw wrong(port, role);
  return { host, port: checkPort(port, role) };
}

/** The address behind an endpoint; a name is looked up, and its first address taken. */
export async function resolveEndpoint(endpoint: Endpoint): Promise<SocketAddress> {
  if ("path" in endpoint) return { family: "Unix", path: endpoint.path };
  const { host = LOOPBACK, port } = endpoint;
  if (parseIpv4(host) !== undefined) return { family: "IPv4", address: host, port };
  if (parseIpv6(host) !== undefined) return { family: "IPv6", address: host, port };
  const { lookup } = builtin("dns").promises;
  const { address, family } = await lookup(host, { verbatim: true });
  return { family: family === 6 ? "IPv6" : "IPv4", address, port };
}

/** An address as {@linkcode parseEndpoint} reads it. */
export function formatAddress(address: SocketAddress): string {
  switch (address.family) {
    case "Unix":
      return `unix:${address.path}`;
    case "IPv4":
      return `${address.address}:${address.port}`;
    case "IPv6":
      return `[${address.address}]:${address.port}`;
  }
}

function parseText(text: string, role: string): Endpoint {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (path === "") throw wrong(text, role);
    return { path };
  }
  // A name or an IPv4 address has no colon; an IPv6 address stands in brackets.
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,6})$/.exec(text);
  if (match === null) throw wrong(text, role);
  if (match[1] !== undefined && parseIpv6(match[1]) === undefined) throw wrong(text, role);
  return { host: match[1] ?? (match[2] || LOOPBACK), port: checkPort(Number(match[3]), role) };
}

function checkPort(port: number, role: string): number {
  if (Number.isInteger(port) && port >= 0 && port <= 0xffff) return port;
  throw new RangeError(`Cannot use port ${port} as the ${role}: expected an integer in 0..65535`);
}

function wrong(value: unknown, role: string): TypeError {
  return new TypeError(`Cannot use ${describe(value)} as the ${role}: expected ${FORMS}`);
}
