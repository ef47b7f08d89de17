/** What to do about an address on which nobody can listen. @module */

const REMEDIES: Readonly<Record<string, (address: string) => string>> = {
  EADDRINUSE: (address) =>
    address.startsWith("unix:")
      ? "the path exists; end the program that listens on it, or remove what one left behind"
      : "another program listens there; choose another port, or 0 for any",
  EACCES: (address) =>
    address.startsWith("unix:")
      ? "choose a folder that you may write to"
      : "ports below net.ipv4.ip_unprivileged_port_start, normally 1024, take privileges; choose " +
        "a higher one",
  EADDRNOTAVAIL: () => "this machine has no such address; 0.0.0.0 and [::] listen on all of them",
  ENOENT: () => "the folder of the path does not exist; make it first",
  ENOTFOUND: () => "no such name is known; write the address itself",
};

/** The same error, with the remedy behind its message where there is one. */
export function withRemedy(error: unknown, address: string): unknown {
  const remedy = REMEDIES[(error as NodeJS.ErrnoException | null)?.code ?? ""];
  if (remedy === undefined) return error;
  return new Error(`${(error as Error).message}: ${remedy(address)}`);
}
