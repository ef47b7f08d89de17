/** Options of `serveStatic`. @module */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Symlinks } from "../files/open_root.ts";
import type { SiteOptions } from "../rules/options.ts";

/** Facts about a file for the `setHeaders` hook. */
export interface StaticFile {
  /** Bytes. */
  readonly size: number;
  /** Last modification, in milliseconds since the epoch. */
  readonly mtimeMs: number;
  /** Last modification as a date. */
  readonly mtime: Date;
}

/** Options of `serveStatic()`: those of `serve-static`, most of `sirv`, and more. */
export interface StaticOptions extends Omit<SiteOptions, "dotfiles"> {
  /**
   * Treatment of names that begin with a dot, except `/.well-known`; `true` means `"allow"`.
   *
   * @default {"ignore"}
   */
  readonly dotfiles?: "allow" | "deny" | "ignore" | boolean | undefined;
  /**
   * Whether to leave missing files, and methods other than GET and HEAD, to the next handler. If
   * false, they are errors for the framework. Without a next handler, sluice answers them.
   *
   * @default {true}
   */
  readonly fallthrough?: boolean | undefined;
  /**
   * Sets headers on the response before the file is sent; `Content-Length` stays that of the body.
   * With `fetch`, use `headers` instead.
   */
  readonly setHeaders?:
    | ((res: ServerResponse, path: string, file: StaticFile) => void)
    | undefined;
  /** Which symbolic links to follow. @default {"inside"} */
  readonly symlinks?: Symlinks | undefined;
  /** Path prefix to remove, if the framework does not remove it. */
  readonly prefix?: string | undefined;
  /** Alias of `spa`, as in `sirv`. */
  readonly single?: boolean | string | undefined;
  /**
   * As in `sirv`: forbids browser caching; with `etag: true`, browsers revalidate. @default {false}
   */
  readonly dev?: boolean | undefined;
  /** As in `sirv`: adds `"br"` to `precompressed`. */
  readonly brotli?: boolean | undefined;
  /** As in `sirv`: adds `"gzip"` to `precompressed`. */
  readonly gzip?: boolean | undefined;
  /** As in `sirv`: called instead of answering if there is no next handler. Not for `fetch`. */
  readonly onNoMatch?: ((req: IncomingMessage, res: ServerResponse) => void) | undefined;
}
