/** Options of several folders in one server: mounts and hosts. @module */

import { checkObject, describe, mustBe } from "../../../options.ts";
import { folderOf } from "../../files/static_root.ts";
import type { Symlinks } from "../../files/open_root.ts";
import type { HeaderRule } from "../../rules/by_path/header_rules.ts";
import { compileMount, type Mount, ROOT } from "../../rules/by_path/mount.ts";
import { hostName } from "../../rules/by_path/router.ts";
import { isAuthority } from "../../rules/authority.ts";
import type { SiteOptions } from "../../rules/options.ts";
import { settingsOf } from "../../rules/settings.ts";
import type { Headers } from "../../rules/types.ts";
import { type ArchiveOptions, archivesOf } from "../../archive/options.ts";
import type { ArchiveConfig } from "../../archive/types.ts";
import { type UploadConfig, uploadOf, type UploadOptions } from "../../upload/rules.ts";
import { type Rate, rateOf } from "../control/limits.ts";

/**
 * Options for the files of one folder. Functions are not accepted: they cannot be sent to another
 * thread.
 */
export interface FolderOptions extends Omit<SiteOptions, "headers" | "listing"> {
  /**
   * Extra header fields for all files, or by path; or the URL of a module that exports a function `headers`,
   * which gets a file and returns its fields synchronously. Each thread loads the module. If the
   * function throws, the response is 500 and the log has the error.
   */
  headers?: Headers | readonly HeaderRule[] | URL | undefined;
  /** Whether to list folders without an index file. @default {false} */
  listing?: boolean | undefined;
  /** How to treat symbolic links: see `openRoot`. @default {"inside"} */
  symlinks?: Symlinks | undefined;
  /**
   * Whether clients may store files below the folder by PUT, and from the pages of `listing`. Never
   * for pages of other sites. Use `auth`: otherwise everybody who reaches the server can store files.
   *
   * @default {false}
   */
  upload?: boolean | UploadOptions | undefined;
  /**
   * Whether `?download=tar` and `?download=zip` send a folder that is listed as one file. Needs
   * `listing`.
   *
   * @default {false}
   */
  archives?: boolean | ArchiveOptions | undefined;
}

/** A folder below a path of its own, with options of its own: nothing is inherited but the rate. */
export interface MountOptions extends FolderOptions {
  /** Folder to serve. */
  root: string | URL;
  /** As `limits.maxRate`, for the responses of this folder. @default {that of `limits`} */
  maxRate?: number | undefined;
  /** As `limits.maxRateAfter`, for the responses of this folder. @default {that of `limits`} */
  maxRateAfter?: number | undefined;
}

/** A folder for the requests of one host. */
export interface HostOptions extends MountOptions {
  /** Folders below paths of this host; see `mounts` of `FileServerOptions`. */
  mounts?: Mounts | undefined;
}

/** Folders by path, such as `"/media"`; a string or URL is the same as `{ root }`. */
export type Mounts = Readonly<Record<string, string | URL | MountOptions>>;

/** Folders by the name of the host; a string or URL is the same as `{ root }`. */
export type Hosts = Readonly<Record<string, string | URL | HostOptions>>;

/** One folder of a server: plain data, with all defaults set. */
export interface SiteConfig {
  readonly host: string;
  readonly mount: Mount;
  readonly root: string;
  readonly symlinks: Symlinks;
  /** Uploads; `null` without them. */
  readonly upload: UploadConfig | null;
  /** Archives of folders; `null` without them. */
  readonly archives: ArchiveConfig | null;
  /** Contains no functions, which cannot be sent to another thread. */
  readonly settings: SiteOptions;
  /** Folder with compressed versions of the files; empty for none. */
  readonly versions: string;
  /** URL of a module with a headers hook; `null` without one. */
  readonly headers: string | null;
  readonly rate: Rate;
}

/** Rates that folders have unless they set their own, and the rate that they must exceed. */
export type DefaultRate = Rate & { readonly minRate: number };

const ACTION = "serve files";

/** Options of a folder that are not passed to the plan. */
const OWN: ReadonlySet<string> = new Set<keyof HostOptions>([
  "archives",
  "headers",
  "maxRate",
  "maxRateAfter",
  "mounts",
  "root",
  "symlinks",
  "upload",
]);

/** Checks the options of one folder. Reads each option once. */
export function siteOf(
  root: string | URL,
  options: FolderOptions,
  place: Pick<SiteConfig, "host" | "mount" | "rate">,
  ignored: ReadonlySet<string> = OWN,
): SiteConfig {
  const { archives = false, headers, symlinks = "inside", upload = false } = options;
  const settings: Record<string, unknown> = {};
  for (const name of Object.keys(options)) {
    if (ignored.has(name) || name === "headers") continue;
    settings[name] = options[name as keyof FolderOptions];
  }
  if (headers !== undefined && !(headers instanceof URL)) settings["headers"] = headers;
  for (const name of ["headers", "listing"]) {
    if (typeof settings[name] !== "function") continue;
    throw new TypeError(
      `Cannot ${ACTION}: ${name} must be data, or the URL of a module: a thread takes no function`,
    );
  }
  const { versions } = settingsOf(settings as SiteOptions);
  const packed = archivesOf(archives);
  if (packed !== null && settings["listing"] !== true) {
    throw new TypeError(
      `Cannot ${ACTION}: archives are of folders that are listed; set listing, too`,
    );
  }
  return {
    ...place,
    root: folderOf(root),
    symlinks,
    upload: uploadOf(upload),
    versions: versions && folderOf(versions),
    archives: packed,
    settings: settings as SiteOptions,
    headers: headers instanceof URL ? headers.href : null,
  };
}

/** All folders that threads read. */
export function readFolders(
  sites: readonly Pick<SiteConfig, "root" | "versions">[],
): readonly string[] {
  return sites.flatMap(({ root, versions }) => versions === "" ? [root] : [root, versions]);
}

/** Checks the folders below paths of a host. */
export function mountsOf(
  mounts: Mounts | undefined,
  host: string,
  rate: DefaultRate,
): SiteConfig[] {
  if (mounts === undefined) return [];
  const name = host === "" ? "mounts" : `mounts of hosts["${host}"]`;
  checkMap(mounts, name, '{ "/media": { root } }');
  const seen = new Map<string, string>();
  return Object.entries(mounts).map(([path, options]) => {
    const mount = compileMount(path);
    if (mount === undefined || mount === ROOT) {
      throw new TypeError(
        `Cannot ${ACTION}: ${name} holds ${describe(path)}, but a path begins with "/", and its ` +
          `names are decoded, not empty, and neither "." nor ".."`,
      );
    }
    const other = seen.get(mount.path);
    if (other !== undefined) {
      throw new TypeError(`Cannot ${ACTION}: ${name} holds "${other}" and "${path}", one path`);
    }
    seen.set(mount.path, path);
    const folder = isFolder(options) ? { root: options } : options;
    return ownSite(folder, `${name}["${path}"]`, { host, mount, rate });
  });
}

/** Checks the folders of hosts. */
export function hostsOf(
  hosts: Hosts | undefined,
  rate: DefaultRate,
): SiteConfig[] {
  if (hosts === undefined) return [];
  checkMap(hosts, "hosts", '{ "example.com": { root } }');
  const seen = new Set<string>();
  return Object.entries(hosts).flatMap(([given, value]) => {
    const options: HostOptions = isFolder(value) ? { root: value } : value;
    const wild = given.startsWith("*.") ? "*." : "";
    const host = wild + hostName(given.slice(wild.length));
    const bare = given.slice(wild.length);
    if (!isAuthority(bare) || bare === "." || /:\d*$/.test(bare.replace(/^\[.*\]/, ""))) {
      throw new TypeError(
        `Cannot ${ACTION}: hosts holds ${describe(given)}, but needs a name without a port, such ` +
          `as "example.com" or "*.example.com", in ASCII ("xn--...")`,
      );
    }
    if (seen.has(host)) throw new TypeError(`Cannot ${ACTION}: hosts holds "${host}" twice`);
    seen.add(host);
    const site = ownSite(options, `hosts["${given}"]`, { host, mount: ROOT, rate });
    return [site, ...mountsOf(options.mounts, host, rate)];
  });
}

function ownSite(
  options: MountOptions,
  name: string,
  { host, mount, rate }: { host: string; mount: Mount; rate: DefaultRate },
): SiteConfig {
  checkObject(options, ACTION);
  const { maxRate, maxRateAfter, root } = options;
  if (root === undefined) throw new TypeError(`Cannot ${ACTION}: ${name} has no root`);
  for (const key of Object.keys(options)) {
    if (!UNFIT.has(key)) continue;
    throw new TypeError(
      `Cannot ${ACTION}: ${name} holds ${key}, which is one for the whole server`,
    );
  }
  const own = rateOf({ maxRate, maxRateAfter }, rate);
  return siteOf(root, options, { host, mount, rate: own });
}

/** Options that a reader may expect to have for each folder, and that are not. */
const UNFIT: ReadonlySet<string> = new Set([
  "auth",
  "cache",
  "fallback",
  "hosts",
  "limits",
  "log",
  "sandbox",
  "tls",
]);

function isFolder(value: unknown): value is string | URL {
  return typeof value === "string" || value instanceof URL;
}

function checkMap(value: unknown, name: string, example: string): void {
  const fits = typeof value === "object" && value !== null && !Array.isArray(value);
  mustBe(fits, ACTION, name, `an object such as ${example}`, value);
}
