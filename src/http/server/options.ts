/** Options of the server, checked and brought into the form that its threads are given. @module */

import { describe, wholeNumber } from "../../options.ts";
import { settingsOf } from "../plan/settings.ts";
import type { SiteOptions } from "../plan/options.ts";
import type { Symlinks } from "../open_root.ts";
import { folderOf } from "../site.ts";
import { type FallbackChoice, fallbackOf, type FallbackOptions } from "./fallback/options.ts";
import type { CacheConfig, Limits } from "./config.ts";
import type { RequestEvent } from "./log_format.ts";

/** How much a server takes, and how long it waits. Times are in milliseconds. */
export interface ServerLimits {
  /** Most connections in each thread; more wait in the kernel's queue. @default {10000} */
  maxConnections?: number | undefined;
  /** Longest target, in bytes; a longer one gets 414. @default {8192} */
  maxTargetBytes?: number | undefined;
  /** Longest head of a request, in bytes; a longer one gets 431. @default {16384} */
  maxHeadBytes?: number | undefined;
  /** Most header fields; more get 431. @default {100} */
  maxFields?: number | undefined;
  /** Time for the whole head of a request, from its first byte on. @default {30000} */
  headMs?: number | undefined;
  /** Time between two requests of a connection. @default {65000} */
  idleMs?: number | undefined;
  /** Time in which the client acknowledges nothing at all. @default {60000} */
  sendMs?: number | undefined;
  /** Lowest rate of a download, in bytes per second over `sendMs`; 0 for none. @default {240} */
  minRate?: number | undefined;
}

/** What each thread keeps. */
export interface CacheOptions {
  /** Most bytes of files in memory. @default {32 MiB} */
  maxBytes?: number | undefined;
  /**
   * Largest file in memory, in bytes, at most 1 MiB. Larger ones leave by sendfile(2): at 64 KiB a
   * request took 25 us of CPU that way, and 28 to 43 out of memory (measured on Node.js).
   *
   * @default {32 KiB}
   */
  maxFileBytes?: number | undefined;
  /** Most files that are kept, in memory or open. @default {512} */
  maxFiles?: number | undefined;
  /** For how long a file is taken to be unchanged, in milliseconds, at most 60000. @default {1000} */
  validMs?: number | undefined;
}

/** Options of `createFileServer()`. Functions are not taken: they cannot go to another thread. */
export interface FileServerOptions extends SiteOptions {
  /** The folder that is served. */
  root: string | URL;
  /** Port to listen on; 0 for a free one. @default {0} */
  port?: number | undefined;
  /** Address to listen on, or `"localhost"`. @default {"127.0.0.1"} */
  host?: string | undefined;
  /** Path of a Unix socket to listen on, instead of `port` and `host`. */
  path?: string | undefined;
  /** How many threads serve. @default {1} */
  threads?: number | undefined;
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
  readonly limits: Limits;
  readonly cache: CacheConfig;
  readonly fallback: FallbackChoice | undefined;
  readonly log: Required<LogOptions> | undefined;
  readonly onRequest: ((event: RequestEvent) => void) | undefined;
  readonly onError: (error: Error) => void;
}

const ACTION = "serve files";
const MIB = 1024 * 1024;

/** A day: longer waits are mistakes. */
const MOST_MS = 86_400_000;

/** Checks options, and fills in every default. */
export function configure(options: FileServerOptions): ServerConfig {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot ${ACTION}: options must be an object, not ${describe(options)}`);
  }
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
  const settings = siteOptions(options);
  for (const name of ["headers", "listing"] as const) {
    if (typeof settings[name] !== "function") continue;
    throw new TypeError(`Cannot ${ACTION}: ${name} must be data: a thread takes no function`);
  }
  settingsOf(settings);
  return {
    root: folderOf(root),
    settings,
    host: text(host ?? "127.0.0.1", "host"),
    path: path === undefined ? undefined : text(path, "path"),
    port: between(port ?? 0, "port", 0, 65_535),
    threads: between(threads ?? 1, "threads", 1, 256),
    backlog: between(backlog ?? 511, "backlog", 1, 65_535),
    symlinks: symlinks ?? "inside",
    limits: limitsOf(limits ?? {}),
    cache: cacheOf(cache ?? {}),
    fallback: fallback === undefined ? undefined : fallbackOf(fallback),
    log: log === undefined ? undefined : logOf(log),
    onRequest: onRequest === undefined ? undefined : callback(onRequest, "onRequest"),
    onError: options.onError === undefined ? uncaught : callback(options.onError, "onError"),
  };
}

/** What is left for the plan. */
function siteOptions(options: FileServerOptions): SiteOptions {
  const { backlog: _1, cache: _2, host: _3, limits: _4, log: _5, onRequest: _6, ...rest } = options;
  const {
    fallback: _13,
    onError: _12,
    path: _7,
    port: _8,
    root: _9,
    symlinks: _10,
    threads: _11,
    ...settings
  } = rest;
  return settings;
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

function limitsOf(limits: ServerLimits): Limits {
  return {
    maxConnections: between(limits.maxConnections ?? 10_000, "maxConnections", 1, 1_000_000),
    maxTargetBytes: between(limits.maxTargetBytes ?? 8192, "maxTargetBytes", 16, MIB),
    maxHeadBytes: between(limits.maxHeadBytes ?? 16_384, "maxHeadBytes", 256, MIB),
    maxFields: between(limits.maxFields ?? 100, "maxFields", 1, 10_000),
    headMs: between(limits.headMs ?? 30_000, "headMs", 1, MOST_MS),
    idleMs: between(limits.idleMs ?? 65_000, "idleMs", 1, MOST_MS),
    sendMs: between(limits.sendMs ?? 60_000, "sendMs", 1, MOST_MS),
    minRate: between(limits.minRate ?? 240, "minRate", 0, Number.MAX_SAFE_INTEGER),
  };
}

function cacheOf(cache: CacheOptions | false): CacheConfig {
  if (cache === false) return { maxBytes: 0, maxFileBytes: 0, maxFiles: 0, validMs: 0 };
  return {
    maxBytes: between(cache.maxBytes ?? 32 * MIB, "maxBytes", 0, Number.MAX_SAFE_INTEGER),
    maxFileBytes: between(cache.maxFileBytes ?? 32 * 1024, "maxFileBytes", 0, MIB),
    maxFiles: between(cache.maxFiles ?? 512, "maxFiles", 0, 1_000_000),
    validMs: between(cache.validMs ?? 1000, "validMs", 0, 60_000),
  };
}

function between(value: number, name: string, least: number, most: number): number {
  wholeNumber(value, name, ACTION);
  if (value >= least && value <= most) return value;
  throw new RangeError(`Cannot ${ACTION}: ${name} is ${value}, but must be in ${least}..${most}`);
}

function text(value: unknown, name: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new TypeError(`Cannot ${ACTION}: ${name} must be a string, not ${describe(value)}`);
}
