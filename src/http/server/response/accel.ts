/** `X-Accel-Redirect`: the program names a file, and the server sends it. @module */

import { mergeHeaders } from "../../rules/fields/fields.ts";
import type { Representation } from "../../rules/representation.ts";
import { type Dotfiles, parseTarget } from "../../rules/target.ts";
import type { Headers } from "../../rules/types.ts";

/** Whether the header is honoured; a path says for which files. */
export type Accel = boolean | string;

/** What an answer with the header says. */
export interface Redirection {
  /** Value of the header. */
  readonly target: string;
  /** Fields of the answer that the client gets, by their usual names. */
  readonly fields: Headers;
  /** Values of Set-Cookie. */
  readonly cookies: readonly string[];
}

/** The header, in lower case. */
export const ACCEL = "x-accel-redirect";

/** Fields of an answer that nginx keeps, too (`redirect` in ngx_http_upstream_headers_in). */
const KEPT: ReadonlyMap<string, string> = new Map(
  ["Accept-Ranges", "Cache-Control", "Content-Disposition", "Content-Type", "Expires"].map(
    (name) => [name.toLowerCase(), name],
  ),
);

/**
 * Fields of a request that only a server in front of the program may set. Rack, for one, believes
 * them: a client could choose the header that names the file, or map paths to others.
 */
const OF_SERVERS: ReadonlySet<string> = new Set([ACCEL, "x-accel-mapping", "x-sendfile-type"]);

/** Whether the program must not see this field of a request; takes the name in lower case. */
export function isOfServers(name: string): boolean {
  return OF_SERVERS.has(name.replaceAll("_", "-"));
}

/**
 * Reads the header and what goes with it from the fields of an answer. `undefined` for an answer
 * without the header, `null` for one that has it twice.
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
 * The path below the root that the header names, or the status to answer with.
 *
 * Follows the rules for the targets of clients, so it leads nowhere else. A mistake in it is not the
 * client's: 404, never 400.
 */
export function accelPath(target: string, accel: Accel, dotfiles: Dotfiles): string | 403 | 404 {
  if (target[0] !== "/") return 404;
  const parsed = parseTarget(target, dotfiles);
  if (typeof parsed === "number") return parsed === 403 ? 403 : 404;
  const { folder, names } = parsed;
  const path = names.join("/");
  if (folder || (typeof accel === "string" && !`/${path}`.startsWith(accel))) return 404;
  return path;
}

/**
 * The file as the program describes it.
 *
 * `maxAge` and the like are for files that everybody may have, and the program may have checked who
 * asks. So its Cache-Control and Expires replace the site's; without either, caches may keep the
 * answer for one user, and have to ask again.
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
