/** How files are served: what every adapter takes. @module */

import type { Coding, Headers, PlanFile } from "./types.ts";
import type { Dotfiles } from "./target.ts";
import type { Listing } from "./listing.ts";

/** Header fields for one file; `undefined` for none. Called in whatever thread serves, once per version of a file. */
export type HeadersHook = (file: PlanFile) => Headers | undefined;

/** Which pages of other origins may read the files: see https://fetch.spec.whatwg.org. */
export interface CorsOptions {
  /** Origins such as `"https://example.org"`; `"*"` for all. @default {"*"} */
  readonly origin?: string | readonly string[] | undefined;
  /** Whether pages may send cookies and passwords; not with `"*"`. @default {false} */
  readonly credentials?: boolean | undefined;
  /** Header fields that pages may read beside those that they always may. */
  readonly exposeHeaders?: readonly string[] | undefined;
  /** For how many seconds a browser may remember the answer to a preflight. @default {7200} */
  readonly maxAgeSeconds?: number | undefined;
}

/** What the answer to a request for one file looks like. */
export interface PlanOptions {
  /** Whether parts of a file may be asked for. @default {true} */
  readonly acceptRanges?: boolean | undefined;
  /** Most ranges in one request; one that asks for more gets the whole file. @default {32} */
  readonly maxRanges?: number | undefined;
  /**
   * Whether to send a strong ETag, made of size, mtime and, where mtime was set, ctime. `"mtime"`
   * leaves ctime out: several servers with copies of one file send the same tag then, but a file that
   * is overwritten with the same size and mtime keeps its tag.
   *
   * @default {true}
   */
  readonly etag?: boolean | "mtime" | undefined;
  /** Whether to send Last-Modified. @default {true} */
  readonly lastModified?: boolean | undefined;
  /** Value of Cache-Control; `true` makes one of the two options below. @default {true} */
  readonly cacheControl?: boolean | string | undefined;
  /** For how long copies are good: milliseconds, or text such as `"1d"`, `"2 hours"`. @default {0} */
  readonly maxAge?: number | string | undefined;
  /** Whether what a URL names never changes. @default {false} */
  readonly immutable?: boolean | undefined;
  /** Charset of text; `false` for none. @default {"utf-8"} */
  readonly charset?: string | false | undefined;
  /** Media types by extension, without the dot, beside or instead of those that are known. */
  readonly types?: Readonly<Record<string, string>> | undefined;
  /**
   * More header fields, for all files or for each. They win over those of the plan, of which
   * Content-Length, Content-Range, ETag, Last-Modified and Accept-Ranges cannot be set.
   */
  readonly headers?: Headers | HeadersHook | undefined;
  /** Whether pages of other origins may read the files. @default {false} */
  readonly cors?: boolean | CorsOptions | undefined;
  /** Whether browsers save the file instead of showing it; a string is the name. @default {false} */
  readonly download?: boolean | string | undefined;
  /**
   * Codings in the order of preference: `app.js.br`, `app.js.zst` and `app.js.gz` are sent for
   * `app.js` to those who accept them, unless they are older than it. `true` is all three.
   *
   * @default {false}
   */
  readonly precompressed?: boolean | readonly Coding[] | undefined;
}

/** What is found below a root, and how. */
export interface LookupOptions {
  /** Files that stand for their folder, in order of preference; `false` for none. @default {"index.html"} */
  readonly index?: string | readonly string[] | false | undefined;
  /** Extensions, without the dot, to try where there is no such file. @default {none} */
  readonly extensions?: readonly string[] | false | undefined;
  /**
   * What becomes of names that begin with a dot, other than `/.well-known` (RFC 8615): `"ignore"`
   * says 404, `"deny"` says 403.
   *
   * @default {"ignore"}
   */
  readonly dotfiles?: Dotfiles | undefined;
  /** Whether `/folder` leads to `/folder/`. @default {true} */
  readonly redirect?: boolean | undefined;
  /**
   * The page of an application that routes in the browser: sent for what is not found, to those who
   * accept HTML, unless the name has an extension. `true` is `"index.html"`.
   *
   * @default {false}
   */
  readonly spa?: boolean | string | undefined;
  /**
   * Paths for which that page is not sent: expressions, or text of them, for the decoded path from `/`
   * on; `false` is none. By default those whose name has a dot.
   */
  readonly ignores?: false | string | RegExp | readonly (string | RegExp)[] | undefined;
  /** Whether a folder without index is listed; a function makes the page. @default {false} */
  readonly listing?: boolean | ((listing: Listing) => string) | undefined;
}

/** All options of an adapter that concern what is served. */
export interface SiteOptions extends PlanOptions, LookupOptions {}
