/** Serves the counters of the server as text for Prometheus, on a port of its own. @module */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { FileServerStats } from "../../http/mod.ts";

/** A metric: its name without prefix, type, help, and samples by label. */
type Metric = readonly [
  name: string,
  type: "counter" | "gauge",
  help: string,
  samples: number | Readonly<Record<string, number>>,
  label?: string,
];

/** Renders statistics in the text format 0.0.4 of Prometheus. */
export function prometheusText(stats: FileServerStats): string {
  const metrics: Metric[] = [
    ["connections_total", "counter", "Accepted connections.", stats.accepted],
    ["connections", "gauge", "Open connections.", stats.open],
    ["requests_total", "counter", "Responses, by class of their status.", stats.statuses, "status"],
    ["sent_bytes_total", "counter", "Bytes sent, including heads.", stats.bytes],
    ["cache_hits_total", "counter", "Responses from the cache.", stats.cache.hits],
    ["cache_misses_total", "counter", "Responses that were not in the cache.", stats.cache.misses],
    ["cache_bytes", "gauge", "Bytes in the cache.", stats.cache.bytes],
    ["cold_reads_total", "counter", "Parts of files that were read from disk.", stats.coldReads],
    ["timeouts_total", "counter", "Connections closed because of slow clients.", stats.timeouts],
    ["aborted_total", "counter", "Responses that were cut short.", stats.aborted],
    ["refused_total", "counter", "Connections refused for want of descriptors.", stats.refused],
    ["shed_total", "counter", "Connections closed to make room.", stats.shed],
    ["forwarded_total", "counter", "Requests forwarded to the fallback.", stats.passed],
    ["uploads_total", "counter", "Files stored for clients.", stats.uploads.files],
    ["received_bytes_total", "counter", "Bytes of uploads received.", stats.uploads.bytes],
    ["log_lost_total", "counter", "Lines of the log that were lost.", stats.logLost],
  ];
  if (stats.tls !== null) {
    const { failures, handshakes, resumed } = stats.tls;
    metrics.push(
      ["tls_handshakes_total", "counter", "Completed handshakes.", handshakes],
      ["tls_resumed_total", "counter", "Handshakes that resumed a session.", resumed],
      ["tls_failures_total", "counter", "Failed handshakes, by reason.", failures, "reason"],
    );
  }
  return metrics.map(render).join("");
}

function render([name, type, help, samples, label]: Metric): string {
  const full = `sluice_${name}`;
  const lines = typeof samples === "number"
    ? [`${full} ${samples}`]
    : Object.entries(samples).map(([key, value]) => `${full}{${label}="${key}"} ${value}`);
  return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${lines.join("\n")}\n`;
}

/** Serves `/metrics` on this machine only; returns the server, and where it listens. */
export async function serveMetrics(
  port: number,
  stats: () => FileServerStats,
): Promise<{ server: Server; url: string }> {
  const server = createServer((req, res) => {
    const found = req.url === "/metrics" || req.url === "/";
    res.statusCode = found ? 200 : 404;
    res.setHeader("Content-Type", `text/plain; ${found ? "version=0.0.4; " : ""}charset=utf-8`);
    res.end(found ? prometheusText(stats()) : "404 Not Found\n");
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  const { port: actual } = server.address() as { port: number };
  return { server, url: `http://127.0.0.1:${actual}/metrics` };
}
