/** `fileResponse`: one file as a `fetch` response. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { describe } from "../../options.ts";
import { available } from "../../sys/libc.ts";
import { lookUpFile } from "../files/look_up.ts";
import { search } from "../files/search.ts";
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
   * Folder that `path`, relative to it, cannot leave. The kernel enforces this, whatever is renamed
   * or linked. Set it for paths that untrusted input can influence. It stays open from the first
   * call on.
   */
  readonly root?: string | undefined;
  /** Which symbolic links to follow below `root`. @default {"inside"} */
  readonly symlinks?: Symlinks | undefined;
}

/** Open roots, by policy and path. A program has few. */
const roots = new Map<string, Root>();

/**
 * Answers a request with a file, for `Bun.serve`, `Deno.serve`, Hono, srvx and other servers whose
 * handlers return a `Response`.
 *
 * Plans the response like `planResponse`, with ranges, conditions and HEAD; answers 404 if the file
 * does not exist. Reads the bytes from the descriptor that it examined: up to 64 KiB (1 MiB on Bun)
 * at once, more as a stream. If the file is truncated meanwhile, the connection is cut. Bun sends
 * streams chunked, without Content-Length. To serve a whole folder, use `serveStatic`, which also
 * answers `fetch` requests.
 *
 * @param request The request. Its method and headers count, its URL does not.
 * @param path Path or `file:` URL of the file. Never take it from the request's URL without `root`.
 * @param options Options for the response.
 * @returns The response; its body closes the file.
 *
 * @throws {TypeError} When an argument or an option has the wrong type.
 * @throws {RangeError} When a numeric option is out of range.
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

/** Opens by system calls if possible: runtimes close files on the event loop, or not at all. */
function openAny(path: string): Promise<OpenFile | number> {
  return available() && platform.os === "linux" ? openNamed(path) : openPath(path);
}

function nameOf(path: string | URL, root: string | undefined): string {
  if (path instanceof URL && root === undefined) return builtin("url").fileURLToPath(path);
  if (typeof path === "string" && path !== "" && !path.includes("\0")) return path;
  throw new TypeError(`Cannot send ${describe(path)}: expected a path or a file: URL`);
}

function rootOf(path: string, symlinks: Symlinks = "inside"): Root {
  // Absolute, because the current folder may change.
  const folder = folderOf(path);
  const key = JSON.stringify([symlinks, folder]);
  let root = roots.get(key);
  if (root === undefined) roots.set(key, root = openRoot(folder, symlinks));
  return root;
}
