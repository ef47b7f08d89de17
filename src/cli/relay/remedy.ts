/** Remedies for addresses on which the relay cannot listen. @module */

const REMEDIES: Readonly<Record<string, (address: string) => string>> = {
  EADDRINUSE: (address) =>
    address.startsWith("unix:")
      ? "the path exists; end the program that listens on it, or remove a stale socket"
      : "another program listens there; choose another port, or 0 for any",
  EACCES: (address) =>
    address.startsWith("unix:")
      ? "choose a folder that you may write to"
      : "ports below net.ipv4.ip_unprivileged_port_start, normally 1024, need privileges; choose " +
        "a higher one",
  EADDRNOTAVAIL: () => "this machine has no such address; 0.0.0.0 and [::] listen on all of them",
  ENOENT: () => "the folder of the path does not exist; create it first",
  ENOTFOUND: () => "the name does not resolve; give an address",
};

/** Adds a remedy to the error, if one is known. */
export function withRemedy(error: unknown, address: string): unknown {
  const remedy = REMEDIES[(error as NodeJS.ErrnoException | null)?.code ?? ""];
  if (remedy === undefined) return error;
  return new Error(`${(error as Error).message}: ${remedy(address)}`);
}
