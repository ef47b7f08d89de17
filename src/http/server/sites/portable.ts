/** The folders of a server without foreign calls. @module */

import type { IncomingMessage, ServerResponse } from "node:http";
import { serveNode } from "../../adapters/node.ts";
import { StaticRoot } from "../../files/static_root.ts";
import { listingPage } from "../../listing/page.ts";
import type { Listing } from "../../rules/listing.ts";
import { Router } from "../../rules/by_path/router.ts";
import { loadHook } from "../control/headers_hook.ts";
import { PortableArchives } from "../archive/portable.ts";
import type { SiteConfig } from "./options.ts";

/** One folder. */
export interface PortableSite extends Pick<SiteConfig, "host" | "mount"> {
  readonly config: SiteConfig;
  readonly files: StaticRoot;
  /** The same folder for files that the program names; it lists nothing. */
  readonly named: StaticRoot;
  /** Its folders as archives; `null` if it sends none. */
  readonly archives: PortableArchives | null;
  /** Whether it answers CORS preflight requests. */
  readonly preflights: boolean;
}

type Request = Pick<IncomingMessage, "headers" | "url">;

/** All folders of a server. */
export class PortableSites {
  readonly #router: Router<PortableSite>;

  private constructor(sites: readonly PortableSite[]) {
    this.#router = new Router(sites);
  }

  /** Opens the folders and loads the program's own modules. */
  static async open(configs: readonly SiteConfig[]): Promise<PortableSites> {
    const sites: PortableSite[] = [];
    for (const config of configs) {
      const { headers: url, host, mount, root, settings, symlinks } = config;
      const listing = settings.listing === true
        ? (it: Listing) =>
          listingPage(it, { upload: config.upload, archives: config.archives !== null })
        : settings.listing;
      const headers = url === null ? settings.headers : await loadHook(url);
      const { cors } = settings;
      const uploads = config.upload !== null;
      const files = new StaticRoot(
        root,
        { ...settings, headers, listing },
        symlinks,
        mount,
        uploads,
      );
      sites.push({
        config,
        host,
        mount,
        files,
        archives: config.archives && new PortableArchives(config, files),
        named: new StaticRoot(root, { ...settings, headers, listing: false }, symlinks, mount),
        preflights: cors !== undefined && cors !== false,
      });
    }
    return new PortableSites(sites);
  }

  /** Finds the folder of a request. */
  find({ headers, url = "" }: Request): PortableSite | undefined {
    return this.#router.find(headers.host, url);
  }

  /** Finds the folder of another target in the host of a request. */
  findBeside({ headers, url = "" }: Request, target: string): PortableSite | undefined {
    return this.#router.findBeside(headers.host, url, target);
  }

  /** Answers a request with a file, or calls `next`. */
  serve(req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void): void {
    const { archives, files } = this.find(req)!;
    const serve = () =>
      serveNode({ site: files, fallthrough: false, setHeaders: undefined }, req, res, next);
    if (archives === null) serve();
    else archives.serve(req, res, serve);
  }
}
