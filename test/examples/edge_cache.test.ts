import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { lifetimeOf, rangeOf } from "../../examples/edge_cache/rules.ts";
import { Folder, noise, Reader, sha256 } from "../_kit/bytes.ts";
import { runChild } from "../_kit/child.ts";
import { freePort } from "../_kit/free_port.ts";
import { type RunningServer, startServer } from "../_kit/server.ts";

const MAIN = new URL("../../examples/edge_cache/main.ts", import.meta.url);
const CONFIG = fileURLToPath(new URL("../../examples/edge_cache/haproxy.cfg", import.meta.url));
const HOST = "127.0.0.1";
const NO_CALLS = process.env["SLUICE_FFI"] === "none" && "the example makes its own calls";
const NO_HAPROXY = NO_CALLS ||
  (spawnSync("haproxy", ["-v"]).status !== 0 && "HAProxy is not installed");

const folder = new Folder();
const bytes = noise(3_000_000);
/** What the origin answers, by path without the query. */
const pages = new Map<string, (req: IncomingMessage, res: ServerResponse) => void>();
/** Requests that the origin got, by target. */
const asked = new Map<string, IncomingHttpHeaders[]>();
const origin = createServer((req, res) => {
  const seen = asked.get(req.url!) ?? [];
  asked.set(req.url!, [...seen, req.headers]);
  const page = pages.get(req.url!.split("?")[0]!);
  if (page !== undefined) page(req, res);
  else res.writeHead(404, { "Content-Length": 0 }).end();
});
let originAt = "";
let cache: RunningServer;
const dir = join(folder.path, "cache");

/** Sends a whole body with these fields. */
function page(path: string, fields: Record<string, string>, body: Uint8Array = bytes): void {
  pages.set(path, (_, res) => {
    res.writeHead(200, { "Content-Length": body.length, ...fields }).end(body);
  });
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Sends a request on a connection of its own. */
async function get(
  path: string,
  headers: Record<string, string> = {},
  method = "GET",
  port = cache.port,
): Promise<Answer> {
  const req = request({ host: HOST, port, path, headers, method, agent: false }).end();
  const [res] = await once(req, "response") as [IncomingMessage];
  const reader = new Reader(res);
  assert.equal(await reader.closed, "end", path);
  return { status: res.statusCode!, headers: res.headers, body: reader.bytes() };
}

/** Gets a path and returns what X-Cache says. */
async function how(path: string, headers: Record<string, string> = {}): Promise<unknown> {
  return (await get(path, headers)).headers["x-cache"];
}

const start = (where = dir, most = 20_000_000) =>
  startServer(MAIN, ["--origin", originAt, "--dir", where, "--max-bytes", String(most)]);

describe("examples/edge_cache/rules.ts", () => {
  const NOW = Date.parse("2026-01-01T12:00:00Z");
  const at = (secondsAgo: number) => new Date(NOW - secondsAgo * 1e3).toUTCString();

  it("tells how long a response stays fresh, in seconds", () => {
    const fresh = (fields: Record<string, string>, status = 200) => {
      const lifetime = lifetimeOf(status, new Map(Object.entries(fields)), NOW);
      return lifetime && (lifetime.freshUntilMs - NOW) / 1e3;
    };
    const control = (value: string, more = {}) => fresh({ "cache-control": value, ...more });
    assert.equal(control("max-age=60"), 60);
    assert.equal(control('Max-Age="60", s-maxage=5'), 5);
    assert.equal(control("max-age=60", { age: "20" }), 40);
    assert.equal(control("max-age=60", { date: at(70) }), -10);
    assert.equal(control("max-age=60", { vary: "Accept-Encoding" }), 60);
    assert.equal(control("no-cache, max-age=60", { etag: '"1"' }), 0);
    assert.equal(fresh({ expires: at(-30), date: at(0) }), 30);
    assert.equal(fresh({ "last-modified": at(1000), date: at(0) }), 100);
    assert.equal(fresh({ expires: "0", etag: '"1"' }), 0);
    for (const value of ["no-store", "private, max-age=9", "no-cache", "max-age=0", "max-age=x"]) {
      assert.equal(control(value), null, value);
    }
    assert.equal(control("max-age=60", { "set-cookie": "a=b" }), null);
    assert.equal(control("max-age=60", { vary: "Accept-Encoding, Cookie" }), null);
    assert.equal(control("max-age=60", { vary: "*" }), null);
    assert.deepEqual([fresh({}), fresh({ "last-modified": at(9) }, 404)], [null, 0]);
    assert.equal(fresh({ "cache-control": "max-age=60" }, 500), null);
  });

  it("finds the range to send", () => {
    const response = new Map([["etag", '"1"']]);
    const range = (range: string, more = {}) => {
      const found = rangeOf(new Map(Object.entries({ range, ...more })), response, 100);
      return found && [found.start, found.end];
    };
    assert.deepEqual(range("bytes=0-9"), [0, 10]);
    assert.deepEqual(range("bytes=90-"), [90, 100]);
    assert.deepEqual(range("bytes=-10"), [90, 100]);
    assert.deepEqual(range("bytes=50-500"), [50, 100]);
    assert.deepEqual([range("bytes=100-"), range("bytes=-0")], [null, null]);
    for (const whole of ["bytes=9-1", "bytes=-", "bytes=0-1,5-6", "lines=1-2"]) {
      assert.equal(range(whole), undefined, whole);
    }
    assert.deepEqual(range("bytes=0-9", { "if-range": '"1"' }), [0, 10]);
    assert.equal(range("bytes=0-9", { "if-range": '"2"' }), undefined);
  });
});

describe("examples/edge_cache", { skip: NO_CALLS }, () => {
  before(async () => {
    origin.listen(0, HOST);
    await once(origin, "listening");
    originAt = `http://${HOST}:${(origin.address() as AddressInfo).port}`;
    cache = await start();
  });
  after(() => {
    cache?.kill("SIGKILL");
    origin.close();
    origin.closeAllConnections();
    folder.remove();
  });

  it("asks the origin once for many clients, who get the bytes while they arrive", async () => {
    let finish = () => {};
    pages.set("/slow", (_, res) => {
      res.writeHead(200, { "Content-Length": bytes.length, "Cache-Control": "max-age=60" });
      res.write(bytes.subarray(0, 500_000));
      finish = () => res.end(bytes.subarray(500_000));
    });
    const first = request({ host: HOST, port: cache.port, path: "/slow", agent: false }).end();
    const [res] = await once(first, "response") as [IncomingMessage];
    const reader = new Reader(res);
    assert.deepEqual(await reader.take(500_000), bytes.subarray(0, 500_000));
    const others = Array.from({ length: 20 }, () => get("/slow"));
    // What has arrived answers a range; what is far behind it is asked for.
    const range = await get("/slow", { Range: "bytes=1000-1999" });
    assert.deepEqual([range.status, range.headers["x-cache"]], [206, "MISS"]);
    assert.equal(range.headers["content-range"], `bytes 1000-1999/${bytes.length}`);
    assert.deepEqual(range.body, bytes.subarray(1000, 2000));
    finish();
    await reader.expect(bytes);
    for (const { body } of await Promise.all(others)) assert.equal(sha256(body), sha256(bytes));
    assert.equal(asked.get("/slow")!.length, 1);
    const hit = await get("/slow", { Range: "bytes=-10" });
    assert.deepEqual([hit.headers["x-cache"], hit.body], ["HIT", bytes.subarray(-10)]);
    assert.equal((await get("/slow", {}, "HEAD")).headers["content-length"], "3000000");
    assert.equal((await get("/slow", { Range: "bytes=3000000-" })).status, 416);
  });

  it("revalidates, and sends what is stale while it does or when the origin fails", async () => {
    let mode: "new" | "same" | "down" = "new";
    pages.set("/etag", (req, res) => {
      const fields = { ETag: '"1"', "Cache-Control": "max-age=0, stale-if-error=60" };
      const known = req.headers["if-none-match"] === '"1"' && mode === "same";
      if (mode === "down") res.socket!.destroy();
      else if (known) res.writeHead(304, fields).end();
      else res.writeHead(200, { ...fields, "Content-Length": 5 }).end("hello");
    });
    assert.equal(await how("/etag"), "MISS");
    mode = "same";
    const again = await get("/etag");
    assert.deepEqual([again.headers["x-cache"], String(again.body)], ["REVALIDATED", "hello"]);
    mode = "down";
    assert.equal(await how("/etag"), "STALE");
    assert.equal((await get("/etag", { "If-None-Match": 'W/"1"' })).status, 304);
    page("/swr", { "Cache-Control": "max-age=0, stale-while-revalidate=60", ETag: '"2"' });
    assert.equal(await how("/swr"), "MISS");
    assert.equal(await how("/swr"), "STALE");
    // The origin is asked in the background, after the answer.
    while (asked.get("/swr")!.length < 2) await how("/swr");
  });

  it("passes what is for one client, and what has no length", async () => {
    page("/private", { "Cache-Control": "private" });
    page("/shared", { "Cache-Control": "max-age=60" });
    page("/vary", { "Cache-Control": "max-age=60", Vary: "Cookie" });
    pages.set("/endless", (_, res) => void res.end(bytes));
    for (const path of ["/private", "/vary", "/endless"]) {
      for (const user of ["a", "b"]) {
        const { headers, body } = await get(path, { Cookie: user });
        assert.deepEqual([headers["x-cache"], sha256(body)], ["PASS", sha256(bytes)], path);
        assert.equal(asked.get(path)!.at(-1)!.cookie, user);
      }
    }
    assert.equal(await how("/shared"), "MISS");
    assert.equal(await how("/shared", { Authorization: "me" }), "PASS");
    assert.equal(await how("/shared", { Cookie: "x" }), "HIT");
    assert.equal((await get("/nowhere")).status, 404);
  });

  it("purges, evicts what was not used for the longest time, and stores no broken body", async () => {
    assert.equal((await get("/shared", {}, "PURGE")).status, 200);
    assert.equal((await get("/shared", {}, "PURGE")).status, 404);
    for (let i = 0; i < 8; i++) {
      assert.equal(await how(`/shared?${i}`), "MISS");
      assert.equal(await how("/shared?0"), "HIT");
    }
    assert.deepEqual([await how("/shared?1"), await how("/shared?0")], ["MISS", "HIT"]);
    const stats = JSON.parse(String((await get("/-/stats")).body));
    assert.ok(stats.bytes <= 20_000_000 && stats.evictions > 0, JSON.stringify(stats));
    pages.set("/broken", (_, res) => {
      res.writeHead(200, { "Content-Length": 1000, "Cache-Control": "max-age=60" });
      res.write("only this", () => res.destroy());
    });
    await assert.rejects(get("/broken"));
    page("/broken", { "Cache-Control": "max-age=60" });
    assert.equal(await how("/broken"), "MISS");
  });

  it("keeps its connections, answers in order, and refuses what is malformed", async () => {
    const answers = async (text: string) => {
      const socket = connect(cache.port, HOST);
      const raw = new Reader(socket);
      socket.write(text);
      await raw.closed;
      return raw.bytes().toString("latin1");
    };
    const line = (path: string, more = "") => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    page("/one", { "Cache-Control": "max-age=60" }, Buffer.from("first"));
    page("/two", { "Cache-Control": "max-age=60" }, Buffer.from("second"));
    const both = await answers(line("/one") + line("/two") + line("/one", "Connection: close\r\n"));
    assert.match(both, /^HTTP\/1\.1 200 .*first.*200 .*second.*200 .*X-Cache: HIT.*first$/s);
    for (
      const [text, status] of [
        ["nonsense\r\n\r\n", 400],
        [line("/", "Transfer-Encoding: chunked\r\n"), 400],
        [line("/", "Content-Length: 5\r\n"), 413],
        [line("/", "A : b\r\n"), 400],
        [line("/", "A: b\nC: d\r\n"), 400],
        [`GET / HTTP/1.1\r\n${"A: b\r\n".repeat(4000)}\r\n`, 431],
      ] as const
    ) {
      assert.match(await answers(text), new RegExp(`^HTTP/1.1 ${status} `), text.slice(0, 60));
    }
    assert.equal((await get("/one", {}, "DELETE")).status, 405);
  });

  it("finds complete responses after a kill, and deletes the rest", async () => {
    pages.set("/half", (_, res) => {
      res.writeHead(200, { "Content-Length": 1_000_000, "Cache-Control": "max-age=60" });
      res.write(bytes.subarray(0, 1000));
    });
    page("/kept", { "Cache-Control": "max-age=60" });
    await how("/kept");
    const half = request({ host: HOST, port: cache.port, path: "/half", agent: false }).end();
    half.on("error", () => {});
    const [res] = await once(half, "response") as [IncomingMessage];
    res.on("error", () => {}).resume();
    const busy = await runChild(MAIN, { args: ["--origin", originAt, "--dir", dir] });
    assert.deepEqual([busy.code, /uses it/.test(busy.stderr)], [1, true], busy.stderr);
    cache.kill("SIGKILL");
    await cache.ended;
    cache = await start();
    const { headers, body } = await get("/kept");
    assert.deepEqual([headers["x-cache"], sha256(body)], ["HIT", sha256(bytes)]);
    const { entries } = JSON.parse(String((await get("/-/stats")).body));
    assert.equal(readdirSync(dir).length, 2 * entries + 1);
    cache.kill("SIGTERM");
    assert.equal(await cache.ended, 143);
  });

  it("says what is wrong", async () => {
    for (const args of [[], ["--origin", "ftp://x", "--dir", "d"], ["--port", "x"]]) {
      const { code, stderr } = await runChild(MAIN, { args });
      assert.deepEqual([code, /Usage/.test(stderr)], [2, true], stderr);
    }
    const compare = await runChild(new URL("compare.ts", MAIN), { args: ["--seconds", "x"] });
    assert.deepEqual([compare.code, /Usage/.test(compare.stderr)], [2, true], compare.stderr);
  });

  it("loses one of three caches under load", { skip: NO_HAPROXY }, async () => {
    const small = bytes.subarray(0, 100_000);
    page("/file", { "Cache-Control": "max-age=60" }, small);
    const names = ["CACHE_A", "CACHE_B", "CACHE_C"];
    const caches = await Promise.all(names.map((name) => start(join(folder.path, name))));
    const port = await freePort();
    const places = names.map((name, i) => [name, `${HOST}:${caches[i]!.port}`]);
    const env = { ...process.env, ...Object.fromEntries(places), FRONT: `${HOST}:${port}` };
    execFileSync("haproxy", ["-c", "-f", CONFIG], { env });
    const proxy = spawn("haproxy", ["-db", "-f", CONFIG], { env, stdio: "ignore" });
    try {
      const keys = Array.from({ length: 60 }, (_, i) => `/file?${i}`);
      const node = async (key: string) => {
        const { status, headers, body } = await get(key, {}, "GET", port);
        assert.deepEqual([status, sha256(body)], [200, sha256(small)]);
        return headers["x-node"];
      };
      for (let up = false; !up;) up = await node(keys[0]!).then(() => true, () => false);
      const before = await Promise.all(keys.map(node));
      assert.equal(new Set(before).size, 3);
      let errors = 0;
      let after: unknown[] = [];
      const load = Array.from({ length: 4 }, async (_, i) => {
        for (const key of [...keys.slice(i * 15), ...keys.slice(0, i * 15)]) {
          await node(key).catch(() => errors++);
        }
      });
      caches[0]!.kill("SIGKILL");
      await Promise.all(load);
      // Only the requests that were on their way to the dead cache may have failed.
      assert.ok(errors <= load.length, `${errors} errors`);
      after = await Promise.all(keys.map(node));
      keys.forEach((key, i) => {
        if (before[i] === "a") assert.notEqual(after[i], "a", key);
        else assert.equal(after[i], before[i], key);
      });
    } finally {
      proxy.kill("SIGKILL");
      for (const { kill } of caches) kill("SIGKILL");
    }
  });
});
