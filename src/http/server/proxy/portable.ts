/** Passing requests on by `node:http`, where no system call can be made. @module */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { reset } from "../../../runtime/reset.ts";
import { trimBlanks } from "../../rules/blanks.ts";
import { splitTarget } from "../../rules/target.ts";
import type { PortableSites } from "../sites/portable.ts";
import { ACCEL, type Accel, isOfServers, redirectionOf } from "../response/accel.ts";
import { KEPT, OF_THIS_HOP } from "./hop.ts";
import { type FallbackChoice, hostOf } from "./options.ts";
import { decodedPath, owned } from "./paths.ts";
import { noteFault, refuse, sendRedirected } from "./portable_answer.ts";
import { PortableRequests } from "./portable_request.ts";

const WHO = /^(?:forwarded|x[-_]forwarded[-_](?:for|host|proto)|x[-_]real[-_]ip)$/;

/** The same rules as those of the server's own threads. */
export class PortableFallback {
  readonly #config: FallbackChoice;
  /** What files are sent from that the program names. */
  readonly #sites: PortableSites;
  /** The paths of the program, decoded. */
  readonly #decoded: readonly string[];

  readonly #requests: PortableRequests;

  readonly #maxBodyBytes: number;

  /** Refuses bodies of more than `maxBodyBytes`; 0 for any length. */
  constructor(config: FallbackChoice, sites: PortableSites, maxBodyBytes = 0) {
    this.#config = config;
    this.#maxBodyBytes = maxBodyBytes || Infinity;
    this.#requests = new PortableRequests(config);
    this.#sites = sites;
    this.#decoded = config.paths.map(decodedPath);
  }

  /** Reloads the authorities that may sign the program's certificate. */
  reload(): void {
    this.#requests.reload();
  }

  /** Whether a target goes to the program, whatever the folder contains. */
  owns(target: string): boolean {
    return owned(target, this.#config.paths, this.#decoded);
  }

  /**
   * Answers a request, in whatever way. If it is for the program and `switched` is given, calls that:
   * the request asks for another protocol.
   */
  serve(req: IncomingMessage, res: ServerResponse, switched?: () => void): void {
    const { method = "", url = "" } = req;
    const { methods, notFound, paths } = this.#config;
    const pass = switched ?? (() => this.#pass(req, res));
    const passes = url !== "*" && method !== "CONNECT" && method !== "TRACE";
    if (passes && owned(url, paths, this.#decoded)) return pass();
    const plain = method === "GET" || method === "HEAD";
    const theirs = !plain && methods &&
      !(method === "OPTIONS" && this.#sites.find(req)!.preflights);
    if (passes && theirs) return pass();
    this.#sites.serve(req, res, (error) => {
      const { status = 404, headers = {} } = (error ?? {}) as {
        status?: number;
        headers?: Record<string, string>;
      };
      if (passes && plain && notFound && status === 404) return pass();
      refuse(res, status, headers);
    });
  }

  /** Passes a WebSocket through. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    const { accel } = this.#config;
    const request = this.#requests.request(req, [
      ...this.#headers(req),
      "Connection",
      "Upgrade",
      "Upgrade",
      "websocket",
    ]);
    request.on("upgrade", (response, upstream, first) => {
      // From here on, silence is normal.
      upstream.setTimeout(0);
      const lines = [`HTTP/1.1 101 Switching Protocols`, ...fieldLines(response.rawHeaders, accel)];
      socket.write(`${lines.join("\r\n")}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
      socket.write(first);
      upstream.write(head);
      // An ordinary end would look like that of the program.
      upstream.on("error", () => reset(socket as Socket));
      socket.on("error", () => upstream.destroy());
      socket.on("close", () => upstream.destroy());
      upstream.pipe(socket).pipe(upstream);
    });
    request.on("response", (response) => {
      const { statusCode = 502, statusMessage = "" } = response;
      const lines = [
        `HTTP/1.1 ${statusCode} ${statusMessage}`,
        ...fieldLines(response.rawHeaders, accel),
      ];
      socket.write(`${lines.join("\r\n")}\r\nConnection: close\r\n\r\n`);
      response.on("error", () => reset(socket as Socket));
      response.pipe(socket);
    });
    request.on("error", () => {
      socket.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    request.end();
  }

  #pass(req: IncomingMessage, res: ServerResponse): void {
    const coded = req.headers["transfer-encoding"] !== undefined;
    const tooLong = () => refuse(res, 413, { Connection: "close" });
    if (Number(req.headers["content-length"] ?? 0) > this.#maxBodyBytes) return tooLong();
    const more = coded ? ["Transfer-Encoding", "chunked"] : [];
    const request = this.#requests.request(req, [
      ...this.#headers(req),
      ...more,
      "Connection",
      "close",
    ]);
    const { accel } = this.#config;
    let left = false;
    const cut = () => {
      noteFault(res, "it ended the connection before the end of its answer");
      // Where the body ends with the connection, an ordinary end would look like that of the body.
      if (res.socket) reset(res.socket);
      res.destroy();
    };
    if (coded && this.#maxBodyBytes !== Infinity) {
      let received = 0;
      req.on("data", (bytes: Uint8Array) => {
        received += bytes.length;
        if (left || received <= this.#maxBodyBytes) return;
        left = true;
        req.unpipe(request);
        request.destroy();
        if (res.headersSent) cut();
        else tooLong();
      });
    }
    request.on("response", (response) => {
      const { headers, rawHeaders, statusCode = 502, statusMessage } = response;
      const kept: string[] = [];
      const said: [lower: string, value: string][] = [];
      eachField(rawHeaders, (name, value, lower) => {
        if (accel !== false) said.push([lower, value]);
        // RFC 9110, 8.6: such an answer has no Content-Length.
        if (statusCode !== 204 || lower !== "content-length") kept.push(name, value);
      });
      const redirection = redirectionOf(said);
      if (redirection !== undefined) {
        left = true;
        req.unpipe(request);
        request.destroy();
        return sendRedirected({ accel, redirection, req, res, sites: this.#sites });
      }
      // RFC 9110, 15.5.22: an answer with 426 says to which protocol.
      if (statusCode === 426 && headers.upgrade !== undefined) {
        kept.push("Upgrade", headers.upgrade, "Connection", "upgrade, close");
      }
      res.writeHead(statusCode, statusMessage, kept);
      response.pipe(res);
      response.on("aborted", cut);
      response.on("error", cut);
    });
    request.on("error", (error) => {
      if (left) return;
      const { reason, status } = this.#requests.faultOf(request, error);
      noteFault(res, reason);
      if (res.headersSent) cut();
      else refuse(res, status, {});
    });
    res.on("close", () => request.destroy());
    req.pipe(request);
  }

  #headers(req: IncomingMessage): string[] {
    const { accel, forwarded, to, via } = this.#config;
    const parts = splitTarget(req.url ?? "");
    const authority = parts === 400 ? undefined : parts.authority;
    const host = authority ?? req.headers.host;
    // HTTP/1.1 requires one.
    const headers: string[] = ["Host", host ?? hostOf(to)];
    eachField(req.rawHeaders, (name, value, lower) => {
      // The runtime has said "100 Continue" itself.
      if (lower === "host" || lower === "expect" || lower === "trailer") return;
      if (accel !== false && isOfServers(lower)) return;
      if (forwarded === false || !WHO.test(lower)) headers.push(name, value);
    });
    if (via) headers.push("Via", `1.${req.httpVersionMinor} sluice`);
    if (forwarded === false) return headers;
    const { remoteAddress = "" } = req.socket;
    const chain = forwarded === "append" ? [req.headers["x-forwarded-for"] ?? ""] : [];
    const all = [...chain, remoteAddress].filter((address) => address !== "").join(", ");
    if (all !== "") headers.push("X-Forwarded-For", all);
    const said = (name: string) => forwarded === "append" ? req.headers[name] as string : undefined;
    const scheme = (req.socket as { encrypted?: boolean }).encrypted ? "https" : "http";
    const asked = said("x-forwarded-host") ?? host;
    if (asked !== undefined) headers.push("X-Forwarded-Host", asked);
    headers.push("X-Forwarded-Proto", said("x-forwarded-proto") ?? scheme);
    return headers;
  }
}

/** The only other protocol that is passed on; runtimes that can be told treat the rest as ordinary. */
export function isWebSocket({ headers, method }: IncomingMessage): boolean {
  return String(headers.upgrade).toLowerCase() === "websocket" && method === "GET";
}

/** Calls `add` for each field that does not concern one hop alone. */
function eachField(
  raw: readonly string[],
  add: (name: string, value: string, lower: string) => void,
): void {
  const dropped = new Set(OF_THIS_HOP);
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.toLowerCase() !== "connection") continue;
    for (const option of raw[i + 1]!.toLowerCase().split(",")) dropped.add(trimBlanks(option));
  }
  for (const name of KEPT) if (!OF_THIS_HOP.has(name)) dropped.delete(name);
  for (let i = 0; i < raw.length; i += 2) {
    const lower = raw[i]!.toLowerCase();
    if (!dropped.has(lower)) add(raw[i]!, raw[i + 1]!, lower);
  }
}

function fieldLines(raw: readonly string[], accel: Accel): string[] {
  const lines: string[] = [];
  eachField(raw, (name, value, lower) => {
    if (accel === false || lower !== ACCEL) lines.push(`${name}: ${value}`);
  });
  return lines;
}
