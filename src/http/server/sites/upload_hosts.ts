/** Which names of a server pages may upload by. @module */

import { hostName } from "../../rules/by_path/router.ts";
import { ownNames } from "../../upload/hosts.ts";
import type { SiteConfig } from "./options.ts";

/** Adds the names that a server has anyway to those whose pages may upload. */
export function withHosts(
  sites: SiteConfig[],
  { auth, host }: { readonly auth?: unknown; readonly host?: string | undefined },
): SiteConfig[] {
  if (sites.every(({ upload }) => upload === null)) return sites;
  const own = [...ownNames(), ...host === undefined ? [] : [hostName(host)]];
  return sites.map((site) => {
    const { upload } = site;
    if (upload === null) return site;
    // A page by another name has no password, and is no page of a host that has a name here.
    const free = auth !== undefined || site.host !== "" || upload.hosts === null;
    return { ...site, upload: { ...upload, hosts: free ? null : [...upload.hosts, ...own] } };
  });
}
