/** Answers that are no file: errors, redirects, listings. @module */

import { prefersJson } from "./fields/codings.ts";
import { type Listing, listingHtml, listingJson } from "./listing.ts";
import { PHRASES } from "./phrases.ts";
import type { Settings } from "./settings.ts";
import { type Headers, NO_PARTS, type Plan, type PlanRequest } from "./types.ts";

const encoder = new TextEncoder();

/** Reason phrase of a status that this server sends; empty for others. */
export function phraseOf(status: number): string {
  return PHRASES.get(status) ?? "";
}

/** An answer whose body is a line that names its status, and nothing of the request. */
export function planMessage(request: PlanRequest, status: number, more?: Headers): Plan {
  const retry = status === 503 ? { "Retry-After": "1" } : undefined;
  const text = `${status} ${phraseOf(status)}\n`;
  return planText(request, status, text, {
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
    ...retry,
    ...more,
  });
}

/**
 * Leads from `/folder` to `/folder/`.
 *
 * By a relative reference (RFC 9110, 10.2.2), which can lead to no other host, whatever the target
 * is, and which holds wherever a framework or a proxy has mounted the root.
 *
 * @param target The target as the client sent it.
 */
export function planRedirect(request: PlanRequest, target: string): Plan {
  const [, path = "", query = ""] = /^([^?#]*)(\?[^#]*)?/.exec(target) ?? [];
  const name = path.slice(path.lastIndexOf("/") + 1);
  return planMessage(request, 301, { "Location": `./${visible(name)}/${visible(query)}` });
}

/** Escapes what may not stand in a URI reference, and leaves escapes alone. */
function visible(text: string): string {
  return text.toWellFormed().replace(/[^\w\-.~%!$&'()*+,;=:@/?]/gu, encodeURIComponent);
}

/** A listing, as JSON for those who prefer it, and as the page that the settings make. */
export function planListing(request: PlanRequest, listing: Listing, settings: Settings): Plan {
  const json = prefersJson(request.header("accept"));
  const html = typeof settings.listing === "function" ? settings.listing : listingHtml;
  const text = json ? listingJson(listing) : html(listing);
  return planListingPage(request, encoder.encode(text), json);
}

/** The answer with a page of a listing, which has been written already. */
export function planListingPage(request: PlanRequest, page: Uint8Array, json: boolean): Plan {
  return planBytes(request, 200, page, {
    "Content-Type": json ? "application/json" : "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
  });
}

/** An answer with text as its body. */
export function planText(
  request: PlanRequest,
  status: number,
  text: string,
  headers: Headers,
): Plan {
  return planBytes(request, status, encoder.encode(text), headers);
}

function planBytes(
  { method }: PlanRequest,
  status: number,
  body: Uint8Array,
  headers: Headers,
): Plan {
  const bodiless = method === "HEAD" || body.length === 0;
  return {
    status,
    headers: { ...headers, "Content-Length": String(body.length) },
    parts: bodiless ? NO_PARTS : [body],
    length: bodiless ? 0 : body.length,
  };
}

/** The status that tells of a failure to open, by the name of the error. */
export function statusOfError(code: unknown): number {
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
    case "ENAMETOOLONG":
    case "ELOOP": // a link that is not followed, or a circle of them
    case "EXDEV": // a link that leads out: just as if there were nothing
    case "ENXIO": // a socket, or a device that is not there
    case "EISDIR":
    case "EINVAL":
      return 404;
    case "EACCES":
    case "EPERM":
      return 403;
    case "EMFILE":
    case "ENFILE":
    case "ENOMEM":
      return 503;
    default:
      return 500;
  }
}
