/** `sluice serve`: serves a folder. @module */

import { join } from "node:path";
import process from "node:process";
import { backend, runtime } from "../../../ffi/mod.ts";
import { available, libc } from "../../sys/libc.ts";
import {
  createFileServer,
  type FileServer,
  type FileServerOptions,
  type TlsOptions,
} from "../../http/mod.ts";
import { formatCombined, formatEvent } from "../../http/server/thread/log_format.ts";
import { interruptible, usageError, withOptions } from "../exit.ts";
import { write } from "../output.ts";
import type { Live, LiveSite } from "./live/live.ts";
import { STREAM_PATH } from "./live/client.ts";
import { urlsOf } from "./addresses.ts";
import type { Compressed, CompressFlags, Compression } from "./compress.ts";
import { openBrowser } from "./browser.ts";
import { serveMetrics } from "./metrics.ts";
import { foldersOf, isHiddenServed, rootAt, type SiteFlags, siteOf } from "./site.ts";
import { refuseSecrets } from "./secrets.ts";
import { howToTrust, reloadOnChange, tlsOf } from "./tls.ts";
import { createReporter, type Reporter } from "./reporter.ts";

/** Options of the command. */
export interface ServeOptions extends SiteFlags, CompressFlags {
  readonly port?: number | undefined;
  /** `true` for `--host` without an address. */
  readonly host: string | true;
  readonly threads: number;
  readonly sandbox: boolean;
  readonly tls: boolean;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly redirectHttp?: number | undefined;
  readonly live: boolean;
  readonly open: boolean;
  readonly log?: "combined" | "json" | undefined;
  readonly metrics?: number | undefined;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** First port to try; the next ones follow. */
const DEFAULT_PORT = 3000;
const PORTS = 20;

/**
 * For how long a path is assumed to lead to the same file, in milliseconds. Edits of the file itself
 * always show; after this time, moved folders and changed links do, too. Less costs a look-up for
 * nearly every request of a busy server.
 */
const VALID_MS = 100;

/** Time that downloads have to end, in milliseconds. */
const GRACE_MS = 30_000;

/**
 * Serves a folder or a file until a signal arrives.
 *
 * @param config The config file, if it has passwords.
 */
export async function serveFolder(
  path: string,
  options: ServeOptions,
  config?: string,
): Promise<void> {
  const { only, root } = rootAt(path);
  const compression = await compressionOf(options);
  const add = (folder: Compressed) => compression?.add(folder) ?? {};
  const site = {
    ...siteOf(options, root, only),
    ...add({ root, only, dotfiles: isHiddenServed(options, only) }),
    ...foldersOf(options, root, add),
  };
  const tls = tlsOf(options);
  const secrets = [
    [tls?.options.key, "the private key"],
    [options.authFile, "the file of --auth-file"],
    [config, "a config file with passwords"],
  ] as const;
  refuseSecrets(secrets, { ...site, root });
  const reporter = createReporter(options);
  const live = await liveFor(options, { ...site, root }, reporter);
  const served = { ...site, ...live?.options, root };
  const server = await listen(served, options, tls?.options, reporter).catch((cause) => {
    live?.close();
    throw cause;
  });
  await interruptible(async (signal) => {
    const { address, family, port } = server.address!;
    const urls = family === "Unix"
      ? { local: server.url!, network: [] }
      : urlsOf(address, port, tls === undefined ? "http" : "https");
    const made = tls?.made;
    const how = made === undefined ? howBytesTravel() : howToTrust(made);
    const note = live === undefined ? how : `${how}\nPages reload when a file changes`;
    // Before the address is printed, because SIGHUP without a listener would end the process.
    const stopWatching = tls && reloadOnChange(server, tls.options, {
      failed: ({ message }) => reporter.warn(message),
      reloaded: () => reporter.reloaded(tls.options.cert),
    });
    if (site.auth !== undefined && tls === undefined && !isLocal(address)) {
      reporter.warn("Everybody on the way can read passwords over HTTP; --tls encrypts them");
    }
    if (site.upload !== undefined && site.auth === undefined && !isLocal(address)) {
      reporter.warn(
        "Everybody who reaches this server can store files in the folder; --auth asks for a password",
      );
    }
    const { metrics } = options;
    const counters = metrics === undefined
      ? undefined
      : await serveMetrics(metrics, () => server.stats());
    await live?.watch(server);
    await reporter.listening({
      root: only === undefined ? root : join(root, only),
      folders: namedFolders(site),
      note,
      certificate: made,
      ...urls,
      metrics: counters?.url,
      stats: () => server.stats(),
    });
    compression?.start({
      made: (pass) => reporter.compressed(pass),
      warn: (message) => reporter.warn(message),
    });
    if (options.open) openBrowser(urls.local);
    await new Promise<void>((resolve) => {
      if (signal.aborted) return resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    stopWatching?.();
    await compression?.stop();
    live?.close();
    counters?.server.close().closeAllConnections();
    reporter.draining();
    await server.close({ graceMs: GRACE_MS });
    reporter.stop(server.stats());
  });
}

async function compressionOf(options: ServeOptions): Promise<Compression | undefined> {
  if (!options.compress) return undefined;
  const { Compression } = await import("./compress.ts");
  return new Compression(options);
}

/** The further folders, by path or host. */
function namedFolders(
  { hosts, mounts }: Pick<FileServerOptions, "hosts" | "mounts">,
): [string, string][] {
  const all = [...Object.entries(mounts ?? {}), ...Object.entries(hosts ?? {})];
  return all.map(([name, it]) => [
    name,
    String(typeof it === "string" || it instanceof URL ? it : it.root),
  ]);
}

/** Starts what reloads pages, if it is wanted. */
async function liveFor(
  { dotfiles, fallback, live }: ServeOptions,
  site: LiveSite,
  reporter: Reporter,
): Promise<Live | undefined> {
  if (!live) return undefined;
  if (fallback !== undefined) {
    throw usageError("Cannot serve: --live does not go with --fallback");
  }
  const { startLive } = await import("./live/live.ts");
  const warn = (message: string) => reporter.warn(message);
  return await startLive({ dotfiles, site, warn });
}

function isLocal(address: string): boolean {
  return /^(?:127\.|::1$)/.test(address);
}

/** Returns one line that says how this runtime moves the bytes. */
export function howBytesTravel(): string {
  const { name, version } = runtime();
  try {
    libc();
  } catch (error) {
    return `Files are copied by ${name} ${version}: ${(error as Error).message}`;
  }
  return `Files leave by sendfile(2), called by ${name} ${version} through ${backend().name}`;
}

/**
 * The socket that systemd has opened for this process, unless a port was asked for: sd_listen_fds(3).
 */
function passedSocket(port: number | undefined): number | undefined {
  const { LISTEN_FDS, LISTEN_PID } = process.env;
  const passed = Number(LISTEN_FDS) > 0 && Number(LISTEN_PID) === process.pid;
  return passed && port === undefined ? 3 : undefined;
}

async function listen(
  site: Partial<FileServerOptions> & { readonly root: string },
  { host, log, port, sandbox, threads }: ServeOptions,
  tls: TlsOptions | undefined,
  reporter: Reporter,
): Promise<FileServer> {
  const told = log === undefined ? eventsFor(reporter, threads) : logTo(log);
  const first = port ?? DEFAULT_PORT;
  const fd = passedSocket(port);
  for (let candidate = first;; candidate++) {
    const options: FileServerOptions = {
      ...site,
      ...(fd === undefined ? { port: candidate, host: host === true ? "0.0.0.0" : host } : { fd }),
      threads,
      sandbox,
      cache: { validMs: VALID_MS },
      ...(tls !== undefined && { tls }),
      ...told,
    };
    const server = withOptions(() => createFileServer(options));
    try {
      await server.listen();
      return server;
    } catch (error) {
      const taken = fd === undefined && (error as NodeJS.ErrnoException).code === "EADDRINUSE";
      if (taken && port === undefined && candidate < first + PORTS) {
        reporter.taken(candidate);
        continue;
      }
      if (!taken) throw error;
      throw new Error(`Port ${candidate} is in use; try --port ${candidate + 1}, or --port 0`);
    }
  }
}

/** What the reporter shows. */
function eventsFor(reporter: Reporter, threads: number): Partial<FileServerOptions> {
  const { eventsPerSecond } = reporter;
  if (eventsPerSecond === 0) return {};
  return {
    onRequest: (event) => event.target.startsWith(STREAM_PATH) || reporter.request(event),
    // The limit is one of each thread.
    eventsPerSecond: Math.ceil(eventsPerSecond / threads),
  };
}

/** The threads write the log themselves; without foreign calls, the program has to. */
function logTo(format: "combined" | "json"): Partial<FileServerOptions> {
  if (available()) return { log: { descriptor: process.stdout.fd, format } };
  const line = format === "json" ? formatEvent : formatCombined;
  return { onRequest: (event) => event.state === "running" || write(line(event)) };
}
