/** `sluice serve`: serves a folder. @module */

import { backend, runtime } from "../../../ffi/mod.ts";
import { libc } from "../../sys/libc.ts";
import {
  createFileServer,
  type FileServer,
  type RequestEvent,
  type TlsOptions,
} from "../../http/mod.ts";
import { interruptible } from "../exit.ts";
import { folderAt } from "../folder.ts";
import { urlsOf } from "./addresses.ts";
import { openBrowser } from "./browser.ts";
import { howToTrust, reloadOnChange, tlsOf } from "./tls.ts";
import { createReporter, type Reporter } from "./reporter.ts";

/** Options of the command. */
export interface ServeOptions {
  readonly port?: number | undefined;
  /** `true` for `--host` without an address. */
  readonly host: string | true;
  readonly threads: number;
  readonly spa: boolean;
  readonly cors: boolean;
  readonly fallback?: string | undefined;
  readonly sandbox: boolean;
  readonly tls: boolean;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly redirectHttp?: number | undefined;
  readonly open: boolean;
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
const VALID_MS = 10;

/** Time that downloads have to end, in milliseconds. */
const GRACE_MS = 30_000;

/** Serves `dir` until a signal arrives. */
export async function serveFolder(dir: string, options: ServeOptions): Promise<void> {
  const root = folderAt(dir, "serve");
  const tls = tlsOf(options);
  const reporter = createReporter(options);
  const server = await listen(root, options, tls?.options, reporter);
  await interruptible(async (signal) => {
    const { address, port } = server.address!;
    const urls = urlsOf(address, port, tls === undefined ? "http" : "https");
    const made = tls?.made;
    const note = made === undefined ? howBytesTravel() : howToTrust(made);
    // Before the address is printed, because SIGHUP without a listener would end the process.
    const stopWatching = tls && reloadOnChange(server, tls.options, {
      failed: ({ message }) => reporter.warn(message),
      reloaded: () => reporter.reloaded(tls.options.cert),
    });
    await reporter.listening({
      root,
      note,
      certificate: made,
      ...urls,
      stats: () => server.stats(),
    });
    if (options.open) openBrowser(urls.local);
    await new Promise<void>((resolve) => {
      if (signal.aborted) return resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    stopWatching?.();
    reporter.draining();
    await server.close({ graceMs: GRACE_MS });
    reporter.stop(server.stats());
  });
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

async function listen(
  root: string,
  { cors, fallback, host, port, sandbox, spa, threads }: ServeOptions,
  tls: TlsOptions | undefined,
  reporter: Reporter,
): Promise<FileServer> {
  const { eventsPerSecond } = reporter;
  const events = eventsPerSecond === 0 ? {} : {
    onRequest: (event: RequestEvent) => reporter.request(event),
    // The limit is one of each thread.
    eventsPerSecond: Math.ceil(eventsPerSecond / threads),
  };
  const first = port ?? DEFAULT_PORT;
  for (let candidate = first;; candidate++) {
    const server = createFileServer({
      root,
      port: candidate,
      host: host === true ? "0.0.0.0" : host,
      threads,
      spa,
      cors,
      sandbox,
      cache: { validMs: VALID_MS },
      ...(fallback !== undefined && { fallback }),
      ...(tls !== undefined && { tls }),
      listing: !spa && fallback === undefined,
      ...events,
    });
    try {
      await server.listen();
      return server;
    } catch (error) {
      const taken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
      if (taken && port === undefined && candidate < first + PORTS) {
        reporter.taken(candidate);
        continue;
      }
      if (!taken) throw error;
      throw new Error(`Port ${candidate} is in use; try --port ${candidate + 1}, or --port 0`);
    }
  }
}
