/**
 * Files over HTTP, by the book: ranges, conditions, sidecars and a root that nothing leaves.
 *
 * {@linkcode planResponse} decides and does nothing: adapters of your own can be built upon it.
 *
 * @module
 */

export type { Coding, FilePart, Headers, Part, Plan, PlanFile, PlanRequest } from "./plan/types.ts";
export type { Listing, ListingEntry } from "./plan/listing.ts";
export type {
  CorsOptions,
  HeadersHook,
  LookupOptions,
  PlanOptions,
  SiteOptions,
} from "./plan/options.ts";
export { planResponse } from "./plan/plan.ts";
export type { Dotfiles } from "./plan/target.ts";
