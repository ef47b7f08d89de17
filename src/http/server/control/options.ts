/** Checks the options of the server, and converts them for its threads. @module */

import { requireRuntime } from "../../../sys/libc.ts";
import { checkObject, describe, mustBe } from "../../../options.ts";
import { publishing } from "../../../move/engine/diagnostics.ts";
import { ROOT } from "../../rules/by_path/mount.ts";
import { configureTls, type TlsConfig, type TlsOptions } from "../../../tls/options.ts";
import { type AuthConfig, authOf, type AuthOptions } from "../auth/options.ts";
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
import {
  type FolderOptions,
  type Hosts,
  hostsOf,
  type Mounts,
  mountsOf,
  type SiteConfig,
  siteOf,
} from "../sites/options.ts";
import { withHosts } from "../sites/upload_hosts.ts";
import type { RequestEvent } from "../thread/log_format.ts";
import { logOf, type LogOptions } from "../thread/log_options.ts";

/**
 * Options of `createFileServer()`. Functions are not accepted: they cannot be sent to another
 * thread.
 */
export interface FileServerOptions extends FolderOptions {
  /** Folder to serve; may be left out if `hosts` is given. */
  root?: string | URL | undefined;
  /**
   * Further folders below paths, each with options of its own: `{ "/media": { root: "/srv/media" } }`
   * serves `/srv/media/a.mp4` as `/media/a.mp4`, whatever `root` has there. The longest path wins.
   * Paths are decoded and match whole names: `/media2` is not below `/media`.
   */
  mounts?: Mounts | undefined;
  /**
   * Folders for requests with these names in Host, such as `"example.com"` or `"*.example.com"`,
   * whatever their case and port. An exact name wins over a longer `*.`, that over a shorter one.
   * Requests for other hosts get `root` and `mounts`; without `root`, they get 421.
   */
  hosts?: Hosts | undefined;
  /** Port to listen on; 0 for a free one. @default {0} */
  port?: number | undefined;
  /** Address to listen on, or `"localhost"`. @default {"127.0.0.1"} */
  host?: string | undefined;
  /** Path of a Unix socket to listen on, instead of `port` and `host`. */
  path?: string | undefined;
  /**
   * A socket that listens already, instead of `port`, `host` and `path`: 3 is the first one of
   * systemd (`sd_listen_fds(3)`). It is duplicated; you still own it, and it becomes non-blocking.
   * While it is open, connections wait in its queue for the next server. Needs foreign calls.
   */
  fd?: number | undefined;
  /** Number of serving threads; a new connection goes to the least loaded one. @default {1} */
  threads?: number | undefined;
  /**
   * Whether to restrict each thread to reading below its folders, by Landlock and a seccomp filter.
   * A compromised thread can then open nothing else, start no program, and connect only to the
   * fallback. Open descriptors stay usable, and the runtime's own threads are not restricted;
   * `docs/http.md` lists the other limits. The folder is then fixed: if you replace it by another,
   * the server does not notice. Needs Linux 5.13.
   *
   * @default {false}
   */
  sandbox?: boolean | undefined;
  /** Limits and timeouts. */
  limits?: ServerLimits | undefined;
  /** What to keep of files; `false` for no file and no content: each request opens its file. */
  cache?: CacheOptions | false | undefined;
  /**
   * Your own server, which handles every other request: for missing files, and for other methods.
   * The server forwards requests with their bodies, including WebSockets, and returns the
   * responses, without involving your thread in file requests. A string is the same as `{ to }`.
   */
  fallback?: string | FallbackOptions | undefined;
  /**
   * HTTPS: certificate, private key and further options. Needs OpenSSL 3, called through FFI;
   * without foreign calls, the runtime's own HTTPS server is used.
   */
  tls?: TlsOptions | undefined;
  /**
   * Users with passwords; all requests need one, also those for `fallback`. Over HTTP, everybody on the
   * way can read them: use `tls`. Browsers' preflight requests (CORS) carry none and are refused.
   */
  auth?: AuthOptions | undefined;
  /** Length of the kernel's queue of new connections. @default {511} */
  backlog?: number | undefined;
  /** Where to write a line for each request; no log by default. */
  log?: LogOptions | undefined;
  /**
   * Called for each request when its response has been sent or aborted, and repeatedly while a
   * large one is being sent. Runs on your program's thread, with a small delay. The channel
   * `"sluice:request"` of `node:diagnostics_channel` gets the same events, if it has a subscriber when
   * the server is created.
   */
  onRequest?: ((event: RequestEvent) => void) | undefined;
  /**
   * Most requests per second of which each thread tells `onRequest`, and as many failed ones (status
   * 400 and above); `stats()` still counts all. Those that take longer than a second or are aborted
   * are always reported if their body has a MiB or more, or comes from the fallback. A report costs
   * about as much as a small response, so a display should not ask for more than it shows.
   *
   * @default {Infinity}
   */
  eventsPerSecond?: number | undefined;
  /**
   * Called if a thread ends without a call to `close()`.
   *
   * @default {throws, as an uncaught exception}
   */
  onError?: ((error: Error) => void) | undefined;
}

/** Configuration of a server. */
export interface ServerConfig {
  /** The folders; the first is that of requests for other hosts, if there is one. */
  readonly sites: readonly SiteConfig[];
  readonly port: number;
  readonly host: string;
  readonly path: string | undefined;
  readonly fd: number | undefined;
  readonly threads: number;
  readonly backlog: number;
  readonly sandbox: boolean;
  readonly limits: Limits;
  readonly cache: CacheConfig;
  readonly fallback: FallbackChoice | undefined;
  readonly tls: TlsConfig | undefined;
  readonly auth: AuthConfig | null;
  readonly log: Required<LogOptions> | undefined;
  readonly onRequest: ((event: RequestEvent) => void) | undefined;
  readonly eventsPerSecond: number;
  readonly onError: (error: Error) => void;
}

const ACTION = "serve files";

/** Checks options and fills in all defaults. */
export function configure(options: FileServerOptions): ServerConfig {
  requireRuntime(ACTION);
  checkObject(options, ACTION);
  const {
    backlog,
    cache,
    eventsPerSecond = Infinity,
    fallback,
    fd,
    host,
    limits,
    log,
    onRequest,
    path,
    port,
    threads,
  } = options;
  const { auth, onError, sandbox = false } = options;
  mustBe(typeof sandbox === "boolean", ACTION, "sandbox", "true or false", sandbox);
  if (fd !== undefined && (host ?? port ?? path) !== undefined) {
    throw new TypeError(`Cannot ${ACTION}: fd says where to listen, and so does another option`);
  }
  const checked = limitsOf(limits ?? {});
  return {
    fd: fd === undefined ? undefined : between(fd, "fd", 0, 0x7fff_ffff),
    sites: withHosts(sitesOf(options, checked), { auth, host }),
    sandbox,
    host: text(host ?? "127.0.0.1", "host"),
    path: path === undefined ? undefined : text(path, "path"),
    port: between(port ?? 0, "port", 0, 65_535),
    threads: between(threads ?? 1, "threads", 1, 256),
    backlog: between(backlog ?? 511, "backlog", 1, 65_535),
    limits: checked,
    cache: cacheOf(cache ?? {}),
    fallback: fallback === undefined ? undefined : fallbackOf(fallback),
    tls: options.tls === undefined ? undefined : configureTls(options.tls),
    auth: auth === undefined ? null : authOf(auth),
    log: log === undefined ? undefined : logOf(log),
    onRequest: publishing(
      onRequest === undefined ? undefined : callback(onRequest, "onRequest"),
    ),
    eventsPerSecond: eventsPerSecond === Infinity
      ? Infinity
      : between(eventsPerSecond, "eventsPerSecond", 0, 1_000_000),
    onError: onError === undefined ? uncaught : callback(onError, "onError"),
  };
}

/** Options of the server that are not passed to the plan. */
const OWN: ReadonlySet<string> = new Set<keyof FileServerOptions>([
  "archives",
  "auth",
  "backlog",
  "cache",
  "eventsPerSecond",
  "fallback",
  "fd",
  "host",
  "hosts",
  "limits",
  "log",
  "mounts",
  "onError",
  "onRequest",
  "path",
  "port",
  "root",
  "sandbox",
  "symlinks",
  "threads",
  "tls",
  "upload",
]);

/** The folders: that of the server, its mounts, and those of its hosts. */
function sitesOf(options: FileServerOptions, limits: Limits): SiteConfig[] {
  const { hosts, mounts, root } = options;
  const others = hostsOf(hosts, limits);
  const { maxRate, maxRateAfter } = limits;
  const place = { host: "", mount: ROOT, rate: { maxRate, maxRateAfter } };
  if (root !== undefined || others.length === 0) {
    return [siteOf(root!, options, place, OWN), ...mountsOf(mounts, "", limits), ...others];
  }
  if (mounts === undefined) return others;
  throw new TypeError(`Cannot ${ACTION}: mounts without root; hosts have mounts of their own`);
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
