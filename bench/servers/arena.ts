/** Servers of precompressed assets: `arena.ts FOLDER KIND THREADS`. @module */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, join } from "node:path";
import process from "node:process";
import { createFileServer } from "../../src/http/mod.ts";
import { announce } from "./harness.ts";
import { TYPES } from "./media_types.ts";

type Handler = (request: Request) => unknown;

interface Bun {
  file(path: string): Blob;
  serve(options: { hostname: string; port: number; fetch: Handler }): { port: number };
}
interface Hono {
  use(path: string, handler: unknown): void;
  readonly fetch: Handler;
}
interface Fastify {
  register(plugin: unknown, options: object): void;
  listen(options: { port: number; host: string }): Promise<string>;
  readonly server: { address(): { readonly port: number } };
}

const { Bun } = globalThis as unknown as { Bun: Bun };
/** These packages have no types here. */
const require = createRequire(import.meta.url);
const [, , root = ".", kind = "sluice", threads = "1"] = process.argv;

function listen(fetch: Handler): void {
  announce(Bun.serve({ hostname: "127.0.0.1", port: 0, fetch }).port);
}

const KINDS: Record<string, () => unknown> = {
  async sluice() {
    const server = createFileServer({
      root,
      threads: Number(threads),
      precompressed: true,
      backlog: 2048,
    });
    announce((await server.listen()).port);
  },
  bun() {
    const compressed = new Map<string, boolean>();
    listen((request) => {
      const { pathname } = new URL(request.url);
      const path = join(root, pathname);
      // Asks the disk once for each file, as a careful program does.
      if (!compressed.has(path)) compressed.set(path, existsSync(`${path}.br`));
      const headers = { "Content-Type": TYPES[extname(path)]! };
      const accepts = /\bbr\b/.test(request.headers.get("accept-encoding") ?? "");
      if (!accepts || compressed.get(path) !== true) {
        return new Response(Bun.file(path), { headers });
      }
      const more = { ...headers, "Content-Encoding": "br", "Vary": "Accept-Encoding" };
      return new Response(Bun.file(`${path}.br`), { headers: more });
    });
  },
  hono() {
    const { Hono } = require("hono") as { Hono: new () => Hono };
    const { serveStatic } = require("hono/bun") as { serveStatic(options: object): unknown };
    const app = new Hono();
    app.use("/*", serveStatic({ root, precompressed: true }));
    listen(app.fetch);
  },
  async fastify() {
    const app = (require("fastify") as () => Fastify)();
    app.register(require("@fastify/static"), { root, preCompressed: true });
    await app.listen({ port: 0, host: "127.0.0.1" });
    announce(app.server.address().port);
  },
};

await KINDS[kind]!();
