/** Redirects HTTP clients to HTTPS. @module */

import type { Server } from "node:http";
import { builtin } from "../../../builtins.ts";
import type { ServerConfig } from "./options.ts";

/**
 * Host of a request, with or without a port; rejects all that could leave the authority of a URL.
 */
const HOST = /^([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;

/**
 * Listens for HTTP on the port of the option `tls.redirectPort`, and redirects every client to
 * `target`.
 *
 * Uses the runtime's own server: a redirect has no body, so sluice would gain nothing.
 *
 * @throws {Error} Names the port. Has no `code`, so that it is not mistaken for an error of the
 * main port.
 */
export async function startRedirect(
  { host, tls }: ServerConfig,
  target: { readonly port: number },
): Promise<Server | undefined> {
  const port = tls?.redirectPort ?? 0;
  if (port === 0) return undefined;
  const suffix = target.port === 443 ? "" : `:${target.port}`;
  const server = builtin("http").createServer((req, res) => {
    const name = HOST.exec(req.headers.host ?? "")?.[1];
    const { url = "/" } = req;
    res.setHeader("Content-Length", 0);
    if (name === undefined || !url.startsWith("/")) {
      res.statusCode = 400;
    } else {
      // Unlike 301, 308 keeps the method.
      res.statusCode = 308;
      res.setHeader("Location", `https://${name}${suffix}${url}`);
    }
    res.end();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => reject(failure(port, cause)));
    server.listen({ host, port }, () => {
      server.removeAllListeners("error");
      resolve();
    });
  });
  return server.unref();
}

function failure(port: number, cause: NodeJS.ErrnoException): Error {
  const reason = cause.code === "EADDRINUSE" ? "the port is in use" : cause.message;
  return new Error(`Cannot redirect HTTP requests on port ${port}: ${reason}`, { cause });
}

/** Closes the server and its connections. */
export function stopRedirect(server: Server | undefined): void {
  server?.close();
  server?.closeAllConnections();
}
