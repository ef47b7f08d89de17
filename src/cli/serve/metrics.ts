/** Serves the counters of the server as text for Prometheus, on a port of its own. @module */

import { once } from "node:events";
import type { Server } from "node:http";
import { type FileServerStats, prometheus } from "../../http/mod.ts";

/** Serves `/metrics` on this machine only; returns the server, and where it listens. */
export async function serveMetrics(
  port: number,
  stats: () => FileServerStats,
): Promise<{ server: Server; url: string }> {
  // Its import alone takes longer than the start of Node.js: it loads fetch and WebSocket, too.
  const { createServer } = await import("node:http");
  const server = createServer((req, res) => {
    const found = req.url === "/metrics" || req.url === "/";
    res.statusCode = found ? 200 : 404;
    res.setHeader("Content-Type", `text/plain; ${found ? "version=0.0.4; " : ""}charset=utf-8`);
    res.end(found ? prometheus(stats()) : "404 Not Found\n");
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  const { port: actual } = server.address() as { port: number };
  return { server, url: `http://127.0.0.1:${actual}/metrics` };
}
