/** HTML that is added to pages. @module */

import { concat } from "../../bytes.ts";
import type { Settings } from "../rules/settings.ts";
import { NO_PARTS, type Plan } from "../rules/types.ts";

const encoder = new TextEncoder();
const changed = new WeakMap<Settings, Settings>();

/** Whether a file gets `appendHtml`: a page without a content coding. */
export function appends(settings: Settings, type: string, coding: string | undefined): boolean {
  return settings.appendHtml !== "" && coding === undefined && isHtml(type);
}

/** Whether a media type is HTML's. */
export function isHtml(type: string): boolean {
  return /^text\/html(?:;|$)/i.test(type);
}

/**
 * Settings for a file with added HTML. Its validators would be those of the file without it, and its
 * ranges would differ from the file's.
 */
export function settingsWithout(settings: Settings): Settings {
  let other = changed.get(settings);
  if (other === undefined) {
    const plain = { acceptRanges: false, etag: false, lastModified: false } as const;
    changed.set(settings, other = { ...settings, ...plain, cacheControl: "no-store" });
  }
  return other;
}

/** The HTML as a part of a body. */
export function appendedPart({ appendHtml }: Settings): Uint8Array {
  return encoder.encode(appendHtml);
}

/** Adds the HTML to the page of an error. */
export function appendTo(plan: Plan, settings: Settings): Plan {
  const { headers, parts } = plan;
  if (settings.appendHtml === "" || !isHtml(headers["Content-Type"] ?? "")) return plan;
  const part = appendedPart(settings);
  // Senders expect the body of a plan without a file to be one part.
  const all = parts.length === 0 ? NO_PARTS : [concat([...parts as readonly Uint8Array[], part])];
  const length = Number(headers["Content-Length"]) + part.length;
  return {
    ...plan,
    headers: { ...headers, "Content-Length": String(length) },
    parts: all,
    length: parts.length === 0 ? 0 : length,
  };
}
