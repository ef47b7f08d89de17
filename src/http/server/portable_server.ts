/** The same server where no system call can be made: by `node:http`, and by copying. @module */

import type { IncomingMessage, Server, ServerOptions, ServerResponse } from "node:http";
import type { Server as SecureServer } from "node:https";
import { UnsupportedError } from "../../errors.ts";
import { builtin } from "../../builtins.ts";
import { portableTls } from "../../tls/portable.ts";
import { serveStatic } from "../adapters/serve_static.ts";
import { listingPage } from "../listing/page.ts";
import { Counter } from "./config.ts";
import { isWebSocket, PortableFallback } from "./fallback/portable.ts";
import { loadHook } from "./headers_hook.ts";
import type { RequestEvent } from "./log_format.ts";
import type { ServerConfig } from "./options.ts";

/** A server of the runtime's own. */
export interface PortableServer {
  /** Address in digits, or path; the port, or 0. */
  readonly address: { readonly address: string; readonly port: number };
  /** Keeps the process alive, or not. */
  readonly server: Server;
  /** Reads certificates again. */
  reload(): void;
  /** Takes nothing new, and cuts what has not ended after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Begins to serve; counts into `counters` of one thread. Without log and limits of its own. */
export async function listenPortably(
  config: ServerConfig,
  counters: Float64Array,
): Promise<PortableServer> {
  refuseWhatIsMissing(config);
  const { backlog, host, limits, onRequest, path, port, root, settings, symlinks } = config;
  const listing = settings.listing === true ? listingPage : settings.listing;
  const headers = config.headers === null ? settings.headers : await loadHook(config.headers);
  const options = { ...settings, listing, symlinks, headers, fallthrough: false };
  const files = serveStatic(root, options) as (
    req: IncomingMessage,
    res: ServerResponse,
    next?: (error?: unknown) => void,
  ) => void;
  const proxy = config.fallback && new PortableFallback(config.fallback);
  const upgrades = proxy === undefined ? {} : { shouldUpgradeCallback: isWebSocket };
  const hsts = config.tls?.hsts ?? "";
  const server = createServer(config, upgrades, (req, res) => {
    if (hsts !== "") res.setHeader("Strict-Transport-Security", hsts);
    observe(req, res, counters, onRequest);
    if (proxy === undefined) files(req, res);
    else proxy.serve(req, res, files, settings.cors !== undefined && settings.cors !== false);
  });
  if (proxy !== undefined) {
    server.on("upgrade", (req, socket, head) => proxy.upgrade(req, socket, head));
  }
  server.headersTimeout = limits.headMs;
  server.keepAliveTimeout = limits.idleMs;
  server.on("connection", (socket) => {
    counters[Counter.ACCEPTED]!++;
    counters[Counter.OPEN]!++;
    socket.on("close", () => counters[Counter.OPEN]!--);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path === undefined ? { port, host, backlog } : { path, backlog }, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const address = server.address() as { address: string; port: number } | string;
  return {
    server,
    address: typeof address === "string" ? { address, port: 0 } : address,
    reload() {
      if (config.tls !== undefined) {
        (server as SecureServer).setSecureContext(portableTls(config.tls).options);
      }
    },
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** By `node:https`, or by `node:http`. */
function createServer(
  { tls }: ServerConfig,
  options: ServerOptions,
  handler: (req: IncomingMessage, res: ServerResponse) => void,
): Server {
  if (tls === undefined) return builtin("http").createServer(options, handler);
  const { hosts, options: secure } = portableTls(tls);
  const server = builtin("https").createServer({ ...options, ...secure }, handler);
  for (const { context, names } of hosts) {
    for (const name of names) server.addContext(name, context);
  }
  return server;
}

function refuseWhatIsMissing({ log, sandbox }: ServerConfig): void {
  if (sandbox) {
    throw new UnsupportedError({
      action: "put the threads of a server into a sandbox",
      reason: "no system call can be made here; it needs Linux, and FFI",
    });
  }
  if (log === undefined) return;
  throw new UnsupportedError({
    action: "write an access log",
    reason: "no system call can be made here; use onRequest instead",
  });
}

let lastId = 0;

function observe(
  req: IncomingMessage,
  res: ServerResponse,
  counters: Float64Array,
  onRequest: ((event: RequestEvent) => void) | undefined,
): void {
  const began = performance.now();
  const time = Date.now();
  const client = req.socket.remoteAddress ?? "unix";
  res.on("close", () => {
    const { statusCode: status, writableFinished } = res;
    const said = Number(res.getHeader("content-length") ?? 0);
    const total = req.method === "HEAD" || status === 304 ? 0 : said;
    counters[Counter.REQUESTS]!++;
    counters[Counter.STATUS_2XX + Math.floor(status / 100) - 2]!++;
    if (writableFinished) counters[Counter.BYTES]! += total;
    else counters[Counter.ABORTED]!++;
    onRequest?.({
      id: ++lastId,
      time,
      client,
      method: req.method ?? "",
      target: req.url ?? "",
      minor: req.httpVersionMinor,
      status,
      bytes: writableFinished ? total : 0,
      total,
      durationMs: performance.now() - began,
      transfer: "copy",
      referer: req.headers.referer ?? "",
      userAgent: req.headers["user-agent"] ?? "",
      state: writableFinished ? "done" : "aborted",
    });
  });
}
