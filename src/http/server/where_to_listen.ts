/** From options to the address of a socket. @module */

import { builtin } from "../../builtins.ts";
import type { SocketAddress } from "../../sys/address.ts";

/** Looks names up; addresses are taken as they are. */
export async function whereToListen(
  { host, path, port }: {
    readonly host: string;
    readonly path: string | undefined;
    readonly port: number;
  },
): Promise<SocketAddress> {
  if (path !== undefined) return { family: "Unix", path };
  const name = host.replace(/^\[|\]$/g, "");
  const { isIPv4, isIPv6 } = builtin("net");
  if (isIPv4(name)) return { family: "IPv4", address: name, port };
  if (isIPv6(name)) return { family: "IPv6", address: name, port };
  const { address, family } = await builtin("dns").promises.lookup(name);
  return { family: family === 6 ? "IPv6" : "IPv4", address, port };
}
