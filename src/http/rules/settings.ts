/** Options, checked once and converted to the form that plans need. @module */

import { checkObject, describe, mustBe } from "../../options.ts";
import { compileHeaderRules, type HeaderRule } from "./by_path/header_rules.ts";
import { type CompiledRedirect, compileRedirects } from "./by_path/redirects.ts";
import { compileCors, type Cors } from "./cors.ts";
import { parseDuration } from "./fields/duration.ts";
import { checkHeaders } from "./fields/fields.ts";
import type { Listing } from "./listing.ts";
import type { HeadersHook, PlanOptions, SiteOptions } from "./options.ts";
import type { Dotfiles } from "./target.ts";
import type { Coding, Headers } from "./types.ts";

/** {@linkcode SiteOptions} with all defaults filled in. */
export interface Settings {
  readonly acceptRanges: boolean;
  readonly maxRanges: number;
  readonly etag: boolean | "mtime";
  readonly lastModified: boolean;
  /** Value of Cache-Control; empty for none. */
  readonly cacheControl: string;
  /** Charset of text; empty for none. */
  readonly charset: string;
  readonly types: ReadonlyMap<string, string>;
  readonly headers: Headers | HeadersHook | undefined;
  readonly cors: Cors | undefined;
  readonly download: boolean | string;
  readonly precompressed: readonly Coding[];
  /** Whether a sidecar also stands for a missing file. */
  readonly always: boolean;
  /** Folder with compressed versions of files; empty for none. */
  readonly versions: string;
  /** Header fields that select a representation; empty for none. */
  readonly vary: string;
  readonly index: readonly string[];
  readonly extensions: readonly string[];
  readonly dotfiles: Dotfiles;
  readonly redirect: boolean;
  /** Name of the `spa` page; empty for none. */
  readonly spa: string;
  /** Paths that never get the page; `undefined` means names that contain a dot. */
  readonly ignores: readonly RegExp[] | undefined;
  /** Page for missing files; empty for none. */
  readonly notFound: string;
  readonly redirects: readonly CompiledRedirect[];
  /** Name of the only file; empty for all. */
  readonly only: string;
  readonly listing: boolean | ((listing: Listing) => string);
  /** Name of the root; empty for none. */
  readonly title: string;
  /** HTML at the end of pages; empty for none. */
  readonly appendHtml: string;
  /** Value of Allow. */
  readonly allow: string;
}

const CODINGS: readonly Coding[] = ["br", "zstd", "gzip"];
const ACTION = "serve files";
const compiled = new WeakMap<object, Settings>();

/** Checks options; checks the same object only once. */
export function settingsOf(options: SiteOptions): Settings {
  checkObject(options, ACTION);
  let settings = compiled.get(options);
  if (settings === undefined) compiled.set(options, settings = compile(options));
  return settings;
}

function compile(options: SiteOptions): Settings {
  const { download = false, charset = "utf-8", maxRanges = 32, listing = false } = options;
  const { etag = true, notFound = false, only = "" } = options;
  const index = list(options.index ?? "index.html", "index").map((name) => path(name, "index"));
  const extensions = list(options.extensions ?? false, "extensions").map(extension);
  if (charset !== false) token(charset, "charset");
  if (typeof download !== "string") flag(download, "download");
  if (!Number.isSafeInteger(maxRanges) || maxRanges < 1) {
    throw new RangeError(`Cannot ${ACTION}: maxRanges is ${describe(maxRanges)}, but must be >= 1`);
  }
  if (typeof listing !== "function") flag(listing, "listing");
  const { precompressed: coded = false, precompressedRoot: versions = "" } = options;
  const precompressed = codings(coded === "always" ? true : coded);
  mustBe(typeof versions === "string", ACTION, "precompressedRoot", "a path", versions);
  const cors = compileCors(options.cors ?? false);
  return {
    acceptRanges: flag(options.acceptRanges ?? true, "acceptRanges"),
    maxRanges,
    etag: etag === "mtime" ? "mtime" : flag(etag, "etag"),
    lastModified: flag(options.lastModified ?? true, "lastModified"),
    cacheControl: cacheControl(options),
    charset: charset || "",
    types: types(options.types ?? {}),
    headers: headersOf(options.headers, index, extensions),
    cors,
    download,
    precompressed,
    always: coded === "always",
    versions: precompressed.length > 0 ? versions : "",
    vary: [
      ...precompressed.length > 0 ? ["Accept-Encoding"] : [],
      ...cors !== undefined && cors.origins !== "*" ? ["Origin"] : [],
    ].join(", "),
    index,
    extensions,
    dotfiles: dotfiles(options.dotfiles ?? "ignore"),
    redirect: flag(options.redirect ?? true, "redirect"),
    spa: spa(options.spa ?? false),
    ignores: options.ignores === undefined ? undefined : ignores(options.ignores),
    notFound: notFound === false ? "" : path(inner(notFound, "notFound"), "notFound"),
    redirects: compileRedirects(options.redirects ?? []),
    only: only === "" ? "" : path(only, "only"),
    listing,
    title: text(options.title ?? "", "title"),
    appendHtml: text(options.appendHtml ?? "", "appendHtml"),
    allow: "GET, HEAD, OPTIONS",
  };
}

/** The settings of a folder that stores what clients send, too. */
export function withUploads(settings: Settings): Settings {
  return { ...settings, allow: "GET, HEAD, PUT, OPTIONS" };
}

function headersOf(
  headers: SiteOptions["headers"],
  index: readonly string[],
  extensions: readonly string[],
): Settings["headers"] {
  if (headers === undefined || typeof headers === "function") return headers;
  if (isRules(headers)) return compileHeaderRules(headers, index, extensions);
  return checkHeaders(headers);
}

function isRules(headers: NonNullable<SiteOptions["headers"]>): headers is readonly HeaderRule[] {
  return Array.isArray(headers);
}

function cacheControl({ cacheControl = true, maxAge = 0, immutable = false }: PlanOptions): string {
  const seconds = Math.floor(parseDuration(maxAge, "maxAge") / 1000);
  flag(immutable, "immutable");
  if (typeof cacheControl !== "string") {
    return flag(cacheControl, "cacheControl")
      ? `public, max-age=${seconds}${immutable ? ", immutable" : ""}`
      : "";
  }
  checkHeaders({ "Cache-Control": cacheControl });
  return cacheControl;
}

function codings(value: boolean | readonly Coding[]): readonly Coding[] {
  if (!Array.isArray(value)) {
    if (typeof value === "boolean") return value ? CODINGS : [];
    const expected = 'true, false, "always" or a list of codings';
    mustBe(false, ACTION, "precompressed", expected, value);
  }
  for (const coding of value) {
    if (!CODINGS.includes(coding)) {
      throw new TypeError(
        `Cannot ${ACTION}: precompressed holds ${describe(coding)}, but knows ${
          CODINGS.join(", ")
        }`,
      );
    }
  }
  return [...value];
}

function types(value: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  mustBe(typeof value === "object" && value !== null, ACTION, "types", "an object", value);
  const map = new Map<string, string>();
  for (const [name, type] of Object.entries(value)) {
    checkHeaders({ "Content-Type": type });
    map.set(extension(name).toLowerCase(), type);
  }
  return map;
}

function dotfiles(value: Dotfiles): Dotfiles {
  if (value === "allow" || value === "deny" || value === "ignore") return value;
  throw new TypeError(
    `Cannot ${ACTION}: dotfiles must be "allow", "deny" or "ignore", not ${describe(value)}`,
  );
}

function spa(value: boolean | string): string {
  if (typeof value === "string") return path(inner(value, "spa"), "spa");
  return flag(value, "spa") ? "index.html" : "";
}

function ignores(value: NonNullable<SiteOptions["ignores"]> | false): readonly RegExp[] {
  if (value === false) return [];
  return (Array.isArray(value) ? value : [value]).map((item) => {
    // A flag such as "g" keeps state from one test to the next.
    if (item instanceof RegExp) return new RegExp(item.source, item.flags.replace(/[gy]/g, ""));
    if (typeof item === "string") return new RegExp(item, "i");
    throw new TypeError(`Cannot ${ACTION}: ignores holds ${describe(item)}, but needs expressions`);
  });
}

function list(value: string | readonly string[] | false, name: string): readonly string[] {
  if (value === false) return [];
  if (typeof value === "string") return [value];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw new TypeError(`Cannot ${ACTION}: ${name} must be a list of names, not ${describe(value)}`);
}

/** Drops the slash with which a path may begin. */
function inner(value: string, name: string): string {
  if (typeof value === "string") return value.replace(/^\//, "");
  throw new TypeError(`Cannot ${ACTION}: ${name} must be a path, not ${describe(value)}`);
}

/** Checks a path below a folder that the program passes. */
function path(value: string, name: string): string {
  if (value !== "" && !value.startsWith("/") && !value.includes("\0")) return value;
  throw new TypeError(`Cannot ${ACTION}: ${name} must be a relative path, not ${describe(value)}`);
}

function extension(value: string): string {
  const name = value.replace(/^\./, "");
  if (name !== "" && !/[/\0]/.test(name)) return name;
  throw new TypeError(`Cannot ${ACTION}: ${describe(value)} is not an extension`);
}

function token(value: unknown, name: string): void {
  if (typeof value === "string" && /^[\w!#$%&'*+\-.^`|~]+$/.test(value)) return;
  throw new TypeError(`Cannot ${ACTION}: ${name} must be a name, not ${describe(value)}`);
}

function text(value: string, name: string): string {
  if (typeof value === "string") return value;
  throw new TypeError(`Cannot ${ACTION}: ${name} must be text, not ${describe(value)}`);
}

function flag(value: boolean, name: string): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(`Cannot ${ACTION}: ${name} must be true or false, not ${describe(value)}`);
}
