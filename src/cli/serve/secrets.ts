/** Refuses to serve the command's own secrets. @module */

import { realpathSync } from "node:fs";
import { isAbsolute, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { FileServerOptions } from "../../http/mod.ts";

/** What clients must not read, by its path if there is such a file: "the private key". */
export type Secrets = readonly (readonly [path: string | undefined, what: string])[];

/** Options of what is served, of a folder below a path, or of a host. */
interface Served extends Pick<FileServerOptions, "dotfiles" | "mounts" | "hosts" | "only"> {
  readonly root: string | URL;
}

/**
 * Checks that no folder serves a secret.
 *
 * @throws {Error} Names the folder, the file and the remedy.
 */
export function refuseSecrets(secrets: Secrets, served: Served): void {
  const folders = foldersOf(served);
  for (const [path, what] of secrets) {
    for (const { dotfiles, only, root } of path === undefined ? [] : folders) {
      const name = nameIn(root, path!);
      if (name === undefined || only !== undefined && only !== name) continue;
      const visible = dotfiles === "allow";
      if (!visible && name.split(sep).some((part) => part.startsWith("."))) continue;
      throw new Error(
        `Cannot serve "${root}": clients could read ${name}, which is ${what}; move it out of the ` +
          `folder, or below a name that begins with a dot${visible ? ", without --dotfiles" : ""}`,
      );
    }
  }
}

/** The folder, and those of its mounts and hosts. The server says what is wrong with other values. */
function foldersOf(served: Served): Served[] {
  const below = Object.values({ ...served.mounts, ...served.hosts }) as unknown[];
  return [
    served,
    ...below.flatMap((it) => {
      if (typeof it === "string" || it instanceof URL) return { root: it };
      return typeof it === "object" && it !== null ? foldersOf(it as Served) : [];
    }),
  ];
}

/** The path of a file below a folder. */
function nameIn(root: string | URL, path: string): string | undefined {
  try {
    const folder = root instanceof URL ? fileURLToPath(root) : root;
    const name = relative(realpathSync(folder), realpathSync(path));
    const outside = name === "" || isAbsolute(name) || name === ".." || name.startsWith(`..${sep}`);
    return outside ? undefined : name;
  } catch {
    // The server says what is missing.
    return undefined;
  }
}
