/** HTTP servers, and a client that shows the exact bytes on the wire. @module */

import { channel } from "node:diagnostics_channel";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { TransferEvent } from "../../src/move/engine/diagnostics.ts";
import { HOST } from "./targets_net.ts";

/**
 * Whether bytes of `sendFile()` leave by the descriptor of a response of `node:http`. Bun hides that, and
 * sluice looks for it where it is worth that.
 */
export function bypassesHttp(bytes: number): boolean {
  return DESCRIPTOR || bytes >= 192 * 1024;
}

/** The same for a file stream that is piped into a response with a Content-Length. */
export function bypassesPipe(bytes: number): boolean {
  return bytes >= 16 * 1024 && bypassesHttp(bytes);
}

/** Whether responses of `node:http` expose their descriptor: Bun's do not. */
export const DESCRIPTOR: boolean = !("Bun" in globalThis);

/** Reason to skip tests that need {@linkcode DESCRIPTOR}. */
export const NO_DESCRIPTOR: string | false = DESCRIPTOR
  ? false
  : "the responses of Bun's node:http show no descriptor";

/** Runs `body` with a server on a free port of the loopback interface, or on `path`. */
export async function withServer<T>(
  listener: RequestListener,
  body: (port: number, server: Server) => Promise<T>,
  server: Server = createServer(),
  path?: string,
): Promise<T> {
  server.on("request", listener);
  if (path === undefined) server.listen(0, HOST);
  else server.listen(path);
  await once(server, "listening");
  try {
    return await body((server.address() as AddressInfo).port, server);
  } finally {
    server.closeAllConnections?.();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** Response of a server. */
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/**
 * A connection that sends requests as text and reads responses by their Content-Length, byte for
 * byte: a stray byte before a response is an error.
 */
export class Client {
  readonly socket: Socket;
  #chunks: Buffer[] = [];
  #length = 0;
  #wake: (() => void) | undefined;
  #over = false;

  constructor(where: number | string | Socket) {
    this.socket = typeof where === "object"
      ? where
      : typeof where === "number"
      ? connect(where, HOST)
      : connect(where);
    this.socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#length += chunk.length;
      this.#wake?.();
    });
    this.socket.on("error", () => {});
    for (const event of ["end", "close"]) {
      this.socket.on(event, () => {
        this.#over = true;
        this.#wake?.();
      });
    }
  }

  /** Bytes after the last response. */
  get rest(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]!;
  }

  /** Writes the head of a request. */
  send(method: string, path: string, headers: Record<string, string> = {}): this {
    const lines = Object.entries({ host: "localhost", ...headers }).map(([k, v]) => `${k}: ${v}`);
    this.socket.write([`${method} ${path} HTTP/1.1`, ...lines, "", ""].join("\r\n"));
    return this;
  }

  /**
   * Reads the response to a request of this method; the body of a truncated one is what arrived.
   */
  async receive(method = "GET"): Promise<Answer> {
    const head = await this.#through("\r\n\r\n");
    const [start = "", ...lines] = head.toString("latin1").trimEnd().split("\r\n");
    const match = /^HTTP\/1\.1 (\d{3}) /.exec(start);
    if (match === null) throw new Error(`not an answer: ${JSON.stringify(start.slice(0, 80))}`);
    const status = Number(match[1]);
    const headers = Object.fromEntries(lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }));
    const bodiless = method === "HEAD" || status === 204 || status === 304;
    if (bodiless) return { status, headers, body: Buffer.alloc(0) };
    if (headers["transfer-encoding"] === "chunked") {
      return { status, headers, body: await this.#chunked() };
    }
    const length = Number(headers["content-length"] ?? Infinity);
    return { status, headers, body: await this.#take(length, true) };
  }

  /** Sends one request and reads its response. */
  async get(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
    return await this.send(method, path, headers).receive(method);
  }

  async #chunked(): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (;;) {
      const size = parseInt((await this.#through("\r\n")).toString("latin1"), 16);
      const chunk = await this.#take(size + 2);
      if (size === 0) return Buffer.concat(parts);
      parts.push(chunk.subarray(0, size));
    }
  }

  /** Reads everything up to and including `mark`. */
  async #through(mark: string): Promise<Buffer> {
    for (;;) {
      const at = this.rest.indexOf(mark);
      if (at >= 0) return this.#take(at + mark.length);
      await this.#more();
    }
  }

  /** Reads this many bytes; fewer at the end of the connection, if `short` is set. */
  async #take(length: number, short = false): Promise<Buffer> {
    while (this.#length < length && !(short && this.#over)) await this.#more();
    const all = this.rest;
    const bytes = all.subarray(0, length);
    this.#chunks = [all.subarray(bytes.length)];
    this.#length -= bytes.length;
    return bytes;
  }

  async #more(): Promise<void> {
    if (this.#over) throw new Error(`connection closed after ${this.#length} bytes`);
    await new Promise<void>((resolve) => this.#wake = resolve);
  }

  /** Ends the connection, and waits until the server does so too. */
  async close(): Promise<void> {
    if (this.socket.closed) return;
    this.socket.end();
    await once(this.socket, "close");
  }

  /** Aborts the connection. */
  reset(): void {
    // Node.js never closes a socket that is reset during a shutdown.
    if (this.#over || this.socket.resetAndDestroy === undefined) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }
}

/** Runs `body`, and calls `listener` for each event on `"sluice:transfer"` meanwhile. */
export async function listening<T>(
  listener: (event: TransferEvent) => void,
  body: () => Promise<T>,
): Promise<T> {
  // Keep a reference: Bun drops subscribers of a channel that nothing refers to.
  const transfers = channel("sluice:transfer");
  const subscriber = (event: unknown) => listener(event as TransferEvent);
  transfers.subscribe(subscriber);
  try {
    return await body();
  } finally {
    transfers.unsubscribe(subscriber);
  }
}

/** Runs `body`; returns the events meanwhile, and the bytes sent by sendfile(2). */
export async function recording<T>(
  body: () => Promise<T>,
): Promise<{ result: T; events: TransferEvent[]; sent: number }> {
  const events: TransferEvent[] = [];
  const result = await listening((event) => void events.push(event), body);
  const sent = events.filter(({ method }) => method === "sendfile")
    .reduce((sum, { bytes }) => sum + bytes, 0);
  return { result, events, sent };
}

/** The body of a response to one request, and how many bytes of it left by sendfile(2). */
export async function download(
  listener: RequestListener,
  path = "/",
): Promise<{ body: Buffer; sent: number }> {
  const { result: body, sent } = await recording(() =>
    withServer(listener, async (port) => {
      const client = new Client(port);
      const answer = await client.get(path);
      await client.close();
      return answer.body;
    })
  );
  return { body, sent };
}
