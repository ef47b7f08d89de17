/** The pure part of HTTP: turns a request and a file into status, headers and parts. @module */

export { acceptedCodings, prefersJson, SUFFIXES } from "./fields/codings.ts";
export {
  escapeHtml,
  type Listing,
  type ListingEntry,
  listingHtml,
  listingJson,
} from "./listing.ts";
export {
  phraseOf,
  planListing,
  planMessage,
  planRedirect,
  planText,
  statusOfError,
} from "./messages.ts";
export type {
  CorsOptions,
  HeadersHook,
  LookupOptions,
  PlanOptions,
  SiteOptions,
} from "./options.ts";
export { planFile, planMethod, planResponse } from "./plan.ts";
export { describeFile, type Representation } from "./representation.ts";
export { type Settings, settingsOf } from "./settings.ts";
export { type Dotfiles, encodePath, isVisible, parseTarget, type Target } from "./target.ts";
export {
  type Coding,
  type FilePart,
  type Headers,
  NO_PARTS,
  type Part,
  type Plan,
  type PlanFile,
  type PlanRequest,
} from "./types.ts";
