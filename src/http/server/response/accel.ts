/** `X-Accel-Redirect`: your program names a file, and the server sends it. @module */

import { type Mount, ROOT } from "../../rules/by_path/mount.ts";
import { mergeHeaders } from "../../rules/fields/fields.ts";
import type { Representation } from "../../rules/representation.ts";
import { type Dotfiles, parseTarget } from "../../rules/target.ts";
import type { Headers } from "../../rules/types.ts";

/** Whether the header is honored; a path restricts it to the files below. */
export type Accel = boolean | string;

/** Content of a response with the header. */
export interface Redirection {
  /** Value of the header. */
  readonly target: string;
  /** Fields of the response that the client gets, by their usual names. */
  readonly fields: Headers;
  /** Values of Set-Cookie. */
  readonly cookies: readonly string[];
}

/** The header, in lower case. */
export const ACCEL = "x-accel-redirect";

/** Fields that nginx also keeps (`redirect` in ngx_http_upstream_headers_in). */
const KEPT: ReadonlyMap<string, string> = new Map(
  ["Accept-Ranges", "Cache-Control", "Content-Disposition", "Content-Type", "Expires"].map(
    (name) => [name.toLowerCase(), name],
  ),
);

/**
 * Request fields that only a server in front of the program may set. Rack, for example, trusts
 * them: a client could choose the header that names the file, or map paths to other files.
 */
export const OF_SERVERS: ReadonlySet<string> = new Set([
  ACCEL,
  "x-accel-mapping",
  "x-sendfile-type",
]);

/** Whether to hide this request field from the program; takes the name in lower case. */
export function isOfServers(name: string): boolean {
  return OF_SERVERS.has(name.replaceAll("_", "-"));
}

/**
 * Reads the header and related fields from a response. Returns `undefined` for a response without
 * the header, `null` if it occurs twice.
 */
export function redirectionOf(
  answer: Iterable<readonly [lower: string, value: string]>,
): Redirection | null | undefined {
  let target: string | undefined;
  const fields: Record<string, string> = {};
  const cookies: string[] = [];
  for (const [lower, value] of answer) {
    const name = value === "" ? undefined : KEPT.get(lower);
    if (lower === ACCEL) {
      if (target !== undefined) return null;
      target = value;
    } else if (lower === "set-cookie") cookies.push(value);
    else if (name === "Cache-Control" && name in fields) fields[name] += `, ${value}`;
    else if (name !== undefined) fields[name] ??= value;
  }
  return target === undefined ? undefined : { target, fields, cookies };
}

/**
 * The path below the root that the header names, or the status of the error response.
 *
 * `mount` is where the target lies. The rules for client targets apply, so it cannot lead anywhere else. An invalid path is the
 * program's fault, not the client's: 404, never 400.
 */
export function accelPath(
  target: string,
  accel: Accel,
  dotfiles: Dotfiles,
  mount: Mount = ROOT,
): string | 403 | 404 {
  if (target[0] !== "/") return 404;
  const parsed = parseTarget(target, dotfiles);
  if (typeof parsed === "number") return parsed === 403 ? 403 : 404;
  const { folder, names } = parsed;
  const whole = `/${names.join("/")}`;
  if (folder || (typeof accel === "string" && !whole.startsWith(accel))) return 404;
  const below = names.slice(mount.names.length);
  // The path of a mount itself is a folder.
  return below.length === 0 ? 404 : below.join("/");
}

/**
 * Describes the file with the program's header fields.
 *
 * `maxAge` and related options are for public files, but the program may have checked who asks. So
 * its Cache-Control and Expires replace the site's. Without either, caches may store the response
 * for one user and must revalidate it.
 */
export function describedBy(file: Representation, { fields }: Redirection): Representation {
  const { head, settings, whole } = file;
  const { "Accept-Ranges": unit, ...more } = fields;
  const none = unit?.toLowerCase() === "none";
  const headers = { ...whole.headers };
  for (const name of Object.keys(headers)) {
    if (/^(?:cache-control|expires)$/i.test(name)) delete headers[name];
  }
  if (!("Cache-Control" in more || "Expires" in more)) {
    headers["Cache-Control"] = "private, no-cache";
  }
  mergeHeaders(headers, none ? { ...more, "Accept-Ranges": "none" } : more);
  return {
    ...file,
    settings: { ...settings, acceptRanges: settings.acceptRanges && !none },
    type: more["Content-Type"] ?? file.type,
    whole: { ...whole, headers },
    head: { ...head, headers },
  };
}
