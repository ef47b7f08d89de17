/** Options of the server, checked and brought into the form that its threads are given. @module */

import { checkObject, describe, mustBe } from "../../../options.ts";
import { settingsOf } from "../../rules/settings.ts";
import type { SiteOptions } from "../../rules/options.ts";
import type { Headers } from "../../rules/types.ts";
import type { Symlinks } from "../../files/open_root.ts";
import { folderOf } from "../../files/static_root.ts";
import { configureTls, type TlsConfig, type TlsOptions } from "../../../tls/options.ts";
import { type FallbackChoice, fallbackOf, type FallbackOptions } from "../proxy/options.ts";
import {
  between,
  type CacheConfig,
  cacheOf,
  type CacheOptions,
  type Limits,
  limitsOf,
  type ServerLimits,
} from "./limits.ts";
import type { RequestEvent } from "../thread/log_format.ts";

/** Options of `createFileServer()`. Functions are not taken: they cannot go to another thread. */
export interface FileServerOptions extends Omit<SiteOptions, "headers" | "listing"> {
  /** The folder that is served. */
  root: string | URL;
  /** Port to listen on; 0 for a free one. @default {0} */
  port?: number | undefined;
  /** Address to listen on, or `"localhost"`. @default {"127.0.0.1"} */
  host?: string | undefined;
  /** Path of a Unix socket to listen on, instead of `port` and `host`. */
  path?: string | undefined;
  /** How many threads serve; a new connection goes to the one that has the fewest. @default {1} */
  threads?: number | undefined;
  /**
   * More header fields for all files; or the URL of a module that exports a function `headers`, which
   * is given a file and returns its fields, at once and without promises. It is loaded in each thread.
   * What it throws is answered with 500, and told in the log.
   */
  headers?: Headers | URL | undefined;
  /** Whether a folder without index is listed. @default {false} */
  listing?: boolean | undefined;
  /**
   * Whether to restrict each thread to reading below the folder, by Landlock and a seccomp filter. A
   * thread that an attacker has taken over can then open nothing else, start no program, and connect to
   * the fallback only. Open descriptors stay usable, and the threads of the runtime are not restricted;
   * `docs/http.md` says what else is not. The folder is then fixed: another one put in its place is not
   * noticed. Needs Linux 5.13.
   *
   * @default {false}
   */
  sandbox?: boolean | undefined;
  /** What becomes of symbolic links: see `openRoot`. @default {"inside"} */
  symlinks?: Symlinks | undefined;
  /** How much is taken, and how long is waited. */
  limits?: ServerLimits | undefined;
  /** What is kept in memory; `false` for nothing. */
  cache?: CacheOptions | false | undefined;
  /**
   * A server of the program's own, whose the rest of the requests are: for what is not in the folder,
   * and for other methods. They are passed on with their bodies, WebSockets included, and the answers
   * passed back, without the program's thread having to look at a single file. A string is the same
   * as `{ to }`.
   */
  fallback?: string | FallbackOptions | undefined;
  /**
   * HTTPS: certificate, private key and what else there is to choose. It needs OpenSSL 3, which is used
   * through FFI; where no foreign function can be called, the runtime's own HTTPS server is used.
   */
  tls?: TlsOptions | undefined;
  /** Connections that may wait in the kernel's queue. @default {511} */
  backlog?: number | undefined;
  /** Where a line for each request is written; to no file by default. */
  log?: LogOptions | undefined;
  /**
   * Called for each request when its answer has been sent or broken off, and while a large one is
   * being sent. On the thread of the program, a little later.
   */
  onRequest?: ((event: RequestEvent) => void) | undefined;
  /**
   * Called when a thread has ended although nobody closed the server.
   *
   * @default {throws, as an uncaught exception}
   */
  onError?: ((error: Error) => void) | undefined;
}

/** The access log. */
export interface LogOptions {
  /** Open for writing; it is duplicated, and stays the caller's. */
  descriptor: number;
  /** `"combined"` is what Apache and nginx write, `"json"` one object in each line. @default {"combined"} */
  format?: "combined" | "json" | undefined;
}

/** What the server is made from. */
export interface ServerConfig {
  readonly root: string;
  readonly port: number;
  readonly host: string;
  readonly path: string | undefined;
  readonly threads: number;
  readonly backlog: number;
  readonly symlinks: Symlinks;
  readonly settings: SiteOptions;
  readonly headers: string | null;
  readonly sandbox: boolean;
  readonly limits: Limits;
  readonly cache: CacheConfig;
  readonly fallback: FallbackChoice | undefined;
  readonly tls: TlsConfig | undefined;
  readonly log: Required<LogOptions> | undefined;
  readonly onRequest: ((event: RequestEvent) => void) | undefined;
  readonly onError: (error: Error) => void;
}

const ACTION = "serve files";

/** Checks options, and fills in every default. */
export function configure(options: FileServerOptions): ServerConfig {
  checkObject(options, ACTION);
  const {
    backlog,
    cache,
    fallback,
    host,
    limits,
    log,
    onRequest,
    path,
    port,
    root,
    symlinks,
    threads,
  } = options;
  const { headers, onError, sandbox = false } = options;
  mustBe(typeof sandbox === "boolean", ACTION, "sandbox", "true or false", sandbox);
  const settings = siteOptions(options, headers);
  for (const name of ["headers", "listing"] as const) {
    if (typeof settings[name] !== "function") continue;
    throw new TypeError(
      `Cannot ${ACTION}: ${name} must be data, or the URL of a module: a thread takes no function`,
    );
  }
  settingsOf(settings);
  return {
    root: folderOf(root),
    settings,
    headers: headers instanceof URL ? headers.href : null,
    sandbox,
    host: text(host ?? "127.0.0.1", "host"),
    path: path === undefined ? undefined : text(path, "path"),
    port: between(port ?? 0, "port", 0, 65_535),
    threads: between(threads ?? 1, "threads", 1, 256),
    backlog: between(backlog ?? 511, "backlog", 1, 65_535),
    symlinks: symlinks ?? "inside",
    limits: limitsOf(limits ?? {}),
    cache: cacheOf(cache ?? {}),
    fallback: fallback === undefined ? undefined : fallbackOf(fallback),
    tls: options.tls === undefined ? undefined : configureTls(options.tls),
    log: log === undefined ? undefined : logOf(log),
    onRequest: onRequest === undefined ? undefined : callback(onRequest, "onRequest"),
    onError: onError === undefined ? uncaught : callback(onError, "onError"),
  };
}

/** What is the server's own, and not for the plan. */
const OWN: ReadonlySet<string> = new Set<keyof FileServerOptions>([
  "backlog",
  "cache",
  "fallback",
  "host",
  "limits",
  "log",
  "onError",
  "onRequest",
  "path",
  "port",
  "root",
  "sandbox",
  "symlinks",
  "threads",
  "tls",
]);

/** What is left for the plan. */
function siteOptions(
  options: FileServerOptions,
  headers: FileServerOptions["headers"],
): SiteOptions {
  const site: Record<string, unknown> = {};
  for (const name of Object.keys(options)) {
    // What was read already is not read again.
    if (OWN.has(name) || name === "headers") continue;
    site[name] = options[name as keyof FileServerOptions];
  }
  if (headers !== undefined && !(headers instanceof URL)) site["headers"] = headers;
  return site as SiteOptions;
}

function logOf({ descriptor, format = "combined" }: LogOptions): Required<LogOptions> {
  if (format !== "combined" && format !== "json") {
    throw new TypeError(`Cannot ${ACTION}: log.format is ${describe(format)}`);
  }
  return { descriptor: between(descriptor, "log.descriptor", 0, 0x7fff_ffff), format };
}

function callback<T>(value: T, name: string): T {
  if (typeof value === "function") return value;
  throw new TypeError(`Cannot ${ACTION}: ${name} must be a function, not ${describe(value)}`);
}

function uncaught(error: Error): void {
  queueMicrotask(() => {
    throw error;
  });
}

function text(value: unknown, name: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new TypeError(`Cannot ${ACTION}: ${name} must be a string, not ${describe(value)}`);
}
