/** Options for serving files, shared by all adapters. @module */

import type { HeaderRule } from "./by_path/header_rules.ts";
import type { RedirectRule } from "./by_path/redirects.ts";
import type { Coding, Headers, PlanFile } from "./types.ts";
import type { Dotfiles } from "./target.ts";
import type { Listing } from "./listing.ts";

/**
 * Returns header fields for one file, or `undefined` for none. Runs in the thread that serves, once
 * per version of a file.
 */
export type HeadersHook = (file: PlanFile) => Headers | undefined;

/** Pages of other origins that may read the files: see https://fetch.spec.whatwg.org. */
export interface CorsOptions {
  /** Allowed origins, such as `"https://example.org"`; `"*"` allows all. @default {"*"} */
  readonly origin?: string | readonly string[] | undefined;
  /** Whether pages may send cookies and credentials; requires listed origins. @default {false} */
  readonly credentials?: boolean | undefined;
  /** Header fields that pages may read in addition to the ones always exposed. */
  readonly exposeHeaders?: readonly string[] | undefined;
  /** Seconds for which a browser may cache a preflight response. @default {7200} */
  readonly maxAgeSeconds?: number | undefined;
}

/** Options for the response to a request for one file. */
export interface PlanOptions {
  /** Whether to honor Range requests. @default {true} */
  readonly acceptRanges?: boolean | undefined;
  /** Most ranges in one request; a request with more gets the whole file. @default {32} */
  readonly maxRanges?: number | undefined;
  /**
   * Whether to send a strong ETag. It contains the size, the mtime and, if a program has set the
   * mtime, the ctime. `"mtime"` omits the ctime: several servers with copies of one file then send
   * the same tag, but a file that is overwritten with the same size and mtime keeps its tag.
   *
   * @default {true}
   */
  readonly etag?: boolean | "mtime" | undefined;
  /** Whether to send Last-Modified. @default {true} */
  readonly lastModified?: boolean | undefined;
  /** Value of Cache-Control; `true` builds one from `maxAge` and `immutable`. @default {true} */
  readonly cacheControl?: boolean | string | undefined;
  /** Cache lifetime: milliseconds, or text such as `"1d"` or `"2 hours"`. @default {0} */
  readonly maxAge?: number | string | undefined;
  /** Whether the file behind a URL never changes. @default {false} */
  readonly immutable?: boolean | undefined;
  /** Charset of text types; `false` for none. @default {"utf-8"} */
  readonly charset?: string | false | undefined;
  /** Media types by extension, without the dot; these override the built-in ones. */
  readonly types?: Readonly<Record<string, string>> | undefined;
  /**
   * Extra header fields, for all files, for each, or by path. They override fields of the plan, except
   * Content-Length, Content-Range, ETag, Last-Modified and Accept-Ranges, which you cannot set.
   */
  readonly headers?: Headers | HeadersHook | readonly HeaderRule[] | undefined;
  /** Whether pages of other origins may read the files. @default {false} */
  readonly cors?: boolean | CorsOptions | undefined;
  /**
   * Whether browsers save the file instead of showing it; a string sets the name. @default {false}
   */
  readonly download?: boolean | string | undefined;
  /**
   * Content codings in order of preference. For `app.js`, sends `app.js.br`, `app.js.zst` or
   * `app.js.gz` to clients that accept it, unless it is older than `app.js`. `true` enables all
   * three. `"always"` also finds `app.js.gz` and the like where there is no `app.js`; clients get it
   * whatever they accept, as by `gzip_static always` of nginx.
   *
   * @default {false}
   */
  readonly precompressed?: boolean | "always" | readonly Coding[] | undefined;
}

/** Options for finding files below a root. */
export interface LookupOptions {
  /**
   * Files that represent their folder, in order of preference; `false` for none.
   *
   * @default {"index.html"}
   */
  readonly index?: string | readonly string[] | false | undefined;
  /** Extensions, without the dot, to try if the file does not exist. @default {none} */
  readonly extensions?: readonly string[] | false | undefined;
  /**
   * Treatment of names that begin with a dot, except `/.well-known` (RFC 8615): `"ignore"` answers
   * 404, `"deny"` answers 403.
   *
   * @default {"ignore"}
   */
  readonly dotfiles?: Dotfiles | undefined;
  /** Whether to redirect `/folder` to `/folder/`. @default {true} */
  readonly redirect?: boolean | undefined;
  /**
   * Page of a single-page application. It is sent instead of 404 to clients that accept HTML,
   * unless the name has an extension. `true` means `"index.html"`.
   *
   * @default {false}
   */
  readonly spa?: boolean | string | undefined;
  /**
   * Paths that never get the `spa` page: regular expressions, or their text, for the decoded path
   * from `/` on; `false` for none. By default, paths whose last name contains a dot.
   */
  readonly ignores?: false | string | RegExp | readonly (string | RegExp)[] | undefined;
  /**
   * Page that is sent with 404 for a missing file, by its path below the root; `false` for a line of
   * text. @default {false}
   */
  readonly notFound?: string | false | undefined;
  /** Redirects and rewrites. The first that matches applies, unless there is a file. */
  readonly redirects?: readonly RedirectRule[] | undefined;
  /**
   * Folder with compressed versions of the files, which `sluice serve --compress` has made. They are
   * sent where there is no sidecar. A changed file has a version of its own. Only with
   * `precompressed`.
   */
  readonly precompressedRoot?: string | undefined;
  /** Name of the only file to serve; `/` redirects to it. @default {all files} */
  readonly only?: string | undefined;
  /** Whether to list folders without an index; a function renders the page. @default {false} */
  readonly listing?: boolean | ((listing: Listing) => string) | undefined;
  /** Name of the root in listings. @default {none} */
  readonly title?: string | undefined;
  /**
   * HTML, such as a script element, that is added to the end of each HTML page: files, listings and
   * error pages. Such files get no ETag, no ranges and `Cache-Control: no-store`, and no sidecar of
   * `precompressed`. Their bytes still leave by sendfile(2).
   *
   * @default {none}
   */
  readonly appendHtml?: string | undefined;
}

/** All options about the files that an adapter serves. */
export interface SiteOptions extends PlanOptions, LookupOptions {}
