/** Options of `serveStatic`. @module */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Symlinks } from "../files/open_root.ts";
import type { SiteOptions } from "../rules/options.ts";

/** What the `setHeaders` hook is told of a file. */
export interface StaticFile {
  /** Bytes. */
  readonly size: number;
  /** Last modification, in milliseconds since the epoch. */
  readonly mtimeMs: number;
  /** The same as a date. */
  readonly mtime: Date;
}

/** Options of `serveStatic()`: those of `serve-static`, most of `sirv`, and more. */
export interface StaticOptions extends Omit<SiteOptions, "dotfiles"> {
  /**
   * What becomes of names that begin with a dot, other than `/.well-known`; `true` is `"allow"`.
   *
   * @default {"ignore"}
   */
  readonly dotfiles?: "allow" | "deny" | "ignore" | boolean | undefined;
  /**
   * Whether what is not found, or not asked for with GET or HEAD, is left to the next handler. If
   * not, it is an error for the framework; without a next handler it is answered here.
   *
   * @default {true}
   */
  readonly fallthrough?: boolean | undefined;
  /** Sets headers on the response before the file of this path is sent. Not for `fetch`: see `headers`. */
  readonly setHeaders?:
    | ((res: ServerResponse, path: string, file: StaticFile) => void)
    | undefined;
  /** Which symbolic links are followed. @default {"inside"} */
  readonly symlinks?: Symlinks | undefined;
  /** What comes before the path below the root, where the framework does not cut it off. */
  readonly prefix?: string | undefined;
  /** As in `sirv`: the same as `spa`. */
  readonly single?: boolean | string | undefined;
  /** As in `sirv`: browsers keep no copies; with `etag: true` they ask each time. @default {false} */
  readonly dev?: boolean | undefined;
  /** As in `sirv`: adds `"br"` to `precompressed`. */
  readonly brotli?: boolean | undefined;
  /** As in `sirv`: adds `"gzip"` to `precompressed`. */
  readonly gzip?: boolean | undefined;
  /** As in `sirv`: called instead of an answer where there is no next handler. Not for `fetch`. */
  readonly onNoMatch?: ((req: IncomingMessage, res: ServerResponse) => void) | undefined;
}
