/** One file as a response of `fetch`: `fileResponse`. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { describe } from "../../options.ts";
import { available } from "../../sys/libc.ts";
import { lookUpFile, search } from "../files/look_up.ts";
import { openNamed } from "../files/native_file.ts";
import { type OpenFile, openRoot, type Root, type Symlinks } from "../files/open_root.ts";
import type { PlanOptions } from "../rules/options.ts";
import { settingsOf } from "../rules/settings.ts";
import { openPath } from "../files/portable_root.ts";
import { folderOf } from "../files/static_root.ts";
import { planRequestOf, toResponse } from "./fetch.ts";

/** Options of {@linkcode fileResponse}. */
export interface FileResponseOptions extends PlanOptions {
  /**
   * Folder that `path`, relative to it, cannot leave: the kernel sees to that, whatever is renamed
   * or linked. For paths that a stranger has a say in. It stays open from the first call on.
   */
  readonly root?: string | undefined;
  /** Which symbolic links are followed, with `root`. @default {"inside"} */
  readonly symlinks?: Symlinks | undefined;
}

/** By policy and path; a program has few. */
const roots = new Map<string, Root>();

/**
 * Answers a request with a file: for `Bun.serve`, `Deno.serve`, Hono, srvx and all who return a
 * `Response`.
 *
 * The answer is that of `planResponse`, with ranges, conditions and HEAD; 404 where there is no such
 * file. The bytes come from the descriptor that was examined: up to 64 KiB (1 MiB on Bun) at once, more
 * by a stream. If the file becomes shorter meanwhile, the connection is cut. Bun sends a stream in
 * chunks, without the Content-Length. To serve a whole folder see `serveStatic`, which also answers
 * requests of `fetch`.
 *
 * @param request The request; its method and headers are looked at, not its URL.
 * @param path Path, or `file:` URL, of the file. Not taken from the URL without `root`.
 * @param options What the answer looks like.
 * @returns The response; its body closes the file.
 *
 * @throws {TypeError} When an argument or an option is of the wrong kind.
 * @throws {RangeError} When a number among them is out of range.
 *
 * @example Bun and Deno
 * ```ts ignore
 * Bun.serve({ fetch: (request) => fileResponse(request, "video.mp4") });
 * Deno.serve((request) => fileResponse(request, "video.mp4", { download: true }));
 * ```
 */
export async function fileResponse(
  request: Request,
  path: string | URL,
  options: FileResponseOptions = {},
): Promise<Response> {
  const settings = settingsOf(options);
  const { root: folder, symlinks } = options;
  const name = nameOf(path, folder);
  const root = folder === undefined ? undefined : rootOf(folder, symlinks);
  const open = root === undefined ? openAny : (below: string) => root.open(below);
  const found = await search(lookUpFile(planRequestOf(request), name, settings), open);
  if (found.kind !== "file") return await toResponse(found.plan, undefined);
  return await toResponse(found.plan, found.file);
}

/** By system calls where there are some: the runtimes close a file on the event loop, or not at all. */
function openAny(path: string): Promise<OpenFile | number> {
  return available() && platform.os === "linux" ? openNamed(path) : openPath(path);
}

function nameOf(path: string | URL, root: string | undefined): string {
  if (path instanceof URL && root === undefined) return builtin("url").fileURLToPath(path);
  if (typeof path === "string" && path !== "" && !path.includes("\0")) return path;
  throw new TypeError(`Cannot send ${describe(path)}: expected a path or a file: URL`);
}

function rootOf(path: string, symlinks: Symlinks = "inside"): Root {
  // Absolute, for the current folder may change.
  const folder = folderOf(path);
  const key = JSON.stringify([symlinks, folder]);
  let root = roots.get(key);
  if (root === undefined) roots.set(key, root = openRoot(folder, symlinks));
  return root;
}
