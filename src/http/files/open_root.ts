/** Opens a folder that untrusted paths cannot leave; the kernel enforces it. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { describe } from "../../options.ts";
import { available } from "../../sys/libc.ts";
import { NativeRoot, type NativeRootOptions } from "./native_root.ts";
import { openPortableRoot } from "./portable_root.ts";
import type { Root, Symlinks } from "./root.ts";
import { RootWithVersions } from "./versions.ts";

export type { OpenFile, Root, Symlinks } from "./root.ts";

/** Options of {@linkcode openRoot}. */
export interface RootOptions extends Pick<NativeRootOptions, "fixed" | "now" | "refreshMs"> {
  /** Folder with compressed versions of the files; empty for none. */
  readonly versions?: string | undefined;
}

const POLICIES: readonly unknown[] = ["inside", "deny", "follow"];

/**
 * Opens a folder to serve from.
 *
 * `"inside"` follows links that stay below the folder, `"deny"` follows none, `"follow"` follows
 * all, wherever they lead. openat2(2) resolves each path relative to the descriptor of the folder,
 * so a rename or a new link cannot lead out. If the kernel lacks the call or a sandbox forbids it,
 * sluice opens name by name and follows no link at all. Without FFI, or on other systems than
 * Linux, it compares the real path before it opens the file. A user who may write below the folder
 * could then put a link into the gap.
 *
 * If another folder takes the path, as when a deployment switches a link, the root follows within a
 * second, or `refreshMs`, unless it is `fixed`.
 *
 * @throws {SyscallError} `ENOENT`, `ENOTDIR`, `EACCES`.
 */
export function openRoot(
  path: string,
  symlinks: Symlinks = "inside",
  { versions = "", ...options }: RootOptions = {},
): Root {
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw new TypeError(`Cannot serve ${describe(path)}: expected the path of a folder`);
  }
  if (!POLICIES.includes(symlinks)) {
    throw new TypeError(
      `Cannot serve ${path}: symlinks must be "inside", "deny" or "follow", not ${
        describe(symlinks)
      }`,
    );
  }
  const root = open(path, symlinks, options);
  if (versions === "") return root;
  try {
    return new RootWithVersions(root, open(versions, "deny", options));
  } catch (cause) {
    root.close();
    throw cause;
  }
}

function open(path: string, symlinks: Symlinks, options: NativeRootOptions): Root {
  if (platform.os !== "linux" || !available()) return openPortableRoot(path, symlinks);
  return new NativeRoot(path, symlinks, options);
}
