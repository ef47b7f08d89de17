/** Socket addresses: `struct sockaddr_in`, `sockaddr_in6` and `sockaddr_un`. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { describe, integer } from "../arguments.ts";
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from "./ip.ts";

/** An address of a network socket. */
export interface IpAddress {
  /** Version of the protocol. */
  readonly family: "IPv4" | "IPv6";
  /** Numeric address, such as `"127.0.0.1"` or `"::1"`; host names are not resolved. */
  readonly address: string;
  /** Port, 0..65535; with 0, `bind()` chooses one. */
  readonly port: number;
  /**
   * Index of the interface that a link-local IPv6 address (`fe80::/10`) belongs to, from 1: see
   * ipv6(7), `sin6_scope_id`. Absent for other addresses.
   */
  readonly scopeId?: number | undefined;
}

/** An address of a Unix socket. */
export interface UnixAddress {
  /** Kind of the address. */
  readonly family: "Unix";
  /**
   * At most 107 bytes of UTF-8. A leading NUL makes an abstract name, which is not a file; an empty
   * path is a socket without a name.
   */
  readonly path: string;
}

/** Address of a socket or of its peer. */
export type SocketAddress = IpAddress | UnixAddress;

/** Length of the longest address in bytes: two of family and 108 of path. */
export const MAX_ADDRESS = 110;

const { AF_INET, AF_INET6, AF_UNIX } = platform.socket;
const MAX_PATH = 107;

/** Encodes an address as a C structure. */
export function encodeAddress(address: SocketAddress): Uint8Array {
  switch (address?.family) {
    case "IPv4":
      return encodeIp(address, AF_INET, 16, 4, parseIpv4(address.address));
    case "IPv6":
      return encodeIp(address, AF_INET6, 28, 8, parseIpv6(address.address));
    case "Unix":
      return encodeUnix(address.path);
  }
  throw new TypeError(
    `Cannot use ${describe(address)} as an address: expected family "IPv4", "IPv6" or "Unix"`,
  );
}

/** Decodes an address from a C structure. */
export function decodeAddress(bytes: Uint8Array): SocketAddress {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  switch (familyOf(view)) {
    case AF_INET:
      return { family: "IPv4", address: formatIpv4(bytes.subarray(4, 8)), port: view.getUint16(2) };
    case AF_INET6:
      return {
        family: "IPv6",
        address: formatIpv6(bytes.subarray(8, 24)),
        port: view.getUint16(2),
        ...(view.getUint32(24, true) !== 0 && { scopeId: view.getUint32(24, true) }),
      };
    case AF_UNIX:
      return { family: "Unix", path: decodePath(bytes.subarray(2)) };
  }
  throw new TypeError(`Cannot read an address of family ${familyOf(view)}`);
}

function encodeIp(
  { address, family, port, scopeId = 0 }: IpAddress,
  number: number,
  length: number,
  place: number,
  digits: Uint8Array | undefined,
): Uint8Array {
  if (digits === undefined) {
    throw new TypeError(`Cannot use ${describe(address)} as an ${family} address`);
  }
  const view = start(number, length);
  view.setUint16(2, integer(port, "port", 0, 0xffff));
  const bytes = new Uint8Array(view.buffer);
  bytes.set(digits, place);
  // In the machine's byte order: all supported processors are little-endian.
  if (family === "IPv6") view.setUint32(24, integer(scopeId, "scopeId", 0, 0xffffffff), true);
  return bytes;
}

function encodeUnix(path: string): Uint8Array {
  const name = new TextEncoder().encode(typeof path === "string" ? path : "");
  const abstract = name[0] === 0;
  if (name.length > MAX_PATH || name.length === 0 || (!abstract && name.includes(0))) {
    throw new TypeError(
      `Cannot use ${describe(path)} as a path: expected 1 to ${MAX_PATH} bytes, NUL only in front`,
    );
  }
  // The length ends an abstract name; a NUL ends a path.
  const view = start(AF_UNIX, 2 + name.length + (abstract ? 0 : 1));
  const bytes = new Uint8Array(view.buffer);
  bytes.set(name, 2);
  return bytes;
}

function decodePath(bytes: Uint8Array): string {
  const end = bytes[0] === 0 ? bytes.length : bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Allocates an address. On macOS, the first two bytes hold length and family. */
function start(family: number, length: number): DataView<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(length));
  if (platform.os === "linux") view.setUint16(0, family, true);
  else view.setUint16(0, (length << 8) | family);
  return view;
}

function familyOf(view: DataView): number {
  return platform.os === "linux" ? view.getUint16(0, true) : view.getUint8(1);
}
