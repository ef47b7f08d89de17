import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import { createRequire } from "node:module";
import { after, describe, it } from "node:test";
import fastify from "fastify";
import { serveStatic, type StaticHandler, type StaticOptions } from "../../src/http/mod.ts";
import { sha256 } from "../_kit/bytes.ts";
import { describeWithoutLeaks } from "../_kit/leaks.ts";
import { Client, recording } from "../_kit/serve.ts";
import { listen, stop } from "../_kit/targets_net.ts";
import { big, TWENTY, www } from "./_site.ts";

/** Without types of their own in this project. */
const require = createRequire(import.meta.url);
type Use = { use(...args: unknown[]): void };
const express = require("express") as () => Use & RequestListener & {
  set(k: string, v: string): void;
};
const connect = require("connect") as () => Use & RequestListener;
interface HonoApp extends Use {
  all(path: string, handler: (context: { text(text: string): Response }) => Response): void;
  readonly fetch: unknown;
}
const { Hono } = require("hono") as { Hono: new () => HonoApp };
const { serve } = require("@hono/node-server") as {
  serve(options: { fetch: unknown; port: number; hostname: string }, listening: () => void): Server;
};
const Koa = require("koa") as new () => Use & {
  callback(): RequestListener;
  silent: boolean;
};

/** How a framework mounts the handler below `/files`, with another handler behind it. */
interface Framework {
  readonly name: string;
  /** A header that something before us sets has to be in our answers. */
  open(handler: StaticHandler, mounted: StaticHandler): Promise<Server>;
}

const closing: (() => unknown)[] = [];
after(async () => {
  for (const close of closing) await close();
});

const FRAMEWORKS: Framework[] = [
  {
    name: "Express",
    open(handler) {
      const app = express();
      app.set("env", "test");
      app.use((_: unknown, res: { setHeader(n: string, v: string): void }, next: () => void) => {
        res.setHeader("X-Before", "1");
        next();
      });
      app.use("/files", handler);
      app.use((_: unknown, res: { end(text: string): void }) => res.end("behind"));
      return Promise.resolve(createServer(app));
    },
  },
  {
    name: "Connect",
    open(handler) {
      const app = connect();
      app.use((_: unknown, res: { setHeader(n: string, v: string): void }, next: () => void) => {
        res.setHeader("X-Before", "1");
        next();
      });
      app.use("/files", handler);
      app.use((_: unknown, res: { end(text: string): void }) => res.end("behind"));
      return Promise.resolve(createServer(app));
    },
  },
  {
    name: "Koa",
    open(_, mounted) {
      const app = new Koa();
      app.silent = true;
      app.use(async (context: { set(n: string, v: string): void }, next: () => Promise<void>) => {
        context.set("X-Before", "1");
        await next();
        // As those do that measure how long it took: too late, and no harm.
        context.set("X-After", "1");
      });
      app.use(mounted);
      app.use((context: { body: string }) => context.body = "behind");
      return Promise.resolve(createServer(app.callback()));
    },
  },
  {
    name: "Fastify, as a route",
    async open(_, mounted) {
      const app = fastify();
      app.addHook("onRequest", (_, reply, done) => {
        reply.header("X-Before", "1");
        done();
      });
      app.get("/files/*", mounted);
      app.get("/files", mounted);
      app.setNotFoundHandler((_, reply) => void reply.code(200).send("behind"));
      await app.ready();
      closing.push(() => app.close());
      return app.server;
    },
  },
  {
    name: "Fastify, as a hook",
    async open(_, mounted) {
      const app = fastify();
      app.addHook("onRequest", (_, reply, done) => {
        reply.header("X-Before", "1");
        done();
      });
      app.addHook("onRequest", (request, reply, done) => mounted(request, reply, done));
      app.setNotFoundHandler((_, reply) => void reply.code(200).send("behind"));
      await app.ready();
      closing.push(() => app.close());
      return app.server;
    },
  },
  {
    name: "Hono on node:http",
    open(_, mounted) {
      const app = new Hono();
      app.use(
        async (context: { header(n: string, v: string): void }, next: () => Promise<void>) => {
          context.header("X-Before", "1");
          await next();
        },
      );
      app.use("/files/*", mounted);
      app.all("*", (context) => context.text("behind"));
      return new Promise((resolve) => {
        const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, () => {
          resolve(server);
        });
      });
    },
  },
];

for (const { name, open } of FRAMEWORKS) {
  const run = async <T>(
    body: (port: number, client: Client) => Promise<T>,
    options: StaticOptions = {},
  ): Promise<T> => {
    const handlers = [
      serveStatic(www, options),
      serveStatic(www, { ...options, prefix: "/files" }),
    ] as const;
    const server = await open(...handlers);
    const port = server.listening
      ? (server.address() as { port: number }).port
      : await listen(server);
    const client = new Client(port);
    try {
      return await body(port, client);
    } finally {
      await client.close();
      server.closeAllConnections?.();
      await stop(server);
      for (const handler of handlers) handler.close();
    }
  };
  const warmUp = () => run((_, client) => client.get("/files/file.txt"));

  describeWithoutLeaks(`serveStatic() in ${name}`, { warmUp }, () => {
    it("serves files, whole and in part", async () => {
      await run(async (_, client) => {
        const small = await client.get("/files/file.txt");
        assert.equal(small.status, 200);
        assert.equal(small.body.toString(), TWENTY);
        assert.equal(small.headers["content-type"], "text/plain; charset=utf-8");
        assert.equal(small.headers["x-before"], "1");
        assert.equal(small.headers["content-length"], "20");
        const { result, sent } = await recording(() => client.get("/files/big.bin"));
        assert.equal(sha256(result.body), sha256(big));
        assert.equal(sent, big.length);
        const part = await client.get("/files/big.bin", { range: "bytes=5-999999" });
        assert.equal(part.status, 206);
        assert.equal(sha256(part.body), sha256(big.subarray(5, 1_000_000)));
        const two = await client.get("/files/file.txt", { range: "bytes=0-1,3-3" });
        assert.equal(two.status, 206);
        assert.match(two.body.toString(), /\r\n\r\n01\r\n[^]+\r\n\r\n3\r\n/);
        assert.equal(client.rest.length, 0);
      });
    });

    it("answers conditions, HEAD and what cannot be satisfied", async () => {
      await run(async (_, client) => {
        const head = await client.get("/files/big.bin", {}, "HEAD");
        assert.equal(head.status, 200);
        assert.equal(head.headers["content-length"], String(big.length));
        const { etag } = head.headers;
        assert.equal((await client.get("/files/big.bin", { "if-none-match": etag! })).status, 304);
        assert.equal((await client.get("/files/big.bin", { "if-match": '"a"' })).status, 412);
        const beyond = await client.get("/files/file.txt", { range: "bytes=20-" });
        assert.equal(beyond.status, 416);
        assert.equal(beyond.headers["content-range"], "bytes */20");
        assert.equal((await client.get("/files/file.txt")).body.toString(), TWENTY);
      });
    });

    it("leads to folders from wherever it is mounted", async () => {
      await run(async (_, client) => {
        const folder = await client.get("/files/folder?a");
        assert.equal(folder.status, 301);
        assert.equal(folder.headers["location"], "./folder/?a");
        assert.equal((await client.get("/files/folder/")).body.toString(), "index of the folder");
        const root = await client.get("/files");
        assert.equal(root.headers["location"], "./files/");
        assert.equal((await client.get("/files/")).body.toString(), "the index");
      });
    });

    it("passes on what it has not", async () => {
      await run(async (_, client) => {
        for (const target of ["/files/absent", "/files/.env", "/files/link", "/files/a%2fb"]) {
          const answer = await client.get(target);
          assert.equal(answer.body.toString(), "behind", target);
          assert.equal(answer.headers["etag"], undefined);
        }
        assert.equal((await client.get("/files/file.txt")).body.toString(), TWENTY);
      });
    });

    it("answers with the status of what it refuses, if it is told to", async () => {
      await run(async (_, client) => {
        assert.equal((await client.get("/files/.env")).status, 403);
        assert.equal((await client.get("/files/absent")).status, 404);
        assert.equal((await client.get("/files/file.txt")).body.toString(), TWENTY);
      }, { fallthrough: false, dotfiles: "deny" });
    });

    it("leaves to the framework what goes wrong once it has begun, and no header of the file", async () => {
      const setHeaders: StaticOptions["setHeaders"] = (_, path) => {
        if (path.endsWith("app.js")) throw new Error("from the hook");
      };
      await run(async (_, client) => {
        for (let times = 0; times < 2; times++) {
          const answer = await client.get("/files/assets/app.js", { "accept-encoding": "br" });
          assert.equal(answer.status, 500);
          assert.notEqual(answer.headers["content-type"], "text/javascript; charset=utf-8");
          for (const name of ["content-encoding", "etag", "last-modified", "accept-ranges"]) {
            assert.equal(answer.headers[name], undefined, name);
          }
          assert.equal((await client.get("/files/file.txt")).body.toString(), TWENTY);
        }
      }, { precompressed: true, setHeaders });
    });

    it("serves many at once, and outlives those who hang up", async () => {
      await run(async (port) => {
        const clients = Array.from({ length: 12 }, () => new Client(port));
        await Promise.all(clients.map(async (client, i) => {
          client.send("GET", "/files/big.bin");
          if (i % 3 === 0) {
            await new Promise((resolve) => client.socket.once("data", resolve));
            return client.reset();
          }
          assert.equal(sha256((await client.receive()).body), sha256(big));
          await client.close();
        }));
      });
    });
  });
}

async function refusesPost(client: Client): Promise<void> {
  const post = await client.get("/file.txt", { "content-length": "0" }, "POST");
  assert.equal(post.status, 405);
  assert.equal(post.headers["allow"], "GET, HEAD, OPTIONS");
}

describe("serveStatic()", () => {
  it("makes errors of the framework of what it refuses, if it is told to", async () => {
    const handler = serveStatic(www, { fallthrough: false });
    const app = express();
    app.set("env", "test");
    app.use(handler);
    const server = createServer(app);
    const port = await listen(server);
    const client = new Client(port);
    assert.equal((await client.get("/absent")).status, 404);
    assert.equal((await client.get("/%zz")).status, 400);
    await refusesPost(client);
    await client.close();
    await stop(server);
    handler.close();
  });

  it("says which methods there are, whatever the error handler makes of its errors", async () => {
    const handler = serveStatic(www, { fallthrough: false });
    const server = createServer((req, res) => {
      handler(req, res, (error) => {
        res.statusCode = (error as { status: number }).status;
        res.end("by the error handler");
      });
    });
    const client = new Client(await listen(server));
    assert.equal((await client.get("/absent")).body.toString(), "by the error handler");
    await refusesPost(client);
    await client.close();
    await stop(server);
    handler.close();
  });

  it("lets a middleware of Koa answer for what went wrong", async () => {
    const handler = serveStatic(www, {
      setHeaders: () => {
        throw new Error("from the hook");
      },
    });
    const app = new Koa();
    app.use(async (context: { body: string; status: number }, next: () => Promise<void>) => {
      await next().catch((error: Error) => {
        context.status = 502;
        context.body = error.message;
      });
    });
    app.use(handler);
    const server = createServer(app.callback());
    const client = new Client(await listen(server));
    const answer = await client.get("/file.txt");
    assert.equal(answer.status, 502);
    assert.equal(answer.body.toString(), "from the hook");
    await client.close();
    await stop(server);
    handler.close();
  });

  it("works where a test injects its requests", async () => {
    const handler = serveStatic(www);
    const app = fastify();
    app.get("/*", handler);
    const { statusCode, headers, rawPayload } = await app.inject("/big.bin");
    assert.equal(statusCode, 200);
    assert.equal(headers["content-length"], String(big.length));
    assert.equal(sha256(rawPayload), sha256(big));
    assert.equal((await app.inject("/file.txt")).body, TWENTY);
    assert.equal((await app.inject("/absent")).statusCode, 404);
    await app.close();
    handler.close();
  });

  it("says what it was called with when that is no request", () => {
    const handler = serveStatic(www) as unknown as (...args: unknown[]) => void;
    assert.throws(() => handler(), TypeError);
    assert.throws(() => handler({}), TypeError);
    (handler as unknown as StaticHandler).close();
  });
});

describe("cookies that were set before", () => {
  const cookies = ["a=1", "b=2; Path=/"];
  const handler = serveStatic(www);
  after(() => handler.close());
  const koa = new Koa();
  koa.use(async (context: { set(n: string, v: string[]): void }, next: () => Promise<void>) => {
    context.set("Set-Cookie", cookies);
    await next();
  });
  koa.use(handler);
  type Cookies = { header(name: string, value: string, options: { append: boolean }): void };
  const hono = new Hono();
  hono.use(async (context: Cookies, next: () => Promise<void>) => {
    for (const cookie of cookies) context.header("Set-Cookie", cookie, { append: true });
    await next();
  });
  hono.use("*", handler);
  const inHono = () =>
    new Promise<Server>((resolve) => {
      const { fetch } = hono;
      const server = serve({ fetch, port: 0, hostname: "127.0.0.1" }, () => resolve(server));
    });
  const inFastify = async () => {
    const app = fastify();
    app.addHook("onRequest", (_, reply, done) => {
      for (const cookie of cookies) reply.header("Set-Cookie", cookie);
      done();
    });
    app.get("/*", handler);
    await app.ready();
    return app.server;
  };
  const inNode = () =>
    createServer((req, res) => {
      res.setHeader("Set-Cookie", cookies);
      handler(req, res);
    });
  const servers: Record<string, () => Server | Promise<Server>> = {
    "node:http": inNode,
    "Koa": () => createServer(koa.callback()),
    "Fastify": inFastify,
    "Hono": inHono,
  };
  for (const [name, open] of Object.entries(servers)) {
    it(`are all sent: ${name}`, async () => {
      const server = await open();
      const port = server.listening
        ? (server.address() as { port: number }).port
        : await listen(server);
      try {
        const { status, headers } = await fetch(`http://127.0.0.1:${port}/file.txt`);
        assert.equal(status, 200);
        assert.deepEqual(headers.getSetCookie(), cookies);
      } finally {
        server.closeAllConnections?.();
        await stop(server);
      }
    });
  }
});
