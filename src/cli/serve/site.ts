/** Converts the flags of `sluice serve` about files to options of the server. @module */

import { realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { FileServerOptions } from "../../http/mod.ts";
import type { Compressed } from "./compress.ts";
import { usageError } from "../exit.ts";
import { folderAt } from "../folder.ts";
import { read, readHeaders, readRedirects } from "./host_files.ts";

/** Flags about what is served, and how. */
export interface SiteFlags {
  readonly spa: boolean;
  readonly cors: boolean;
  readonly fallback?: string | undefined;
  readonly cache?: Pick<FileServerOptions, "cacheControl" | "maxAge"> | undefined;
  readonly precompressed: boolean;
  readonly dotfiles: boolean;
  readonly cleanUrls: boolean;
  readonly index?: readonly string[] | undefined;
  /** `--404` */
  readonly 404?: string | undefined;
  /** Users with passwords, and the path of a htpasswd file. */
  readonly auth?: Readonly<Record<string, string>> | undefined;
  readonly authFile?: string | undefined;
  readonly archives?: boolean | undefined;
  readonly upload?: boolean | undefined;
  readonly uploadMax?: number | undefined;
  readonly uploadOverwrite?: boolean | undefined;
  readonly uploadHost?: readonly string[] | undefined;
  readonly headers?: string | undefined;
  readonly redirects?: string | undefined;
  /** Folders by path. */
  readonly mount?: Readonly<Record<string, string>> | undefined;
  /** As in the options of the server; from the config file. */
  readonly mounts?: FileServerOptions["mounts"];
  readonly hosts?: FileServerOptions["hosts"];
  /** Name of the folder in listings. */
  readonly title?: string | undefined;
}

/** Returns the folder to serve, and the name of the only file if `path` is a file. */
export function rootAt(path: string): { root: string; only?: string } {
  let file: string;
  try {
    file = realpathSync(path);
    if (path === "" || !statSync(file).isFile()) return { root: folderAt(path, "serve") };
  } catch {
    return { root: folderAt(path, "serve") };
  }
  return { root: folderAt(dirname(file), "serve"), only: basename(file) };
}

/** Returns the options for a folder, of which `only` one file may be served. */
export function siteOf(
  flags: SiteFlags,
  root: string,
  only: string | undefined,
): Partial<FileServerOptions> {
  const { cache, cleanUrls, cors, fallback, headers, index, precompressed, redirects } = flags;
  return {
    spa: flags.spa,
    cors,
    precompressed,
    listing: !flags.spa && fallback === undefined && only === undefined,
    title: flags.title ?? basename(root),
    ...cache,
    ...isHiddenServed(flags, only) && { dotfiles: "allow" as const },
    ...cleanUrls && { extensions: ["html"] },
    ...index !== undefined && { index },
    ...flags[404] !== undefined && { notFound: notFoundAt(root, flags[404]) },
    ...authOf(flags),
    ...uploadOf(flags, only),
    ...archivesOf(flags, only),
    ...headers !== undefined && { headers: readHeaders(headers) },
    ...redirects !== undefined && { redirects: readRedirects(redirects) },
    ...only !== undefined && { only },
    ...fallback !== undefined && { fallback },
  };
}

/** Checks the page for missing paths. */
function notFoundAt(root: string, name: string): string {
  const path = join(root, name);
  if (statSync(path, { throwIfNoEntry: false })?.isFile()) return name;
  throw new Error(`--404 names a file in the folder that is served; ${path} is none`);
}

/** Whether names that begin with a dot are served. Whoever names such a file wants it. */
export function isHiddenServed(
  { dotfiles }: Pick<SiteFlags, "dotfiles">,
  only: string | undefined,
): boolean {
  return dotfiles || only?.[0] === ".";
}

/**
 * Folders below paths of the folder `main`: with the flags that hold for files everywhere, or with options
 * of their own.
 */
export function foldersOf(
  flags: SiteFlags,
  main: string,
  add: (folder: Compressed) => Partial<FileServerOptions> = () => ({}),
): Pick<FileServerOptions, "mounts" | "hosts"> {
  const { cache, cleanUrls, cors, dotfiles, fallback, index, mount, mounts, precompressed } = flags;
  const own = { cache, cleanUrls, cors, dotfiles, fallback, index, precompressed, spa: false };
  const filled = (folders: object, title?: string) =>
    Object.entries(folders).map(([name, options]: [string, unknown]) => {
      if (typeof options !== "string") return [name, options];
      const { only, root } = rootAt(options);
      const { fallback: _, ...site } = siteOf({ ...own, title }, root, only);
      return [name, {
        ...site,
        ...add({ root, only, dotfiles: isHiddenServed(flags, only) }),
        root,
      }];
    });
  const below = filled({ ...mounts, ...mount }, flags.title ?? basename(main));
  const { hosts } = flags;
  // The server checks what a config file says.
  return {
    ...below.length > 0 && { mounts: Object.fromEntries(below) as FileServerOptions["mounts"] },
    ...hosts !== undefined &&
      { hosts: Object.fromEntries(filled(hosts)) as FileServerOptions["hosts"] },
  };
}

/** The limits imply nothing: without `--upload` they are mistakes. */
function uploadOf(
  { upload = false, uploadHost, uploadMax, uploadOverwrite = false }: SiteFlags,
  only: string | undefined,
): Partial<FileServerOptions> {
  if (!upload) {
    if ((uploadMax ?? uploadHost) === undefined && !uploadOverwrite) return {};
    throw usageError("--upload-max, --upload-overwrite and --upload-host need --upload");
  }
  if (only !== undefined) {
    throw usageError("--upload needs a folder to store files in, not one file");
  }
  return { upload: { maxBytes: uploadMax, overwrite: uploadOverwrite, hosts: uploadHost } };
}

/** Archives are offered by listings. */
function archivesOf(
  { archives = false, fallback, spa }: SiteFlags,
  only: string | undefined,
): Partial<FileServerOptions> {
  if (!archives) return {};
  if (only !== undefined) throw usageError("--archives needs a folder, not one file");
  if (!spa && fallback === undefined) return { archives };
  const other = spa ? "--spa" : "--fallback";
  throw usageError(`--archives needs the listings of folders, which ${other} turns off`);
}

/** Users of both flags; the server checks them. */
function authOf({ auth, authFile }: SiteFlags): Partial<FileServerOptions> {
  if (auth === undefined && authFile === undefined) return {};
  return {
    auth: {
      ...auth !== undefined && { users: auth },
      ...authFile !== undefined && { htpasswd: read(authFile) },
    },
  };
}
