/** A folder that what strangers name cannot leave: the kernel sees to that. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { describe } from "../../options.ts";
import { available } from "../../sys/libc.ts";
import { NativeRoot, type NativeRootOptions } from "./native_root.ts";
import { openPortableRoot } from "./portable_root.ts";
import type { Root, Symlinks } from "./root.ts";

export type { OpenFile, Root, Symlinks } from "./root.ts";

const POLICIES: readonly unknown[] = ["inside", "deny", "follow"];

/**
 * Opens a folder to serve from.
 *
 * `"inside"` follows links that stay below the folder, `"deny"` none, `"follow"` all of them,
 * wherever they lead. The kernel resolves each path relative to the descriptor of the folder by openat2(2),
 * so that nothing that is renamed or linked meanwhile can lead out. Where it lacks the call or a
 * sandbox forbids it, each name is opened by itself and no link is followed at all. Without FFI, or
 * elsewhere than on Linux, the real path is compared before it is opened: somebody who may write
 * below the folder could put a link into the gap.
 *
 * When the path leads to another folder, as after a deployment that switches a link, that is noticed
 * within a second, or `refreshMs`, unless the root is `fixed`.
 *
 * @throws {SyscallError} `ENOENT`, `ENOTDIR`, `EACCES`.
 */
export function openRoot(
  path: string,
  symlinks: Symlinks = "inside",
  options: Pick<NativeRootOptions, "fixed" | "refreshMs"> = {},
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
  if (platform.os !== "linux" || !available()) return openPortableRoot(path, symlinks);
  return new NativeRoot(path, symlinks, options);
}
