import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createFileServer, type FallbackOptions, serveStatic } from "../../../src/http/mod.ts";
import { requestText, talk } from "../../_kit/raw_http.ts";
import { withServer } from "../../_kit/serve.ts";
import { PRIVATE, spellings } from "../_spellings.ts";
import { saying, startProgram } from "../server/_program.ts";

const require = createRequire(import.meta.url);
type Use = { use(...args: unknown[]): void };
type Next = () => void;
const express = require("express") as () => Use & RequestListener;
const Koa = require("koa") as new () => Use & { callback(): RequestListener; silent: boolean };

const GUARDED = "HTTP/1.1 203 Guarded\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

let root: string;

before(() => {
  root = mkdtempSync(join(tmpdir(), "sluice-"));
  for (const folder of ["private", "caf\u00e9", "a b"]) {
    mkdirSync(join(root, folder));
    writeFileSync(join(root, folder, "s.txt"), PRIVATE);
  }
  writeFileSync(join(root, "open.txt"), "open");
});
after(() => rmSync(root, { recursive: true, force: true }));

/** Sends every spelling; none may bring the file. Returns the statuses. */
async function attack(port: number, targets = spellings()): Promise<Map<string, number>> {
  const statuses = new Map<string, number>();
  for (let at = 0; at < targets.length; at += 16) {
    await Promise.all(
      targets.slice(at, at + 16).map(async (target) => {
        const request = requestText(target, { Connection: "close" });
        const answer = (await talk(port, request).catch(() => "")).toString("latin1");
        assert.ok(!answer.includes(PRIVATE), `${JSON.stringify(target)}: ${answer.slice(0, 300)}`);
        statuses.set(target, Number(answer.slice(9, 12)));
      }),
    );
  }
  return statuses;
}

/** A server with a guard for `paths`, while `body` runs. */
async function guarded(
  fallback: Partial<FallbackOptions>,
  body: (port: number) => Promise<void>,
): Promise<void> {
  const program = await startProgram(saying(GUARDED));
  const to = `127.0.0.1:${program.port}`;
  const server = createFileServer({ root, fallback: { to, ...fallback } });
  try {
    await body((await server.listen()).port);
  } finally {
    await server.close({ graceMs: 0 });
    await program.close();
  }
}

describe("no spelling of a path passes", () => {
  it("fallback.paths", async () => {
    for (const notFound of [true, false]) {
      await guarded({ paths: ["/private/"], notFound }, async (port) => {
        const statuses = await attack(port);
        for (const target of ["/private/s.txt", "http://h/private/s.txt", "/private/%73.txt"]) {
          assert.equal(statuses.get(target), 203, target);
        }
        for (const authority of ["", "u@h", "a,b", "h:x", "[[]x]", "evil:80:80", "[x]"]) {
          assert.equal(statuses.get(`http://${authority}/private/s.txt`), 400, authority);
        }
        assert.equal(statuses.get("/%70rivate/s.txt"), notFound ? 203 : 404);
      });
    }
  });

  it("fallback.paths that need escapes, however either is written", async () => {
    const targets = ["/caf%C3%A9/s.txt", "/caf%c3%a9/s.txt", "http://h/caf%c3%A9/s.txt"];
    for (const path of ["/caf%C3%A9/", "/caf%c3%a9/"]) {
      await guarded({ paths: [path] }, async (port) => {
        const statuses = await attack(port, targets);
        assert.deepEqual([...new Set(statuses.values())], [203]);
      });
    }
  });

  it("a guard in front of serveStatic() in Express, Koa and node:http", async () => {
    const files = serveStatic(root);
    const forbidden = (res: { statusCode: number; end(): void }) => {
      res.statusCode = 203;
      res.end();
    };
    const app = express();
    app.use("/private", (_: unknown, res: { statusCode: number; end(): void }) => forbidden(res));
    app.use(files);
    const koa = new Koa();
    koa.silent = true;
    koa.use((context: { path: string; status: number }, next: Next) => {
      if (!context.path.startsWith("/private/")) return next();
      context.status = 203;
    });
    koa.use(files);
    // As much as a careful program does: it takes the path out of the target, and decodes nothing.
    const plain: RequestListener = (req, res) => {
      let pathname: string;
      try {
        ({ pathname } = new URL(req.url!, "http://localhost"));
      } catch {
        return res.writeHead(400).end();
      }
      if (pathname.startsWith("/private/")) return forbidden(res);
      files(req, res, () => res.writeHead(404).end());
    };
    try {
      for (const listener of [app, koa.callback(), plain]) {
        await withServer(listener, async (port) => {
          const statuses = await attack(port);
          assert.equal(statuses.get("/private/s.txt"), 203);
          const open = await attack(port, ["/open.txt"]);
          assert.equal(open.get("/open.txt"), 200);
        }, createServer());
      }
    } finally {
      files.close();
    }
  });

  it("a guard on the URL of a request of fetch", async () => {
    const files = serveStatic(root);
    try {
      for (const target of spellings()) {
        let request: Request;
        try {
          request = new Request(new URL(target, "http://localhost"));
        } catch {
          continue;
        }
        const { pathname } = new URL(request.url);
        if (pathname.startsWith("/private/")) continue;
        const response = await files(request);
        assert.ok(!(await response.text()).includes(PRIVATE), target);
      }
      // As a runtime writes it that joins a Host field and a target without parsing them.
      for (const url of ["http://a\\x/private/s.txt", "http://a/x/../private/s.txt"]) {
        const joined = { url, method: "GET", headers: new Headers() } as Request;
        const response = await files(joined);
        assert.equal(response.status, 404, url);
      }
      // As Deno.serve has it on a Unix socket.
      const url = "http+unix://%2Ftmp%2Fsocket/open.txt?x";
      const onUnix = { url, method: "GET", headers: new Headers() } as Request;
      const response = await files(onUnix);
      assert.deepEqual([response.status, response.statusText], [200, "OK"]);
      assert.equal(await response.text(), "open");
    } finally {
      files.close();
    }
  });
});
