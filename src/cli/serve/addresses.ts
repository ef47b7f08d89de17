/** Under which addresses a server can be reached. @module */

import { networkInterfaces } from "node:os";

/** Addresses to open in a browser. */
export interface Urls {
  /** On this machine. */
  readonly local: string;
  /** From other machines; none when only this one is listened to. */
  readonly network: readonly string[];
}

/** Names the addresses of a server that listens on `address`. */
export function urlsOf(address: string, port: number, scheme: string = "http"): Urls {
  const urlOf = (host: string, at: number) =>
    `${scheme}://${host.includes(":") ? `[${host}]` : host}:${at}/`;
  if (address !== "0.0.0.0" && address !== "::") {
    const url = urlOf(address, port);
    return /^(?:127\.|::1$)/.test(address) ? { local: url, network: [] } : {
      local: url,
      network: [url],
    };
  }
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  // A link-local IPv6 address is of no use without the name of the interface.
  const outside = all.filter(({ address: own, family, internal }) =>
    !internal && !own.startsWith("fe80:") && (family === "IPv4" || address === "::")
  );
  // Those that people can type come first.
  outside.sort((a, b) => Number(a.family === "IPv6") - Number(b.family === "IPv6"));
  return {
    local: urlOf("localhost", port),
    network: outside.map(({ address: own }) => urlOf(own, port)),
  };
}
