/** Lists the addresses of a server. @module */

import { networkInterfaces } from "node:os";

/** URLs of a server. */
export interface Urls {
  /** On this machine. */
  readonly local: string;
  /** From other machines; empty if the server listens on this machine only. */
  readonly network: readonly string[];
}

/** Returns the URLs of a server that listens on `address`. */
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
  // Link-local IPv6 addresses are useless without the name of the interface.
  const outside = all.filter(({ address: own, family, internal }) =>
    !internal && !own.startsWith("fe80:") && (family === "IPv4" || address === "::")
  );
  // IPv4 addresses come first: they are easier to type.
  outside.sort((a, b) => Number(a.family === "IPv6") - Number(b.family === "IPv6"));
  return {
    local: urlOf("localhost", port),
    network: outside.map(({ address: own }) => urlOf(own, port)),
  };
}
