/** Programs of all kinds behind a server: one application on every server that a runtime has. @module */

import { createServer, type RequestListener } from "node:http";
import { createRequire } from "node:module";
import { listen, stop } from "../_kit/targets_net.ts";

/** Without types of their own in this project. */
const require = createRequire(import.meta.url);
const express = require("express") as () => {
  (...args: unknown[]): void;
  disable(setting: string): void;
  all(path: string, handler: (...args: never[]) => void): void;
  use(handler: (...args: never[]) => void): void;
};

interface FetchServer {
  readonly port?: number;
  readonly addr?: { readonly port: number };
  stop?(now: boolean): Promise<void>;
  shutdown?(): Promise<void>;
}
type Serve = (...args: unknown[]) => FetchServer;
const { Bun, Deno } = globalThis as { Bun?: { serve: Serve }; Deno?: { serve: Serve } };

/** A program that listens. */
export interface RunningProgram {
  readonly port: number;
  close(): Promise<unknown>;
}

/** A server, and how to start it. */
export interface Kind {
  readonly name: string;
  start(): Promise<RunningProgram>;
}

/** Text in `x-...` fields: what the program has seen of a request, and its body back. */
const nodeListener: RequestListener = (req, res) => {
  const chunks: Uint8Array[] = [];
  req.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  req.on("end", () => {
    const body = Buffer.concat(chunks);
    res.setHeader("X-Seen", `${req.method} ${req.url} ${req.headers["x-forwarded-for"]}`);
    res.setHeader("Set-Cookie", ["a=1", "b=2"]);
    if (req.url === "/none") return res.writeHead(204).end();
    if (req.url === "/stream") {
      // Without a length: in chunks, or up to the end of the connection.
      for (let i = 0; i < 50; i++) res.write(`${i},`);
      return res.end();
    }
    res.setHeader("Content-Length", body.length);
    res.end(body);
  });
};

async function answer(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const headers = new Headers({
    "X-Seen": `${request.method} ${pathname} ${request.headers.get("x-forwarded-for")}`,
  });
  headers.append("Set-Cookie", "a=1");
  headers.append("Set-Cookie", "b=2");
  if (pathname === "/none") return new Response(null, { status: 204, headers });
  if (pathname !== "/stream") return new Response(await request.arrayBuffer(), { headers });
  let i = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (i === 50) controller.close();
      else controller.enqueue(new TextEncoder().encode(`${i++},`));
    },
  });
  return new Response(body, { headers });
}

async function startNode(listener: RequestListener): Promise<RunningProgram> {
  const server = createServer(listener);
  return { port: await listen(server), close: () => stop(server) };
}

/** All that this runtime has. */
export const KINDS: readonly Kind[] = [
  { name: "node:http", start: () => startNode(nodeListener) },
  {
    name: "Express",
    start() {
      const app = express();
      app.disable("x-powered-by");
      app.use(nodeListener as never);
      return startNode(app as RequestListener);
    },
  },
  ...Bun === undefined ? [] : [{
    name: "Bun.serve",
    start() {
      const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
      return Promise.resolve({ port: server.port!, close: () => server.stop!(true) });
    },
  }],
  ...Deno === undefined ? [] : [{
    name: "Deno.serve",
    start() {
      const options = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
      const server = Deno.serve(options, answer);
      return Promise.resolve({ port: server.addr!.port, close: () => server.shutdown!() });
    },
  }],
];
