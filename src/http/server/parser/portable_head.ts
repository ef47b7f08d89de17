/** Checks of a head that the server's own threads make, and the runtimes do not. @module */

import type { IncomingMessage } from "node:http";
import { isAuthority, isHostField } from "../../rules/authority.ts";
import { splitTarget } from "../../rules/target.ts";

/** Fields that make a message ambiguous if they occur twice. */
const ONCE: ReadonlySet<string> = new Set(["host", "content-length", "transfer-encoding"]);

/** A number with more digits may not be a safe integer. */
const MOST_DIGITS = 15;

/** What is checked. */
type Head = Pick<
  IncomingMessage,
  "headers" | "httpVersionMajor" | "httpVersionMinor" | "method" | "rawHeaders" | "url"
>;

/**
 * Returns the status to reject a request with, or 0.
 *
 * Each runtime is lenient in its own way: Node.js answers HTTP/2.0 and takes `gzip, chunked` for
 * chunks, Bun takes two lengths, and all take two hosts.
 */
export function headFault(head: Head): 0 | 400 | 413 | 505 {
  const { headers, httpVersionMajor, rawHeaders } = head;
  if (httpVersionMajor !== 1) return 505;
  const seen = new Set<string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (!ONCE.has(name)) continue;
    if (seen.has(name)) return 400;
    seen.add(name);
  }
  if (headers.host !== undefined && !isHostField(headers.host)) return 400;
  return isTarget(head) ? bodyFault(head, seen) : 400;
}

/** Whether the form of the target fits the method: RFC 9112, 3.2. */
function isTarget({ method, url = "" }: Head): boolean {
  if (url[0] === "/") return splitTarget(url) !== 400;
  if (url === "*") return method === "OPTIONS";
  return method === "CONNECT" ? isAuthority(url) : splitTarget(url) !== 400;
}

/** RFC 9112, 6.3: rejects two lengths, and codings whose end cannot be found. */
function bodyFault(
  { headers, httpVersionMinor }: Head,
  seen: ReadonlySet<string>,
): 0 | 400 | 413 {
  const length = headers["content-length"];
  if (seen.has("transfer-encoding")) {
    const chunked = headers["transfer-encoding"]?.toLowerCase() === "chunked";
    return chunked && length === undefined && httpVersionMinor > 0 ? 0 : 400;
  }
  if (length === undefined) return 0;
  if (!/^\d+$/.test(length)) return 400;
  return length.length > MOST_DIGITS ? 413 : 0;
}

/** Whether nothing follows the head. */
export function isBodiless({ headers }: Pick<Head, "headers">): boolean {
  return headers["transfer-encoding"] === undefined && !Number(headers["content-length"] ?? 0);
}
