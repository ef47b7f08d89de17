import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { createRequire } from "node:module";
import { after, describe, it } from "node:test";
import { truncateSync, writeFileSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fastify from "fastify";
import {
  fileResponse,
  type FileResponseOptions,
  type FileSent,
  planResponse,
  respondWithFile,
  sendPlan,
} from "../../src/http/mod.ts";
import { capabilities, sendFile } from "../../src/mod.ts";
import { sha256 } from "../_kit/bytes.ts";
import { assertClosed } from "../_kit/leaks.ts";
import { Client, recording } from "../_kit/serve.ts";
import { listen, stop } from "../_kit/targets_net.ts";
import { big, MODIFIED, TWENTY, www } from "./_site.ts";

/** Without types of their own in this project. */
const require = createRequire(import.meta.url);
type Next = (error?: unknown) => void;
type Request = Parameters<RequestListener>[0];
type Handler = (...args: never[]) => unknown;
const express = require("express") as () => RequestListener & {
  set(name: string, value: string): void;
  use(handler: Handler): void;
};
const Koa = require("koa") as new () => {
  silent: boolean;
  use(handler: Handler): void;
  callback(): RequestListener;
};
const { Hono } = require("hono") as {
  Hono: new () => {
    all(path: string, handler: Handler): void;
    fetch(request: globalThis.Request): Promise<Response>;
  };
};
const { serve } = require("@hono/node-server") as {
  serve(options: { fetch: unknown; port: number; hostname: string }, listening: () => void): Server;
};

/** What a request names, in its query: a file below the site, and options. */
function asked(url: string): [string, FileResponseOptions] {
  const { searchParams } = new URL(url, "http://localhost");
  const options = JSON.parse(searchParams.get("options") ?? "{}") as FileResponseOptions;
  return [searchParams.get("path")!, { root: www, ...options }];
}

function target(path: string, options: FileResponseOptions = {}): string {
  return `/?${new URLSearchParams({ path, options: JSON.stringify(options) })}`;
}

const closing: (() => unknown)[] = [];
after(async () => {
  for (const close of closing) await close();
});

/** Bytes that leave by sendfile(2), of the body of `big.bin`. */
const SENT = capabilities().backend !== null ? big.length : 0;

/** What the last request came to. */
let last: Promise<FileSent | Response>;

/** A server of each framework, with nothing but `respondWithFile` in it. */
const OPEN: Record<string, () => Server | Promise<Server>> = {
  "node:http": () =>
    createServer((req, res) => {
      res.setHeader("X-Before", "1");
      last = respondWithFile(req, res, ...asked(req.url!));
      last.catch((error) => {
        if (!res.headersSent) res.writeHead(error.status).end(`${error.code} ${error.message}`);
      });
    }),
  Express: () => {
    const app = express();
    app.set("env", "test");
    app.use((req: Request, res: ServerResponse, next: Next) => {
      res.setHeader("X-Before", "1");
      (last = respondWithFile(req, res, ...asked(req.url!))).catch(next);
    });
    return createServer(app);
  },
  Koa: () => {
    const app = new Koa();
    app.silent = true;
    app.use(async (context: Parameters<typeof respondWithFile>[0] & { url: string }) => {
      (context as unknown as { set(n: string, v: string): void }).set("X-Before", "1");
      await (last = respondWithFile(context as never, ...asked(context.url)));
    });
    return createServer(app.callback());
  },
  Fastify: async () => {
    const app = fastify();
    app.all("/", (request, reply) => {
      reply.header("X-Before", "1");
      return last = respondWithFile(request, reply, ...asked(request.url));
    });
    await app.ready();
    closing.push(() => app.close());
    return app.server;
  },
  "Hono on node:http": () => {
    const app = new Hono();
    app.all("/", (context: { req: { url: string }; header(n: string, v: string): void }) => {
      context.header("X-Before", "1");
      return last = respondWithFile(context as never, ...asked(context.req.url));
    });
    return new Promise((resolve) => {
      const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, () => {
        resolve(server);
      });
    });
  },
};

for (const [name, open] of Object.entries(OPEN)) {
  describe(`respondWithFile() in ${name}`, () => {
    let server: Server;
    let client: Client | undefined;
    const get = async (path: string, headers = {}, method = "GET", options = {}) => {
      if (client === undefined) {
        server = await open();
        client = new Client(
          server.listening ? (server.address() as { port: number }).port : await listen(server),
        );
      }
      return await client.get(target(path, options), headers, method);
    };
    after(async () => {
      await client?.close();
      server?.closeAllConnections?.();
      await stop(server);
    });

    it("sends a file, whole, in part and in parts", async () => {
      const small = await get("file.txt");
      assert.equal(small.status, 200);
      assert.equal(small.body.toString(), TWENTY);
      assert.equal(small.headers["content-type"], "text/plain; charset=utf-8");
      assert.equal(small.headers["last-modified"], MODIFIED);
      assert.equal(small.headers["accept-ranges"], "bytes");
      assert.equal(small.headers["content-disposition"], undefined);
      assert.equal(small.headers["x-before"], "1");
      const { result, sent } = await recording(() => get("big.bin"));
      assert.equal(sha256(result.body), sha256(big));
      assert.equal(sent, SENT);
      const part = await get("/big.bin", { range: "bytes=5-999999" });
      assert.equal(part.status, 206);
      assert.equal(part.headers["content-range"], `bytes 5-999999/${big.length}`);
      assert.equal(sha256(part.body), sha256(big.subarray(5, 1_000_000)));
      const end = await get("file.txt", { range: "bytes=-5" });
      assert.equal(end.body.toString(), TWENTY.slice(-5));
      const two = await get("file.txt", { range: "bytes=0-1,3-3" });
      assert.match(two.headers["content-type"]!, /^multipart\/byteranges; boundary=/);
      assert.match(two.body.toString(), /\r\n\r\n01\r\n[^]+\r\n\r\n3\r\n/);
      assert.equal(client!.rest.length, 0);
      await assertClosed(join(www, "big.bin"));
    });

    it("answers conditions, HEAD, other methods and ranges beyond the end", async () => {
      const { headers: { etag } } = await get("file.txt", {}, "HEAD");
      assert.equal((await get("file.txt", { "if-none-match": etag })).status, 304);
      assert.equal((await get("file.txt", { "if-modified-since": MODIFIED })).status, 304);
      assert.equal((await get("file.txt", { "if-match": '"other"' })).status, 412);
      const before = "Sun, 06 Nov 1994 08:49:36 GMT";
      assert.equal((await get("file.txt", { "if-unmodified-since": before })).status, 412);
      const range = "bytes=1-2";
      assert.equal((await get("file.txt", { range, "if-range": etag })).body.toString(), "12");
      assert.equal((await get("file.txt", { range, "if-range": '"other"' })).status, 200);
      const beyond = await get("file.txt", { range: "bytes=20-" });
      assert.equal(beyond.status, 416);
      assert.equal(beyond.headers["content-range"], "bytes */20");
      const post = await get("file.txt", { "content-length": "0" }, "POST");
      assert.equal(post.status, 405);
      assert.equal(post.headers["allow"], "GET, HEAD, OPTIONS");
      const head = await get("big.bin", {}, "HEAD");
      assert.equal(head.headers["content-length"], String(big.length));
      assert.equal((await get("file.txt")).body.toString(), TWENTY);
    });

    it("leaves a file that it cannot send to the framework, with a status", async () => {
      const paths = ["absent", "../OUTSIDE", "link", "etclink/passwd", ".env", "folder", "fifo"];
      for (const path of [...paths, "", "file.txt/x", "x".repeat(300)]) {
        const answer = await get(path);
        assert.equal(answer.status, 404, path);
        assert.ok(!answer.body.includes(www), "the answer names a path of the server");
        assert.equal(answer.headers["etag"], undefined);
      }
      assert.equal((await get("\0")).status, 400);
      assert.equal((await get(".env", {}, "GET", { dotfiles: "deny" })).status, 403);
      assert.equal((await get(".env", {}, "GET", { dotfiles: "allow" })).status, 200);
      await assert.rejects(async () => {
        await get("absent");
        await last;
      }, { code: "ENOENT", status: 404, statusCode: 404, expose: true, message: "Not Found" });
      assert.equal((await get("file.txt")).body.toString(), TWENTY);
    });

    it("offers the file as a download", async () => {
      const own = await get("a b&c.txt", {}, "GET", { download: true });
      assert.equal(own.headers["content-disposition"], 'attachment; filename="a b&c.txt"');
      const named = await get("file.txt", {}, "GET", { download: "Bücher.txt" });
      assert.match(named.headers["content-disposition"]!, /filename\*=UTF-8''B%C3%BCcher\.txt/);
      const cached = await get("file.txt", {}, "GET", { maxAge: "1d", immutable: true });
      assert.equal(cached.headers["cache-control"], "public, max-age=86400, immutable");
    });
  });
}

/** Runs `body` with a server of `node:http` whose listener may fail the test. */
async function withListener(
  listener: RequestListener,
  body: (client: Client) => Promise<void>,
): Promise<void> {
  const server = createServer(listener);
  const client = new Client(await listen(server));
  try {
    await body(client);
  } finally {
    await client.close();
    server.closeAllConnections?.();
    await stop(server);
  }
}

const DENO_ABORTS = "Deno" in globalThis &&
  "node:http2 of Deno 2.9 aborts the process when a session ends that had several streams";

describe("respondWithFile()", () => {
  it("says what it sent, and whether the client took it", async () => {
    // More than the buffers of a connection hold.
    const path = join(www, "huge.bin");
    writeFileSync(path, "");
    truncateSync(path, 256 * 1024 * 1024);
    await withListener((req, res) => {
      last = respondWithFile(req, res, req.url === "/huge" ? path : join(www, "big.bin"));
    }, async (client) => {
      await client.get("/");
      assert.deepEqual(await last, { status: 200, complete: true });
      await client.get("/", { range: "bytes=0-9" });
      assert.deepEqual(await last, { status: 206, complete: true });
      client.send("GET", "/huge");
      await new Promise((resolve) => client.socket.once("data", resolve));
      client.reset();
      assert.deepEqual(await last, { status: 200, complete: false });
    });
    await assertClosed(path);
  });

  it("takes a file: URL, and any path without a root", async () => {
    await withListener((req, res) => {
      const hidden = pathToFileURL(join(www, ".env"));
      last = respondWithFile(req, res, hidden, { headers: { "X-Own": "2" } });
    }, async (client) => {
      const answer = await client.get("/");
      assert.equal(answer.body.toString(), "PASSWORD=1");
      assert.equal(answer.headers["x-own"], "2");
    });
  });

  it("keeps a status that was set before", async () => {
    await withListener((req, res) => {
      res.statusCode = 404;
      last = respondWithFile(req, res, "page.html", { root: www });
    }, async (client) => {
      const page = await client.get("/", { range: "bytes=0-1" });
      assert.equal(page.status, 404);
      assert.equal(page.body.toString(), "<p>page");
    });
  });

  it("cuts the connection and rejects if the file becomes shorter", async () => {
    const path = join(www, "shorter.bin");
    writeFileSync(path, big);
    await withListener((req, res) => {
      // Before the head, when the length is fixed already.
      const { setHeader } = res;
      res.setHeader = (name, value) => {
        if (name === "Content-Length") truncateSync(path, 1_000_000);
        return setHeader.call(res, name, value);
      };
      last = respondWithFile(req, res, path);
      last.catch(() => {});
    }, async (client) => {
      assert.ok((await client.get("/")).body.length <= 1_000_000);
      await assert.rejects(last, { name: "TruncatedError" });
    });
    await assertClosed(path);
  });

  it("rejects what is no response, no path or no option", async () => {
    const call = respondWithFile as (...args: unknown[]) => Promise<unknown>;
    await assert.rejects(call(), TypeError);
    await assert.rejects(call({}, {}, "file.txt"), TypeError);
    await assert.rejects(call({}, "file.txt"), TypeError);
    await assert.rejects(call({}, {}, "file.txt", { maxRanges: 0 }), RangeError);
    await withListener((req, res) => {
      const failures = [
        assert.rejects(call(req, res, 7), TypeError),
        assert.rejects(call(req, res, "a\0b"), TypeError),
        assert.rejects(call(req, res, "file.txt", { download: 1 }), TypeError),
        assert.rejects(call(req, res, "file.txt", "options"), TypeError),
      ];
      last = Promise.all(failures).then(() => {
        res.writeHead(200, { "Content-Length": 2 });
        res.flushHeaders();
        return assert.rejects(call(req, res, join(www, "file.txt")), /have been sent/);
      }).then(() => res.end("ok")) as never;
    }, async (client) => {
      assert.equal((await client.get("/")).body.toString(), "ok");
    });
  });

  it("serves HTTP/2", { skip: DENO_ABORTS }, async () => {
    const server = createHttp2Server((req, res) => {
      respondWithFile(req, res, ...asked(req.url)).catch((error) => {
        res.writeHead(error.status).end();
      });
    });
    const session = connectHttp2(`http://127.0.0.1:${await listen(server as never)}`);
    const get = (path: string, headers = {}) =>
      new Promise<[number, Buffer]>((resolve, reject) => {
        const stream = session.request({ ":path": target(path), ...headers });
        const chunks: Buffer[] = [];
        let status = 0;
        stream.on("response", (head) => status = Number(head[":status"]));
        stream.on("data", (chunk: Buffer) => chunks.push(chunk));
        stream.on("end", () => resolve([status, Buffer.concat(chunks)]));
        stream.on("error", reject);
        stream.end();
      });
    try {
      const [whole, part, absent] = await Promise.all([
        get("big.bin"),
        get("big.bin", { range: "bytes=5-1000004" }),
        get("absent"),
      ]);
      assert.equal(sha256(whole[1]), sha256(big));
      assert.equal(part[0], 206);
      assert.equal(sha256(part[1]), sha256(big.subarray(5, 1_000_005)));
      assert.equal(absent[0], 404);
    } finally {
      session.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it("answers in Hono without node:http", async () => {
    const app = new Hono();
    app.all(
      "/",
      (context: { req: { url: string } }) =>
        respondWithFile(context as never, ...asked(context.req.url)),
    );
    const ask = (path: string, headers = {}) =>
      app.fetch(new globalThis.Request(`http://localhost${target(path)}`, { headers }));
    const part = await ask("file.txt", { range: "bytes=1-2" });
    assert.equal(part.status, 206);
    assert.equal(await part.text(), "12");
    assert.equal((await ask("absent")).status, 404);
    assert.equal((await ask("file.txt", { range: "bytes=20-" })).status, 416);
  });

  it("has a twin for fetch that refuses the same", async () => {
    const ask = (path: string, options = {}) =>
      fileResponse(new globalThis.Request("http://localhost/"), path, { root: www, ...options });
    assert.equal((await ask("/file.txt")).status, 200);
    for (const path of [".env", "absent", "../OUTSIDE", ""]) {
      assert.equal((await ask(path)).status, 404, path);
    }
    assert.equal((await ask(".env", { dotfiles: "deny" })).status, 403);
    assert.equal((await ask("\0")).status, 400);
    await (await ask(".well-known/security.txt")).text();
  });
});

describe("sendPlan()", () => {
  it("carries out any plan of planResponse(), with bytes between the ranges", async () => {
    await withListener(async (req, res) => {
      const file = await openFile(join(www, "big.bin"));
      const { size, mtimeNs } = await file.stat({ bigint: true });
      const request = {
        method: req.method!,
        header: (name: string) => req.headers[name] as string,
      };
      const plan = planResponse(request, { name: "big.bin", size: Number(size), mtimeNs });
      await sendPlan(res, plan, file).finally(() => file.close());
    }, async (client) => {
      const { result, sent } = await recording(() => client.get("/"));
      assert.equal(sha256(result.body), sha256(big));
      assert.equal(sent, SENT);
      const two = await client.get("/", { range: "bytes=0-999999,2000000-2999999" });
      assert.equal(two.status, 206);
      const boundary = /boundary=(.+)$/.exec(two.headers["content-type"]!)![1];
      const pieces = two.body.toString("latin1").split(`--${boundary}`);
      assert.equal(pieces.length, 4);
      for (const [at, start] of [0, 2_000_000].entries()) {
        const text = pieces[at + 1]!;
        const body = Buffer.from(text.slice(text.indexOf("\r\n\r\n") + 4, -2), "latin1");
        assert.equal(sha256(body), sha256(big.subarray(start, start + 1_000_000)));
      }
      assert.equal((await client.get("/", { range: "bytes=99999999-" })).status, 416);
      assert.equal((await client.get("/", {}, "HEAD")).headers["content-length"], `${big.length}`);
      assert.equal((await client.get("/", { "if-none-match": "*" })).status, 304);
    });
  });

  it("rejects what is no response, no plan or no descriptor", async () => {
    const call = sendPlan as (...args: unknown[]) => Promise<unknown>;
    const plan = planResponse({ method: "GET", header: () => undefined }, {
      name: "a",
      size: 1,
      mtimeNs: 0n,
    });
    await withListener((req, res) => {
      if (req.url === "/closed") {
        last = assert.rejects(call(res, plan, 999_999), { code: "EBADF" })
          .finally(() => res.destroy()) as never;
        return;
      }
      last = Promise.all([
        assert.rejects(call({}, plan, 0), TypeError),
        assert.rejects(call(res, {}, 0), TypeError),
        assert.rejects(call(res, plan, -1), TypeError),
      ]).then(() => res.end("ok")) as never;
    }, async (client) => {
      assert.equal((await client.get("/")).body.toString(), "ok");
      await last;
      // Never an answer that looks complete.
      const { length } = await client.get("/closed").then(({ body }) => body, () => []);
      assert.equal(length, 0);
      await last;
    });
  });
});

describe("errors of sendFile()", () => {
  it("carry the status for Express, and hide the path from the client", async () => {
    const app = express();
    app.use((req: Request, res: ServerResponse, next: Next) => {
      const [path] = asked(req.url!);
      sendFile(res, join(www, path)).catch((error) => {
        assert.equal(error.expose, false);
        next(error);
      });
    });
    app.set("env", "production");
    await withListener(app, async (client) => {
      for (const path of ["absent", "file.txt/x", "x".repeat(300), "folder"]) {
        const answer = await client.get(target(path));
        assert.equal(answer.status, 404, path);
        assert.ok(!answer.body.includes(www));
      }
      assert.equal((await client.get(target("file.txt"))).body.toString(), TWENTY);
    });
  });
});
