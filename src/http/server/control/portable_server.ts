/** The same server without threads of its own: through `node:http` of the runtime. @module */

import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { UnsupportedError } from "../../../errors.ts";
import { isSentBySystem } from "../../../move/send_file/parts.ts";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { builtin } from "../../../builtins.ts";
import type { IpAddress } from "../../../sys/net/address.ts";
import { type ServerAddress, serverAddress } from "../../../sys/net/server_address.ts";
import { inTurn } from "../../adapters/node.ts";
import { setHead } from "../../adapters/respond.ts";
import { planMessage } from "../../rules/messages.ts";
import { isTruncated } from "../archive/portable.ts";
import { Guard } from "../auth/guard.ts";
import { Counter } from "./config.ts";
import { fitLimits } from "./descriptors.ts";
import { isWebSocket, PortableFallback } from "../proxy/portable.ts";
import { PortableUploads, receivedOf } from "../upload/portable.ts";
import { faultOf, refuse } from "../proxy/portable_answer.ts";
import type { RequestEvent } from "../thread/log_format.ts";
import { Sampler } from "../thread/sampler.ts";
import { PortableSites } from "../sites/portable.ts";
import type { ServerConfig } from "./options.ts";
import { headFault, isBodiless } from "../parser/portable_head.ts";
import { PortableHttps } from "./portable_https.ts";
import { makeRoom } from "./portable_room.ts";

const GET = { method: "GET", header: () => undefined };
const DENIED = "401 Unauthorized\n";

/** A server that uses the runtime's own HTTP. */
export interface PortableServer {
  /** Address that it listens on. */
  readonly address: ServerAddress;
  /** The underlying server, for ref() and unref(). */
  readonly server: Server;
  /** Reloads certificates. */
  reload(): void;
  /** Stops accepting; resolves when all responses have ended. */
  close(): Promise<void>;
  /** Closes the remaining connections. */
  cut(): void;
}

/**
 * Starts to serve; counts into the `counters` of one thread. Has no access log and no limits of its
 * own.
 *
 * @param reason Why there are no threads.
 */
export async function listenPortably(
  config: ServerConfig,
  counters: Float64Array,
  reason: string,
): Promise<PortableServer> {
  refuseWhatIsMissing(config, reason);
  const { backlog, host, limits, path, port } = config;
  const tell = reporterOf(config);
  const guard = config.auth && new Guard(config.auth);
  const sites = await PortableSites.open(config.sites);
  const proxy = config.fallback &&
    new PortableFallback(config.fallback, sites, limits.maxBodyBytes);
  const uploads = new PortableUploads({ counters, silenceMs: limits.sendMs });
  const upgrades = proxy === undefined ? {} : { shouldUpgradeCallback: isWebSocket };
  const hsts = config.tls?.hsts ?? "";
  const requests = new WeakMap<Duplex, number>();
  const answer = (req: IncomingMessage, res: ServerResponse, switched?: () => void) => {
    const count = (requests.get(req.socket) ?? 0) + 1;
    requests.set(req.socket, count);
    if (count === limits.maxRequests) res.setHeader("Connection", "close");
    if (hsts !== "") res.setHeader("Strict-Transport-Security", hsts);
    observe(req, res, counters, tell);
    const fault = headFault(req);
    if (fault !== 0) return refuse(res, fault, { Connection: "close" });
    if (sites.find(req) === undefined) return refuse(res, 421, {});
    if (guard !== null && !guard.allows(req.headers.authorization)) {
      setHead(res, planMessage(GET, 401, { "WWW-Authenticate": guard.challenge }));
      return void res.end(DENIED);
    }
    const site = req.method === "PUT" ? sites.find(req)?.config : undefined;
    const stored = site?.upload && proxy?.owns(req.url ?? "") !== true;
    // RFC 9112, 9.3.2: pipelined requests that change something keep their order.
    inTurn(req, res, () => {
      if (stored) void uploads.serve(req, res, site);
      else if (proxy === undefined) sites.serve(req, res);
      else proxy.serve(req, res, switched);
    });
  };
  const handler: RequestListener = (req, res) => answer(req, res);
  const secure = config.tls && new PortableHttps(config.tls, upgrades, handler);
  const server = secure?.server ?? builtin("http").createServer(upgrades, handler);
  // Connections that became tunnels have left the server, but it waits for them.
  const tunnels = new Set<Duplex>();
  // A client that has sent all its requests may end its side. Before a program, that looks as if it has
  // left: see docs/http.md.
  if (proxy === undefined) Object.assign(server, { httpAllowHalfOpen: true });
  server.headersTimeout = limits.headMs;
  server.keepAliveTimeout = limits.idleMs;
  // A large file may take any time, as long as it arrives.
  if (config.sites.some(({ upload }) => upload !== null)) server.requestTimeout = 0;
  const cache = { maxBytes: 0, maxFileBytes: 0, maxFiles: 0, validMs: 0 };
  const perConnection = proxy === undefined ? 1 : 2;
  const room = { limits, cache, threads: 1, perConnection, perFile: 1 };
  const occupy = makeRoom(server, fitLimits(room).limits.maxConnections, counters);
  /** The response to a request whose connection the runtime has given away. */
  const responseOn = (req: IncomingMessage, socket: Duplex) => {
    occupy(socket);
    tunnels.add(socket);
    socket.on("close", () => tunnels.delete(socket));
    socket.on("error", () => socket.destroy());
    const res = new (builtin("http").ServerResponse)(req);
    res.shouldKeepAlive = false;
    res.assignSocket(socket as Socket);
    res.on("finish", () => socket.end());
    return res;
  };
  server.on("connect", (req, socket) => answer(req, responseOn(req, socket)));
  if (proxy !== undefined) {
    server.on("upgrade", (req, socket, head) => {
      const res = responseOn(req, socket);
      const switched = () => {
        res.detachSocket(socket as Socket);
        proxy.upgrade(req, socket, head);
      };
      if (isWebSocket(req)) return answer(req, res, switched);
      // Without shouldUpgradeCallback (Node.js before 22.21), all protocols come here, without the body.
      if (headFault(req) === 0 && isBodiless(req)) answer(req, res);
      else refuse(res, 400, {});
    });
  }
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path === undefined ? { port, host, backlog } : { path, backlog }, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const address = server.address() as IpAddress | string;
  return {
    server,
    address: serverAddress(
      typeof address === "string" ? { family: "Unix", path: address } : plain(address),
    ),
    reload() {
      proxy?.reload();
      secure?.reload();
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await closed;
    },
    cut() {
      server.closeAllConnections();
      for (const socket of tunnels) socket.destroy();
    },
  };
}

/** Drops properties that some runtimes add. */
function plain({ address, family, port }: IpAddress): IpAddress {
  return { family, address, port };
}

/** Refuses options that only threads of sluice can carry out. */
function refuseWhatIsMissing(
  { fd, limits, log, sandbox, sites }: ServerConfig,
  reason: string,
): void {
  const refuse = (action: string, more = "") => {
    throw new UnsupportedError({ action, reason: `${reason}${more}` });
  };
  if (fd !== undefined) refuse("listen on a socket that is there");
  if (limits.maxRate > 0 || sites.some(({ rate }) => rate.maxRate > 0)) {
    refuse("limit the rate of connections", ", and the kernel keeps the limit");
  }
  if (sandbox) refuse("put the threads of a server into a sandbox", "; it needs Linux and FFI");
  if (log !== undefined) refuse("write an access log", "; use onRequest instead");
}

/** The program's function, for the requests that are to be reported. */
function reporterOf({ eventsPerSecond, onRequest }: ServerConfig): ServerConfig["onRequest"] {
  if (onRequest === undefined) return undefined;
  const sampler = new Sampler(eventsPerSecond);
  return (event) => {
    if (sampler.takesEnd(event, performance.now())) onRequest(event);
  };
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
    const fault = faultOf(res);
    const received = receivedOf(res);
    const said = Number(res.getHeader("content-length") ?? 0);
    const total = req.method === "HEAD" || status === 304 ? 0 : said;
    counters[Counter.REQUESTS]!++;
    counters[Counter.STATUS_2XX + Math.floor(status / 100) - 2]!++;
    if (writableFinished) counters[Counter.BYTES]! += total;
    else counters[isTruncated(res) ? Counter.TRUNCATED : Counter.ABORTED]!++;
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
      transfer: isSentBySystem(res) ? "sendfile" : "copy",
      referer: req.headers.referer ?? "",
      userAgent: req.headers["user-agent"] ?? "",
      state: writableFinished ? "done" : "aborted",
      ...(received !== undefined && { received }),
      ...(fault !== undefined && { error: fault }),
    });
  });
}
