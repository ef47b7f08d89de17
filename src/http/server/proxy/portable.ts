/** Passing requests on by `node:http`, where no system call can be made. @module */

import type { ClientRequest, IncomingMessage, RequestOptions, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { builtin } from "../../../builtins.ts";
import { phraseOf } from "../../rules/messages.ts";
import type { FallbackChoice } from "./options.ts";

/** Answers for the files, and calls `next` with an error that has a `status` where it has none. */
type Files = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

const OF_THIS_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);
const WHO = /^(?:forwarded|x[-_]forwarded[-_](?:for|host|proto)|x[-_]real[-_]ip)$/;

/** The same rules as those of the server's own threads. */
export class PortableFallback {
  readonly #config: FallbackChoice;

  constructor(config: FallbackChoice) {
    this.#config = config;
  }

  /** Answers a request, in whatever way. */
  serve(req: IncomingMessage, res: ServerResponse, files: Files, preflights: boolean): void {
    const { method = "", url = "" } = req;
    const { methods, notFound, paths } = this.#config;
    const passes = url.startsWith("/") && method !== "CONNECT" && method !== "TRACE";
    if (passes && paths.some((path) => url.startsWith(path))) return this.#pass(req, res);
    const plain = method === "GET" || method === "HEAD";
    const theirs = !plain && methods && !(method === "OPTIONS" && preflights);
    if (passes && theirs) return this.#pass(req, res);
    files(req, res, (error) => {
      const { status = 404, headers = {} } = (error ?? {}) as {
        status?: number;
        headers?: Record<string, string>;
      };
      if (passes && plain && notFound && status === 404) return this.#pass(req, res);
      refuse(res, status, headers);
    });
  }

  /** Passes a WebSocket through; any other protocol is refused. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    socket.on("error", () => socket.destroy());
    if (!isWebSocket(req)) {
      socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      return;
    }
    const headers = this.#headers(req);
    const request = this.#request(req, [
      ...headers,
      "Connection",
      "Upgrade",
      "Upgrade",
      "websocket",
    ]);
    request.on("upgrade", (response, upstream, first) => {
      // From here on silence buffers nothing.
      upstream.setTimeout(0);
      const lines = [`HTTP/1.1 101 Switching Protocols`, ...fieldLines(response.rawHeaders)];
      socket.write(`${lines.join("\r\n")}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
      socket.write(first);
      upstream.write(head);
      upstream.on("error", () => socket.destroy());
      socket.on("error", () => upstream.destroy());
      socket.on("close", () => upstream.destroy());
      upstream.pipe(socket).pipe(upstream);
    });
    request.on("response", (response) => {
      const { statusCode = 502, statusMessage = "" } = response;
      const lines = [`HTTP/1.1 ${statusCode} ${statusMessage}`, ...fieldLines(response.rawHeaders)];
      socket.write(`${lines.join("\r\n")}\r\nConnection: close\r\n\r\n`);
      response.pipe(socket);
    });
    request.on("error", () => {
      socket.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    request.end();
  }

  #pass(req: IncomingMessage, res: ServerResponse): void {
    const coded = req.headers["transfer-encoding"] !== undefined;
    const more = coded ? ["Transfer-Encoding", "chunked"] : [];
    const request = this.#request(req, [...this.#headers(req), ...more, "Connection", "close"]);
    request.on("response", (response) => {
      const { rawHeaders, statusCode = 502, statusMessage } = response;
      const kept: string[] = [];
      eachField(rawHeaders, (name, value) => kept.push(name, value));
      res.writeHead(statusCode, statusMessage, kept);
      response.pipe(res);
      response.on("aborted", () => res.destroy());
      response.on("error", () => res.destroy());
    });
    request.on("error", () => {
      if (res.headersSent) res.destroy();
      else refuse(res, timedOut.has(request) ? 504 : 502, {});
    });
    res.on("close", () => request.destroy());
    req.pipe(request);
  }

  #request(req: IncomingMessage, headers: string[]): ClientRequest {
    const { silenceMs, to } = this.#config;
    const where: RequestOptions = "path" in to
      ? { socketPath: to.path }
      : { host: to.host, port: to.port };
    const { method, url: path } = req;
    const options = { ...where, agent: false as const, headers, method, path, setHost: false };
    const request = builtin("http").request(options as RequestOptions);
    request.setTimeout(silenceMs, () => {
      timedOut.add(request);
      request.destroy(new Error("The program says nothing"));
    });
    return request;
  }

  #headers(req: IncomingMessage): string[] {
    const { forwarded } = this.#config;
    const headers: string[] = [];
    eachField(req.rawHeaders, (name, value, lower) => {
      if (forwarded === false || !WHO.test(lower)) headers.push(name, value);
    });
    headers.push("Via", `1.${req.httpVersionMinor} sluice`);
    if (forwarded === false) return headers;
    const { remoteAddress = "" } = req.socket;
    const chain = forwarded === "append" ? [req.headers["x-forwarded-for"] ?? ""] : [];
    const all = [...chain, remoteAddress].filter((address) => address !== "").join(", ");
    if (all !== "") headers.push("X-Forwarded-For", all);
    const said = (name: string) => forwarded === "append" ? req.headers[name] as string : undefined;
    const host = said("x-forwarded-host") ?? req.headers.host;
    if (host !== undefined) headers.push("X-Forwarded-Host", host);
    headers.push("X-Forwarded-Proto", said("x-forwarded-proto") ?? "http");
    return headers;
  }
}

/** The only other protocol that is passed on; runtimes that can be told treat the rest as ordinary. */
export function isWebSocket({ headers, method }: IncomingMessage): boolean {
  return String(headers.upgrade).toLowerCase() === "websocket" && method === "GET";
}

/** Requests that were given up. */
const timedOut = new WeakSet<ClientRequest>();

function eachField(
  raw: readonly string[],
  add: (name: string, value: string, lower: string) => void,
): void {
  for (let i = 0; i < raw.length; i += 2) {
    const lower = raw[i]!.toLowerCase();
    if (!OF_THIS_HOP.has(lower)) add(raw[i]!, raw[i + 1]!, lower);
  }
}

function fieldLines(raw: readonly string[]): string[] {
  const lines: string[] = [];
  eachField(raw, (name, value) => lines.push(`${name}: ${value}`));
  return lines;
}

function refuse(
  res: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
): void {
  if (res.headersSent) return void res.destroy();
  const body = `${status} ${phraseOf(status)}\n`;
  res.writeHead(status, { ...headers, "Content-Type": "text/plain; charset=utf-8" });
  res.end(body);
}
