import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { describe, it } from "node:test";
import { serveStatic, type StaticOptions } from "../../src/http/mod.ts";
import { sha256 } from "../_kit/bytes.ts";
import { assertClosed, describeWithoutLeaks } from "../_kit/leaks.ts";
import { requestText, responses, talk } from "../_kit/raw_http.ts";
import { Client, recording, withServer } from "../_kit/serve.ts";
import { big, MODIFIED, SECRET, TWENTY, withSite, www } from "./_site.ts";

const warmUp = () => withSite({}, (get) => get("/file.txt"));

describeWithoutLeaks("serveStatic() under node:http", { warmUp }, () => {
  it("serves files with what a client needs to know of them", async () => {
    await withSite({}, async (get) => {
      const { status, headers, body } = await get("/file.txt");
      assert.equal(status, 200);
      assert.equal(body.toString(), TWENTY);
      assert.equal(headers.get("content-type"), "text/plain; charset=utf-8");
      assert.equal(headers.get("content-length"), "20");
      assert.equal(headers.get("last-modified"), MODIFIED);
      assert.equal(headers.get("accept-ranges"), "bytes");
      assert.equal(headers.get("cache-control"), "public, max-age=0");
      assert.match(headers.get("etag")!, /^"[0-9a-f]+-14"$/);
      assert.equal((await get("/empty.txt")).headers.get("content-length"), "0");
      assert.equal((await get("/a%20b%26c.txt?q=1")).body.toString(), "odd name");
      assert.equal((await get("/a%2520b.txt")).body.toString(), "percent");
      const octets = await get("/x.constructor");
      assert.equal(octets.headers.get("content-type"), "application/octet-stream");
    });
  });

  it("sends large files, and parts of them, by the kernel", async () => {
    await withSite({}, async (get) => {
      const { sent } = await recording(async () => {
        assert.equal(sha256((await get("/big.bin")).body), sha256(big));
        const { status, headers, body } = await get("/big.bin", { Range: "bytes=1000000-2999999" });
        assert.equal(status, 206);
        assert.equal(headers.get("content-range"), `bytes 1000000-2999999/${big.length}`);
        assert.equal(sha256(body), sha256(big.subarray(1_000_000, 3_000_000)));
      });
      assert.equal(sent, big.length + 2_000_000);
    });
  });

  it("sends several ranges in one body", async () => {
    await withSite({}, async (get) => {
      const range = "bytes=0-999999,-7,2000000-2000099";
      const { result, sent } = await recording(() => get("/big.bin", { Range: range }));
      assert.equal(result.status, 206);
      const boundary = /boundary=(\w+)$/.exec(result.headers.get("content-type")!)![1]!;
      const pieces = result.body.toString("latin1").split(`--${boundary}`);
      assert.equal(pieces.length, 5);
      assert.equal(pieces[4], "--\r\n");
      const expected: [string, Buffer][] = [
        [`0-999999`, big.subarray(0, 1_000_000)],
        [`${big.length - 7}-${big.length - 1}`, big.subarray(-7)],
        [`2000000-2000099`, big.subarray(2_000_000, 2_000_100)],
      ];
      for (const [i, [range, bytes]] of expected.entries()) {
        const [head, ...rest] = pieces[i + 1]!.split("\r\n\r\n");
        assert.match(head!, new RegExp(`Content-Range: bytes ${range}/${big.length}$`));
        const body = Buffer.from(rest.join("\r\n\r\n").slice(0, -2), "latin1");
        assert.equal(sha256(body), sha256(bytes));
      }
      assert.equal(sent, 1_000_107);
      const head = await get("/big.bin", { Range: range }, "HEAD");
      assert.equal(head.headers.get("content-length"), String(big.length));
    });
  });

  it("serves the index of a folder, and leads to it", async () => {
    await withSite({}, async (get) => {
      assert.equal((await get("/")).body.toString(), "the index");
      assert.equal((await get("/folder/")).body.toString(), "index of the folder");
      assert.equal((await get("/folder/")).headers.get("content-type"), "text/html; charset=utf-8");
      const { status, headers } = await get("/folder?a=b");
      assert.equal(status, 301);
      assert.equal(headers.get("location"), "./folder/?a=b");
      assert.equal((await get("/bare/")).status, 404);
      assert.equal((await get("/file.txt/")).status, 404);
    });
    await withSite({ index: ["none.html", "one.txt"], redirect: false }, async (get) => {
      assert.equal((await get("/bare/")).body.toString(), "1");
      assert.equal((await get("/folder")).status, 404);
    });
    await withSite({ index: false }, async (get) => assert.equal((await get("/")).status, 404));
  });

  it("tries extensions, but for names that have one of them", async () => {
    await withSite({ extensions: ["htm", ".html"] }, async (get) => {
      assert.equal((await get("/page")).body.toString(), "<p>page");
      assert.equal((await get("/page")).headers.get("content-type"), "text/html; charset=utf-8");
      assert.equal((await get("/page/")).status, 404);
      assert.equal((await get("/absent")).status, 404);
    });
    await withSite({ extensions: ["css"] }, async (get) => {
      assert.equal((await get("/assets/old")).status, 200);
      assert.equal((await get("/assets/one.two")).body.toString(), "two dots");
      assert.equal((await get("/assets/two.css")).status, 404, "it has one of them");
      assert.equal((await get("/assets/.one")).status, 404, "hidden");
    });
    await withSite({ extensions: ["css"], dotfiles: "allow" }, async (get) => {
      assert.equal((await get("/assets/.one")).body.toString(), "hidden css");
    });
  });

  it("keeps to its policy of names that begin with a dot", async () => {
    for (const [dotfiles, status] of [["ignore", 404], ["deny", 403], ["allow", 200]] as const) {
      await withSite({ dotfiles }, async (get) => {
        assert.equal((await get("/.env")).status, status);
        assert.equal((await get("/.hidden/file")).status, status);
        // Never 200: a dot need not be escaped, and that is another spelling.
        assert.equal((await get("/%2eenv")).status, status === 200 ? 404 : status);
        assert.equal((await get("/.well-known/security.txt")).status, 200);
      });
    }
  });

  it("prefers a sidecar in a coding that the client prefers", async () => {
    await withSite({ precompressed: true }, async (get) => {
      const cases: [accept: string | undefined, coding: string | undefined, body: string][] = [
        ["gzip, deflate, br, zstd", "br", "brotli"],
        ["gzip", "gzip", "gz"],
        ["x-gzip", "gzip", "gz"],
        ["br;q=0.5, zstd;q=0.9", "zstd", "zstd!"],
        ["br;q=0, gzip;q=0, *", "zstd", "zstd!"],
        ["*", "br", "brotli"],
        ["*;q=0", undefined, "the script itself"],
        ["gzip;q=0.5, identity", undefined, "the script itself"],
        ["deflate", undefined, "the script itself"],
        [undefined, undefined, "the script itself"],
      ];
      const tags = new Map<string | undefined, string>();
      for (const [accept, coding, body] of cases) {
        const answer = await get("/assets/app.js", accept ? { "Accept-Encoding": accept } : {});
        assert.equal(answer.body.toString(), body, `Accept-Encoding: ${accept}`);
        assert.equal(answer.headers.get("content-encoding"), coding);
        assert.equal(answer.headers.get("vary"), "Accept-Encoding");
        assert.equal(answer.headers.get("content-type"), "text/javascript; charset=utf-8");
        tags.set(coding, answer.headers.get("etag")!);
      }
      assert.equal(new Set(tags.values()).size, 4);
      const all = { "Accept-Encoding": "br, zstd, gzip" };
      const range = await get("/assets/app.js", { ...all, Range: "bytes=0-1" });
      assert.equal(range.body.toString(), "br");
      assert.equal(range.headers.get("content-range"), "bytes 0-1/6");
      assert.equal((await get("/assets/old.css", all)).headers.get("content-encoding"), undefined);
      // A folder, a FIFO and a link that leads out.
      assert.equal(
        (await get("/assets/trap.css", all)).body.toString(),
        "with sidecars that are none",
      );
    });
    await withSite({ precompressed: ["gzip"] }, async (get) => {
      const { headers } = await get("/assets/app.js", { "Accept-Encoding": "br, gzip" });
      assert.equal(headers.get("content-encoding"), "gzip");
    });
  });

  it("answers for an application that routes in the browser", async () => {
    await withSite({ single: true }, async (get) => {
      const html = { Accept: "text/html,*/*;q=0.8" };
      assert.equal((await get("/users/7", html)).body.toString(), "the index");
      assert.equal((await get("/users/7")).body.toString(), "the index");
      assert.equal((await get("/users/7.png", html)).status, 404);
      assert.equal((await get("/users/7", { Accept: "application/json" })).status, 404);
      assert.equal((await get("/a/../b", html)).status, 404);
    });
  });

  it("lists folders as HTML and as JSON, and what they hold as text", async () => {
    await withSite({ listing: true }, async (get) => {
      const { headers, body } = await get("/bare/", { Accept: "text/html" });
      assert.equal(headers.get("content-type"), "text/html; charset=utf-8");
      assert.ok(!body.includes("<img src=x"));
      assert.ok(body.includes('href="./%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"'));
      const json = await get("/bare/", { Accept: "application/json" });
      assert.equal(json.headers.get("vary"), "Accept");
      const { path, entries } = JSON.parse(json.body.toString());
      assert.equal(path, "/bare/");
      assert.deepEqual(entries.map((entry: { name: string }) => entry.name), [
        "<img src=x onerror=alert(1)>",
        "one.txt",
      ]);
      assert.equal((await get("/bare/", {}, "HEAD")).status, 200);
    });
    await withSite(
      { listing: (it) => String(it.entries.map((e) => e.name)), index: false },
      async (get) => {
        const names = (await get("/")).body.toString();
        assert.ok(names.startsWith("assets,bare,folder,"), names);
        // Hidden, or leading out.
        for (const name of [".env", "link", "etclink", "above", "fifo"]) {
          assert.ok(!names.split(",").includes(name), name);
        }
      },
    );
  });

  it("sets the headers that it is told to, and leaves those of others", async () => {
    const told: unknown[] = [];
    const setHeaders = (res: ServerResponse, path: string, file: unknown) => {
      told.push(path, file);
      res.setHeader("X-Set", "1");
    };
    const options = { setHeaders, maxAge: "1 day", immutable: true, headers: { "X-A": "b" } };
    await withSite(options, async (get) => {
      const { headers } = await get("/file.txt");
      assert.equal(headers.get("cache-control"), "public, max-age=86400, immutable");
      assert.equal(headers.get("x-set"), "1");
      assert.equal(headers.get("x-a"), "b");
      const mtimeMs = Date.parse(MODIFIED);
      assert.deepEqual(told, [join(www, "file.txt"), {
        size: 20,
        mtimeMs,
        mtime: new Date(mtimeMs),
      }]);
    });
    const handler = serveStatic(www, { precompressed: true });
    await withServer((req, res) => {
      res.setHeader("Cache-Control", "private");
      res.setHeader("Vary", "Cookie");
      handler(req, res);
    }, async (port) => {
      const { headers } = await new Client(port).get("/file.txt", { connection: "close" });
      assert.equal(headers["cache-control"], "private");
      assert.equal(headers["vary"], "Cookie, Accept-Encoding");
    });
    handler.close();
  });

  it("takes the options of sirv", async () => {
    const any = { Accept: "*/*" };
    await withSite({ single: true, ignores: false }, async (get) => {
      assert.equal((await get("/users/7.png", any)).body.toString(), "the index");
    });
    await withSite({ single: true, ignores: [/^\/api\//g, "secret"] }, async (get) => {
      for (let i = 0; i < 2; i++) assert.equal((await get("/api/x", any)).status, 404);
      assert.equal((await get("/a/Secret/b", any)).status, 404);
      assert.equal((await get("/apis/7.png", any)).body.toString(), "the index");
    });
    await withSite({ brotli: true, gzip: true }, async (get) => {
      const { headers } = await get("/assets/app.js", { "Accept-Encoding": "gzip, br" });
      assert.equal(headers.get("content-encoding"), "br");
    });
    await withSite({ gzip: true }, async (get) => {
      const { headers } = await get("/assets/app.js", { "Accept-Encoding": "gzip, br" });
      assert.equal(headers.get("content-encoding"), "gzip");
    });
    await withSite({ dev: true }, async (get) => {
      assert.equal((await get("/file.txt")).headers.get("cache-control"), "no-store");
    });
    await withSite({ dev: true, etag: true }, async (get) => {
      assert.equal((await get("/file.txt")).headers.get("cache-control"), "no-cache");
    });
    const onNoMatch = (req: IncomingMessage, res: ServerResponse) => {
      res.writeHead(410, { "Content-Length": "15" }).end(`${req.url} is gone`);
    };
    await withSite({ onNoMatch }, async (get) => {
      const { body, status } = await get("/absent");
      assert.deepEqual([status, body.toString()], [410, "/absent is gone"]);
      assert.equal((await get("/file.txt")).status, 200);
    });
    const wrong = { onNoMatch: 1 } as unknown as StaticOptions;
    assert.throws(() => serveStatic(www, wrong), TypeError);
    assert.throws(() => serveStatic(www, { ignores: [1] } as unknown as StaticOptions), TypeError);
    assert.throws(() => serveStatic(www, { ignores: "(" }), SyntaxError);
  });

  it("sends the page for a status that has been set before", async () => {
    const handler = serveStatic(www);
    await withServer((req, res) => {
      res.statusCode = req.url === "/file.txt" ? 404 : 500;
      handler(req, res);
    }, async (port) => {
      const client = new Client(port);
      const part = await client.get("/file.txt", { range: "bytes=0-1" });
      assert.deepEqual([part.status, part.body.toString()], [404, TWENTY]);
      const etag = String(part.headers["etag"]);
      const again = await client.get("/file.txt", { "if-none-match": etag });
      assert.deepEqual([again.status, again.body.toString()], [404, TWENTY]);
      assert.equal((await client.get("/absent")).status, 404);
      await client.close();
    });
    handler.close();
  });

  it("lets pages of other origins in when it is told to", async () => {
    await withSite({ cors: { origin: ["https://a.example"], credentials: true } }, async (get) => {
      const { headers } = await get("/file.txt", { Origin: "https://a.example" });
      assert.equal(headers.get("access-control-allow-origin"), "https://a.example");
      assert.equal(headers.get("access-control-allow-credentials"), "true");
      const other = await get("/file.txt", { Origin: "https://b.example" });
      assert.equal(other.headers.get("access-control-allow-origin"), undefined);
      assert.equal(other.headers.get("vary"), "Origin");
      const preflight = await get("/file.txt", { Origin: "https://a.example" }, "OPTIONS");
      assert.equal(preflight.status, 204);
      assert.match(preflight.headers.get("access-control-allow-headers")!, /Range/);
    });
  });

  it("offers downloads under names of any kind", async () => {
    await withSite({ download: true }, async (get) => {
      const { headers } = await get("/a%20b%26c.txt");
      assert.equal(headers.get("content-disposition"), 'attachment; filename="a b&c.txt"');
    });
    await withSite({ download: 'n"aïve\\ €.txt' }, async (get) => {
      const { headers } = await get("/file.txt");
      assert.equal(
        headers.get("content-disposition"),
        `attachment; filename="n\\"a_ve\\\\ _.txt"; filename*=UTF-8''n%22a%C3%AFve%5C%20%E2%82%AC.txt`,
      );
    });
  });

  it("passes on what it has not, or makes it an error", async () => {
    const outcomes: unknown[] = [];
    const handlers = [serveStatic(www), serveStatic(www, { fallthrough: false })];
    for (const handler of handlers) {
      await withServer((req, res) => {
        handler(req, res, (error) => {
          outcomes.push((error as { status?: number } | undefined)?.status);
          res.end();
        });
      }, async (port) => {
        for (
          const [target, method] of [["/absent", "GET"], ["/file.txt", "POST"], ["/%00", "GET"]]
        ) {
          const client = new Client(port);
          await client.get(target!, { connection: "close" }, method);
        }
      });
      handler.close();
    }
    // With `fallthrough: false`, POST gets a 405 and does not reach `next`.
    assert.deepEqual(outcomes, [undefined, undefined, undefined, 404, 400]);
  });

  it("mounts below a prefix", async () => {
    await withSite({ prefix: "/static/" }, async (get) => {
      assert.equal((await get("/static/file.txt")).body.toString(), TWENTY);
      assert.equal((await get("http://host/static/file.txt")).body.toString(), TWENTY);
      assert.equal((await get("/static")).headers.get("location"), "./static/");
      assert.equal((await get("/static?x=/")).headers.get("location"), "./static/?x=/");
      assert.equal((await get("/static/")).body.toString(), "the index");
      for (const target of ["/file.txt", "/staticfile.txt", "/static/../static/file.txt", "/"]) {
        assert.equal((await get(target)).status, 404, target);
      }
    });
  });

  it("keeps answers apart that were asked for in one go", async () => {
    await withSite({}, async (_, port) => {
      const asked: [string, string, Record<string, string>][] = [];
      for (let i = 0; i < 25; i++) {
        asked.push(["GET", "/file.txt", {}], ["HEAD", "/big.bin", {}]);
        asked.push(["GET", "/file.txt", { "If-None-Match": "*" }]);
        asked.push(["GET", "/file.txt", { Range: "bytes=99-" }]);
        asked.push(["GET", "/big.bin", { Range: `bytes=${i}-${i + 50_000}` }]);
      }
      const text = asked.map(([method, target, headers]) => requestText(target, headers, method));
      const last = requestText("/file.txt", { Connection: "close" });
      const bytes = await talk(port, text.join("") + last);
      const answers = responses(bytes, [...asked.map(([method]) => method), "GET"]);
      for (const [i, { status, body }] of answers.entries()) {
        if (i % 5 === 0) assert.equal(body.toString(), TWENTY);
        else if (i % 5 < 4) {
          assert.deepEqual([status, body.length], [[200, 304, 416][i % 5 - 1], 0]);
        } else {
          const start = (i - 4) / 5;
          assert.equal(sha256(body), sha256(big.subarray(start, start + 50_001)));
        }
      }
    });
  });

  it("closes files that are not wanted any more", async () => {
    await withSite({}, async (get, port) => {
      await get("/big.bin");
      for (let i = 0; i < 30; i++) {
        const client = new Client(port).send("GET", "/big.bin");
        await new Promise((resolve) => client.socket.once("data", resolve));
        client.reset();
      }
      for (const file of ["big.bin", "file.txt", "bare"]) await assertClosed(join(www, file));
    });
  });
});

describe("serveStatic()", () => {
  const wrong: [name: string, options: object, kind: ErrorConstructor][] = [
    ["maxAge", { maxAge: "soon" }, TypeError],
    ["maxAge", { maxAge: -1 }, RangeError],
    ["maxRanges", { maxRanges: 0 }, RangeError],
    ["dotfiles", { dotfiles: "hide" }, TypeError],
    ["index", { index: 1 }, TypeError],
    ["index", { index: "/etc/passwd" }, TypeError],
    ["headers", { headers: { "X-A": "b\r\nX-C: d" } }, TypeError],
    ["headers", { headers: { "Content-Length": "1" } }, TypeError],
    ["headers", { headers: { Trailer: "X-A" } }, TypeError],
    ["headers", { headers: { "a b": "c" } }, TypeError],
    ["precompressed", { precompressed: ["deflate"] }, TypeError],
    ["cors", { cors: { credentials: true } }, TypeError],
    ["cors", { cors: { origin: "a\nb" } }, TypeError],
    ["setHeaders", { setHeaders: {} }, TypeError],
    ["symlinks", { symlinks: "yes" }, TypeError],
    ["prefix", { prefix: "static" }, TypeError],
    ["types", { types: { a: "b\n" } }, TypeError],
    ["charset", { charset: "a b" }, TypeError],
  ];
  for (const [name, options, kind] of wrong) {
    it(`refuses a wrong option: ${name} ${JSON.stringify(options)}`, () => {
      assert.throws(() => serveStatic(www, options as never), kind);
    });
  }

  it("refuses a folder that is none", () => {
    assert.throws(() => serveStatic(`${www}/absent`), { code: "ENOENT" });
    assert.throws(() => serveStatic("" as never), TypeError);
    assert.throws(() => serveStatic(www, null as never), TypeError);
  });

  it("hands an error of a hook to the framework, or answers 500", async () => {
    const headers = () => {
      throw new Error("from the hook");
    };
    await withSite({ headers }, async (get) => {
      const { status, body } = await get("/file.txt");
      assert.equal(status, 500);
      assert.ok(!body.includes("hook"));
    });
    const handler = serveStatic(www, { headers });
    await withServer((req, res) => {
      handler(req, res, (error) => res.end((error as Error).message));
    }, async (port) => {
      const { body } = await new Client(port).get("/file.txt", { connection: "close" });
      assert.equal(body.toString(), "from the hook");
    }, createServer());
    handler.close();
  });

  it("never serves what lies outside", async () => {
    await withSite({ dotfiles: "allow", listing: true }, async (get) => {
      const targets = ["/link", "/above/OUTSIDE", "/etclink/passwd", "/above/www-secret/x"]
        .concat([
          "/../OUTSIDE",
          "/%2e%2e/OUTSIDE",
          "/..%2fOUTSIDE",
          "/..%5cOUTSIDE",
          "/..;/OUTSIDE",
        ])
        .concat(["/../www-secret/x", "/%252e%252e/OUTSIDE", "http://h/../OUTSIDE", "//etc/passwd"]);
      for (const target of targets) {
        const { status, body } = await get(target);
        assert.ok(status === 404 || status === 400, `${target}: ${status}`);
        assert.ok(!body.includes(SECRET) && !body.includes("root:"), target);
      }
    });
    await withSite({ symlinks: "follow" }, async (get) => {
      assert.equal((await get("/alias.txt")).body.toString(), TWENTY);
    });
  });
});
