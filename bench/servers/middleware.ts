/** Middlewares that serve a folder, mounted as usual: `middleware.ts FOLDER KIND`. @module */

import { createServer, type RequestListener } from "node:http";
import { createRequire } from "node:module";
import process from "node:process";
import { serveStatic } from "../../src/http/mod.ts";
import { announce, listen } from "./harness.ts";

type Use = RequestListener & { use(handler: unknown): void };

interface Fastify {
  register(plugin: unknown, options: object): void;
  get(path: string, handler: unknown): void;
  listen(options: { port: number; host: string }): Promise<string>;
  readonly server: { address(): { readonly port: number } };
}

/** These packages have no types here. */
const require = createRequire(import.meta.url);
const root = process.argv[2]!;

function express(handler: (module: { static(root: string): unknown }) => unknown): void {
  const module = require("express") as { (): Use; static(root: string): unknown };
  const app = module();
  app.use(handler(module));
  listen(createServer(app));
}

async function fastify(set: (app: Fastify) => void): Promise<void> {
  const app = (require("fastify") as () => Fastify)();
  set(app);
  await app.listen({ port: 0, host: "127.0.0.1" });
  announce(app.server.address().port);
}

const KINDS: Record<string, () => unknown> = {
  "express-static": () => express((module) => module.static(root)),
  "express-sluice": () => express(() => serveStatic(root)),
  "express-register": async () => {
    // Before Express loads `send`, as with --import or --preload.
    await import("../../src/register.ts");
    express((module) => module.static(root));
  },
  "http-sluice": () => listen(createServer(serveStatic(root) as RequestListener)),
  "http-sirv": () => {
    // sirv's default reads the tree once and caches it, which is its fastest mode.
    const sirv = require("sirv") as (root: string, options: object) => RequestListener;
    listen(createServer(sirv(root, { etag: true })));
  },
  "http-send": () => {
    const send = require("send") as (req: unknown, path: string, options: object) => {
      pipe(res: unknown): unknown;
    };
    listen(createServer((req, res) => void send(req, req.url!, { root }).pipe(res)));
  },
  "fastify-static": () => fastify((app) => app.register(require("@fastify/static"), { root })),
  "fastify-sluice": () => fastify((app) => app.get("/*", serveStatic(root))),
};

await KINDS[process.argv[3]!]!();
