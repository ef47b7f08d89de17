/** Sets up the folders of a server in one of its threads. @module */

import { openRoot, type Root } from "../../files/open_root.ts";
import type { NativeRootOptions } from "../../files/native_root.ts";
import { listingPage } from "../../listing/page.ts";
import type { Listing } from "../../rules/listing.ts";
import type { HeadersHook } from "../../rules/options.ts";
import { settingsOf, withUploads } from "../../rules/settings.ts";
import { loadHook } from "../control/headers_hook.ts";
import type { CacheConfig, Rate } from "../control/limits.ts";
import type { Archives } from "../archive/archives.ts";
import type { Listings } from "../listing/listings.ts";
import type { RemoteFiles } from "../remote/remote_files.ts";
import { KeptFiles } from "../response/kept_files.ts";
import { Lookups } from "../response/lookups.ts";
import { Responder, type ResponderOptions } from "../response/responder.ts";
import type { SiteConfig } from "./options.ts";
import { type Site, Sites } from "./sites.ts";

/** The headers hooks by URL, once their modules are loaded. */
const hooks = new Map<string, HeadersHook>();

/** Loads the program's own modules. */
export async function prepareSites(sites: readonly SiteConfig[]): Promise<void> {
  for (const { headers } of sites) {
    if (headers !== null && !hooks.has(headers)) hooks.set(headers, await loadHook(headers));
  }
}

/** Opens the folders, or none. */
export function openRoots(
  sites: readonly SiteConfig[],
  options: Pick<NativeRootOptions, "fixed" | "now" | "refreshMs">,
): Root[] {
  const roots: Root[] = [];
  try {
    for (const { root, symlinks, versions } of sites) {
      roots.push(openRoot(root, symlinks, { ...options, versions }));
    }
  } catch (cause) {
    for (const root of roots) root.close();
    throw cause;
  }
  return roots;
}

/** What {@linkcode buildSites} needs of the thread. */
export interface SitesOptions extends Pick<ResponderOptions, "exhausted" | "looked"> {
  readonly cache: CacheConfig;
  readonly limits: Rate;
  readonly listings: Listings | null;
  /** Archives of folders; `null` if there are none. */
  readonly archives: Archives | null;
  /** Opens what other machines and processes have. */
  readonly remote: RemoteFiles;
  /** Called when the bytes in the cache have changed. */
  keeps(bytes: number): void;
}

/** Builds the folders of a thread on their open roots. */
export function buildSites(
  sites: readonly SiteConfig[],
  roots: readonly Root[],
  { archives, cache, exhausted, keeps, limits, listings, looked, remote }: SitesOptions,
): Sites {
  const kept = new KeptFiles(cache, keeps);
  const noneLeft = () => {
    exhausted();
    // Cached files can be closed.
    kept.clear();
    listings?.clear();
  };
  const lookups = new Lookups({ archives, listings, remote }, noneLeft);
  const shared = { kept, lookups, listings, looked, exhausted: noneLeft };
  const built = sites.map((config, site): Site => {
    const { headers, host, mount, rate, settings } = config;
    const archives = config.archives !== null;
    const checked = settingsOf({
      ...settings,
      ...(settings.listing === true && {
        listing: (it: Listing) => listingPage(it, { upload: config.upload, archives }),
      }),
      ...(headers !== null && { headers: hooks.get(headers) }),
    });
    const responder = new Responder({
      ...shared,
      site,
      mount,
      archives,
      root: roots[site]!,
      settings: config.upload === null ? checked : withUploads(checked),
    });
    const preflights = settings.cors !== undefined && settings.cors !== false;
    return { index: site, host, mount, rate, responder, preflights };
  });
  return new Sites(built as [Site, ...Site[]], shared, limits);
}
