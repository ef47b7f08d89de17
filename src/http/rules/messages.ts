/** Responses without a file: errors, redirects, listings. @module */

import { statusOfOpening } from "../../errors.ts";
import { errorPage } from "../listing/error_page.ts";
import { asksForHtml, prefersJson } from "./fields/codings.ts";
import { type Listing, listingHtml, listingJson } from "./listing.ts";
import { PHRASES } from "./phrases.ts";
import type { Settings } from "./settings.ts";
import { type Headers, NO_PARTS, type Plan, type PlanRequest } from "./types.ts";

const encoder = new TextEncoder();

/** Returns the reason phrase of a status that this server sends; empty for others. */
export function phraseOf(status: number): string {
  return PHRASES.get(status) ?? "";
}

const common = new Map<number, Plan>();
const known = new WeakSet<Plan>();

/** Whether this very plan answers other requests, too, so that senders may keep its bytes. */
export function isCommon(plan: Plan): boolean {
  return known.has(plan);
}

/**
 * Plans a message that names its status and repeats nothing of the request: a line of text, or a page
 * for browsers if it is an error. Without `more`, all requests for the same get the same plan, which
 * programs never see.
 */
export function planMessage(request: PlanRequest, status: number, more?: Headers): Plan {
  const html = status >= 400 && asksForHtml(request.header("accept"));
  if (more !== undefined) return makeMessage(request, status, html, more);
  const key = 4 * status + (html ? 2 : 0) + (request.method === "HEAD" ? 1 : 0);
  let plan = common.get(key);
  if (plan === undefined) {
    plan = makeMessage(request, status, html, {});
    common.set(key, plan);
    known.add(plan);
  }
  return plan;
}

function makeMessage(request: PlanRequest, status: number, html: boolean, more: Headers): Plan {
  const phrase = phraseOf(status);
  const text = html ? errorPage(status, phrase) : `${status} ${phrase}\n`;
  return planText(request, status, text, {
    "Content-Type": `text/${html ? "html" : "plain"}; charset=utf-8`,
    "X-Content-Type-Options": "nosniff",
    ...status >= 400 && { "Vary": "Accept" },
    ...status === 503 && { "Retry-After": "1" },
    ...more,
  });
}

/**
 * Redirects from `/folder` to `/folder/`.
 *
 * Uses a relative reference (RFC 9110, 10.2.2). It cannot lead to another host, whatever the target
 * is, and it stays right if a framework or proxy has mounted the root elsewhere.
 *
 * @param target The target as the client sent it.
 */
export function planRedirect(request: PlanRequest, target: string): Plan {
  const [, path = "", query = ""] = /^([^?#]*)(\?[^#]*)?/.exec(target) ?? [];
  const name = path.slice(path.lastIndexOf("/") + 1);
  return planMessage(request, 301, { "Location": `./${visible(name)}/${visible(query)}` });
}

/** Escapes characters that a URI reference cannot contain; keeps existing escapes. */
function visible(text: string): string {
  return text.toWellFormed().replace(/[^\w\-.~%!$&'()*+,;=:@/?]/gu, encodeURIComponent);
}

/** Plans a listing: JSON for clients that prefer it, otherwise an HTML page. */
export function planListing(request: PlanRequest, listing: Listing, settings: Settings): Plan {
  const json = prefersJson(request.header("accept"));
  const html = typeof settings.listing === "function" ? settings.listing : listingHtml;
  const text = renderListing(listing, json, settings, html);
  return planListingPage(request, encoder.encode(text), json);
}

/** Renders a listing as JSON or by `html`. */
export function renderListing(
  listing: Listing,
  json: boolean,
  { appendHtml, title }: Pick<Settings, "appendHtml" | "title">,
  html: (listing: Listing) => string,
): string {
  if (json) return listingJson(listing);
  return html({ ...listing, title, appended: appendHtml }) + appendHtml;
}

/** Plans the response for a listing page that has already been rendered. */
export function planListingPage(request: PlanRequest, page: Uint8Array, json: boolean): Plan {
  return planBytes(request, 200, page, {
    "Content-Type": json ? "application/json" : "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
  });
}

/** Plans a response with a text body. */
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

/** Returns the status for an open error, by the name of the error. */
export function statusOfError(code: unknown): number {
  return statusOfOpening(code) ?? 500;
}
