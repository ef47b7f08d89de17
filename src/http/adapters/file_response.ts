/** `fileResponse`: one file as a `fetch` response. @module */

import { type FileResponseOptions, OneFile } from "../files/one_file.ts";
import { planRequestOf, toResponse } from "./fetch.ts";

export type { FileResponseOptions };

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
  options?: FileResponseOptions,
): Promise<Response> {
  const found = await new OneFile(path, options).find(planRequestOf(request));
  return await toResponse(found.plan, found.kind === "file" ? found.file : undefined);
}
