/** Parses and resolves addresses to listen on and to connect to. @module */

import { builtin } from "../../builtins.ts";
import { describe } from "../../options.ts";
import type { IpAddress, SocketAddress } from "../../sys/net/address.ts";
import { parseIpv4, parseIpv6 } from "../../sys/net/ip.ts";

/** A port, or the path of a Unix socket. */
export type Endpoint =
  | {
    /** Host name or address. Default: `"127.0.0.1"`. */
    readonly host?: string | undefined;
    /** 0..65535; with 0, the system chooses a port to listen on. */
    readonly port: number;
  }
  | {
    /** Path of a Unix socket; a leading NUL makes an abstract name. */
    readonly path: string;
  };

const LOOPBACK = "127.0.0.1";
const FORMS = '"host:port", "[::1]:port", ":port" or "unix:/path"';

/**
 * Parses `"host:port"`, `"[::1]:port"`, `":port"` or `"unix:/path"`, or checks an object.
 *
 * @param role Purpose of the endpoint, for the error message.
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
  if (host.includes("%") && !isIpv6(host)) throw wrong(host, role);
  if (typeof port !== "number") throw wrong(port, role);
  return { host, port: checkPort(port, role) };
}

/** Resolves an endpoint to listen on, to the first address of a name. */
export async function resolveEndpoint(endpoint: Endpoint): Promise<SocketAddress> {
  return (await resolveAll(endpoint))[0]!;
}

/**
 * Resolves an endpoint to connect to, to all addresses in the order in which to try them.
 *
 * The resolver has ordered them (RFC 6724). Families alternate, as in RFC 8305, section 4, so that
 * an unreachable family does not delay the other one.
 *
 * @throws {Error} With `code` `"ENOTFOUND"` and others when a name cannot be resolved.
 */
export async function resolveAll(endpoint: Endpoint): Promise<SocketAddress[]> {
  if ("path" in endpoint) return [{ family: "Unix", path: endpoint.path }];
  const { host = LOOPBACK, port } = endpoint;
  if (parseIpv4(host) !== undefined) return [{ family: "IPv4", address: host, port }];
  if (isIpv6(host)) return [ipv6Address(host, port)];
  const { lookup } = builtin("dns").promises;
  const found = await lookup(host, { all: true, verbatim: true });
  const first = found.filter(({ family }) => family === found[0]!.family);
  const others = found.filter(({ family }) => family !== found[0]!.family);
  const ordered = first.flatMap((address, i) => [address, ...others.slice(i, i + 1)])
    .concat(others.slice(first.length));
  return ordered.map(({ address, family }) =>
    family === 6 ? ipv6Address(address, port) : { family: "IPv4", address, port }
  );
}

/** Host of an address, in the runtimes' format. */
export function hostOfAddress({ address, scopeId }: IpAddress): string {
  return scopeId === undefined ? address : `${address}%${scopeId}`;
}

/** Whether this is an IPv6 address, with or without a zone such as `%eth0` (RFC 4007, 11). */
function isIpv6(host: string): boolean {
  const [address, zone, ...more] = host.split("%");
  return parseIpv6(address!) !== undefined && zone !== "" && more.length === 0 &&
    !zone?.includes("/");
}

function ipv6Address(host: string, port: number): IpAddress {
  const [address, zone] = host.split("%") as [string, string?];
  return { family: "IPv6", address, port, ...(zone !== undefined && { scopeId: indexOf(zone) }) };
}

/** Index of an interface, by its name or by the index itself. */
function indexOf(zone: string): number {
  if (/^[1-9]\d{0,8}$/.test(zone)) return Number(zone);
  let index = 0;
  try {
    // The source that if_nametoindex(3) also uses.
    index = Number(builtin("fs").readFileSync(`/sys/class/net/${zone}/ifindex`, "latin1"));
  } catch {
    // No such interface, or not Linux.
    index = builtin("os").networkInterfaces()[zone]?.find((own) => own.family === "IPv6")
      ?.scopeid ?? 0;
  }
  if (index > 0) return index;
  const message = `Cannot use the zone "${zone}": there is no such network interface`;
  throw Object.assign(new Error(message), { code: "ENODEV" });
}

/** Formats an address so that {@linkcode parseEndpoint} can read it. */
export function formatAddress(address: SocketAddress): string {
  switch (address.family) {
    case "Unix":
      return `unix:${address.path}`;
    case "IPv4":
      return `${address.address}:${address.port}`;
    case "IPv6":
      return `[${hostOfAddress(address)}]:${address.port}`;
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
  if (match[1] !== undefined && !isIpv6(match[1])) throw wrong(text, role);
  return { host: match[1] ?? (match[2] || LOOPBACK), port: checkPort(Number(match[3]), role) };
}

function checkPort(port: number, role: string): number {
  if (Number.isInteger(port) && port >= 0 && port <= 0xffff) return port;
  throw new RangeError(`Cannot use port ${port} as the ${role}: expected an integer in 0..65535`);
}

function wrong(value: unknown, role: string): TypeError {
  return new TypeError(`Cannot use ${describe(value)} as the ${role}: expected ${FORMS}`);
}
