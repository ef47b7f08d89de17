/** Refuses to serve the command's own secrets. @module */

import { realpathSync } from "node:fs";
import { isAbsolute, relative, sep } from "node:path";

/** A file that clients must not read. */
export interface Secret {
  readonly path: string;
  /** What it is: "the private key of --tls-key". */
  readonly what: string;
}

/** A folder, or `only` one file of it, that is served. */
export interface ServedFolder {
  readonly root: string;
  readonly only?: string | undefined;
  /** Whether names that begin with a dot are served. */
  readonly dotfiles: boolean;
}

/**
 * Checks that no folder serves a secret.
 *
 * @throws {Error} Names the folder, the file and the remedy.
 */
export function refuseSecrets(secrets: readonly Secret[], folders: readonly ServedFolder[]): void {
  for (const { path, what } of secrets) {
    for (const folder of folders) {
      const name = nameIn(folder, path);
      if (name === undefined) continue;
      throw new Error(
        `Cannot serve "${folder.root}": clients could read ${name}, which is ${what}; move it out of the ` +
          `folder, or below a name that begins with a dot${
            folder.dotfiles ? ", without --dotfiles" : ""
          }`,
      );
    }
  }
}

/** The path below the folder by which clients would get a file. */
function nameIn({ dotfiles, only, root }: ServedFolder, path: string): string | undefined {
  let name: string;
  try {
    name = relative(realpathSync(root), realpathSync(path));
  } catch {
    // The server says what is missing.
    return undefined;
  }
  if (name === "" || isAbsolute(name) || name === ".." || name.startsWith(`..${sep}`)) {
    return undefined;
  }
  if (only !== undefined && only !== name) return undefined;
  const hidden = name.split(sep).some((part) => part.startsWith("."));
  return hidden && !dotfiles ? undefined : name;
}
