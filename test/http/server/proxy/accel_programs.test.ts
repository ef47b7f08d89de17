import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, renameSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fastify from "fastify";
import { createFileServer, type RequestEvent } from "../../../../src/http/mod.ts";
import { CERTIFICATE, KEY } from "../../../_kit/certificate.ts";
import { requestText, responses } from "../../../_kit/raw_http.ts";
import { stop } from "../../../_kit/targets_net.ts";
import { LARGE_BYTES, makeSite, patterned, TWENTY } from "../_site.ts";
import { secureClient, secureTalk } from "../_tls.ts";

type Fields = Readonly<Record<string, string>>;

/** Without types of their own in this project, or with those of a browser. */
const require = createRequire(import.meta.url);
const express = require("express") as () => {
  (...args: unknown[]): void;
  get(path: string, handler: (req: ExpressRequest, res: ExpressResponse) => void): void;
};
interface ExpressRequest {
  readonly params: Readonly<Record<string, string>>;
}
interface ExpressResponse {
  set(fields: Fields): ExpressResponse;
  status(code: number): ExpressResponse;
  end(): void;
}
interface HonoContext {
  readonly req: { param(name: string): string };
  body(text: string, status: number, fields: Fields): Response;
}
const { Hono } = require("hono") as {
  Hono: new () => {
    readonly fetch: unknown;
    get(path: string, handler: (context: HonoContext) => Response): void;
  };
};
const { getRequestListener } = require("@hono/node-server") as {
  getRequestListener(fetch: unknown, options: unknown): RequestListener;
};

interface FetchServer {
  stop?(now: boolean): Promise<void>;
  shutdown?(): Promise<void>;
}
type Serve = (...args: unknown[]) => FetchServer;
const { Bun, Deno } = globalThis as { Bun?: { serve: Serve }; Deno?: { serve: Serve } };

/** Response of a program that allows a file. */
const said = (file: string): Fields => ({
  "X-Accel-Redirect": `/private/${file}`,
  "Content-Type": "application/x-report",
  "Content-Disposition": 'attachment; filename="report"',
});

const EMPTY = { "Content-Length": "0" };

/** Allows every file below `/files/`, and nothing else. */
function answer(request: Request): Response {
  const { pathname } = new URL(request.url);
  if (!pathname.startsWith("/files/")) return new Response(null, { status: 403, headers: EMPTY });
  return new Response("not this", { headers: said(pathname.slice(7)) });
}

/** Starts a program that listens on a Unix socket; returns how to end it. */
type Start = (path: string) => Promise<() => Promise<unknown>>;

async function node(server: Server, path: string): Promise<() => Promise<unknown>> {
  await once(server.listen(path), "listening");
  return () => stop(server);
}

const PROGRAMS: Readonly<Record<string, Start>> = {
  "node:http": (path) => {
    const listener: RequestListener = (req, res) => {
      if (!req.url!.startsWith("/files/")) return res.writeHead(403, EMPTY).end();
      res.writeHead(200, said(req.url!.slice(7))).end("not this");
    };
    return node(createServer(listener), path);
  },
  "Express": (path) => {
    const app = express();
    app.get("/files/:file", (req, res) => res.set(said(req.params["file"]!)).end());
    app.get("/private/*all", (_, res) => res.status(403).set(EMPTY).end());
    return node(createServer(app as RequestListener), path);
  },
  "Fastify": async (path) => {
    const app = fastify();
    app.get<{ Params: { file: string } }>("/files/:file", (request, reply) => {
      reply.headers(said(request.params.file)).send("not this");
    });
    app.get("/private/*", (_, reply) => void reply.code(403).headers(EMPTY).send());
    await app.listen({ path });
    return () => app.close();
  },
  "Hono": (path) => {
    const app = new Hono();
    app.get("/files/:file", (context) => {
      return context.body("not this", 200, said(context.req.param("file")));
    });
    app.get("/private/*", (context) => context.body("", 403, EMPTY));
    // Otherwise it replaces the Response of Bun and Deno.
    const options = { overrideGlobalObjects: false };
    return node(createServer(getRequestListener(app.fetch, options)), path);
  },
  ...Bun && {
    "Bun.serve": (path: string) => {
      const server = Bun.serve({ unix: path, fetch: answer });
      return Promise.resolve(() => server.stop!(true));
    },
  },
  ...Deno && {
    "Deno.serve": (path: string) => {
      const server = Deno.serve({ path, onListen: () => {} }, answer);
      return Promise.resolve(() => server.shutdown!());
    },
  },
};

for (const [name, begin] of Object.entries(PROGRAMS)) {
  describe(`files of ${name} over HTTPS`, () => {
    it("are sent by the server in front of it", async () => {
      const site = makeSite();
      mkdirSync(join(site.root, "private"));
      for (const file of ["large.bin", "sparse"]) {
        renameSync(join(site.root, file), join(site.root, "private", file));
      }
      const path = join(site.parent, "app");
      const end = await begin(path);
      const events: RequestEvent[] = [];
      const server = createFileServer({
        root: site.root,
        tls: { cert: CERTIFICATE, key: KEY },
        fallback: { to: `unix:${path}`, accel: "/private/", paths: ["/private/"] },
        onRequest: (event) => void (event.state !== "running" && events.push(event)),
      });
      try {
        const { port } = await server.listen();
        const methods = ["GET", "GET", "HEAD", "GET", "GET", "GET", "GET"];
        const last = { Connection: "close", Range: "bytes=-3" };
        const text = requestText("/files/large.bin") +
          requestText("/files/large.bin", { Range: "bytes=1000000-5000000" }) +
          requestText("/files/large.bin", {}, "HEAD") +
          requestText("/file.txt") + requestText("/private/large.bin") +
          requestText("/files/missing") + requestText("/files/large.bin", last);
        const answers = responses(await secureTalk(port, text), methods);
        assert.deepEqual(answers.map(({ status }) => status), [200, 206, 200, 200, 403, 404, 206]);
        const large = patterned(LARGE_BYTES);
        assert.ok(answers[0]!.body.equals(large));
        assert.ok(answers[1]!.body.equals(large.subarray(1_000_000, 5_000_001)));
        assert.equal(answers[2]!.headers.get("content-length"), String(LARGE_BYTES));
        assert.equal(answers[3]!.body.toString(), TWENTY);
        assert.ok(answers[6]!.body.equals(large.subarray(-3)));
        for (const i of [0, 1, 2, 6]) {
          const { headers } = answers[i]!;
          assert.match(headers.get("content-type")!, /^application\/x-report/);
          assert.equal(headers.get("content-disposition"), 'attachment; filename="report"');
          assert.equal(headers.get("etag"), answers[0]!.headers.get("etag"));
          assert.equal(headers.has("x-accel-redirect"), false);
        }
        const socket = await secureClient(port);
        socket.on("error", () => {});
        socket.write(requestText("/files/sparse"));
        await once(socket, "data");
        socket.destroy();
        for (let i = 0; i < 1000 && events.length < 8; i++) await sleep(10);
        assert.deepEqual(
          events.map(({ bytes, state, target }) => [target, state, state === "done" ? bytes : 0]),
          [
            ["/files/large.bin", "done", LARGE_BYTES],
            ["/files/large.bin", "done", 4_000_001],
            ["/files/large.bin", "done", 0],
            ["/file.txt", "done", 20],
            ["/private/large.bin", "done", 0],
            ["/files/missing", "done", answers[5]!.body.length],
            ["/files/large.bin", "done", 3],
            ["/files/sparse", "aborted", 0],
          ],
        );
        const { aborted, passed } = server.stats();
        assert.deepEqual([passed, aborted], [7, 1]);
      } finally {
        await server.close({ graceMs: 0 });
        await end();
        site.remove();
      }
    });
  });
}
