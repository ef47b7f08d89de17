import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { statusOf } from "../../examples/file_server/answer.ts";
import { fetchRaw, talk } from "../_kit/raw_http.ts";
import type { RunningServer } from "../_kit/server.ts";
import { pattern } from "../_kit/temp.ts";
import { METHOD, MIB, openSite, type Site } from "./_site.ts";

let site: Site;
let server: RunningServer;

before(async () => {
  site = await openSite();
  server = site.server;
});

after(() => site?.close());

const get = (target: string, headers?: Record<string, string>, method?: string) =>
  fetchRaw(server.port, target, headers, method);
const text = async (target: string) => (await get(target)).body.toString();
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("file server: files", () => {
  for (const size of [0, 1, 4095, 4096, 4097, MIB + 1]) {
    it(`sends ${size} bytes unchanged`, async () => {
      const bytes = pattern(size);
      writeFileSync(join(site.root, `${size}.bin`), bytes);
      const { status, headers, body } = await get(`/${size}.bin`);
      assert.equal(status, 200);
      assert.equal(headers.get("content-length"), String(size));
      assert.equal(headers.get("content-type"), "application/octet-stream");
      assert.equal(sha256(body), sha256(bytes));
      const method = size === 0 ? "none" : METHOD;
      await server.printed(new RegExp(`200 GET /${size}\\.bin ${size} B ${method} [\\d.]+ ms`));
    });
  }

  it("sends 64 MiB unchanged", async () => {
    const { body } = await get("/big.bin");
    assert.equal(sha256(body), sha256(site.big));
    await server.printed(
      new RegExp(`200 GET /big\\.bin 67108864 B ${METHOD} [\\d.]+ ms \\d+ MB/s`),
    );
  });

  it("sends ranges, refuses those outside, and ignores several", async () => {
    const part = await get("/s.txt", { Range: "bytes=5-9" });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get("content-range"), "bytes 5-9/20");
    assert.equal(part.body.toString(), "56789");
    assert.equal((await get("/s.txt", { Range: "bytes=-3" })).body.toString(), "HIJ");
    const outside = await get("/s.txt", { Range: "bytes=20-" });
    assert.equal(outside.status, 416);
    assert.equal(outside.headers.get("content-range"), "bytes */20");
    const several = await get("/s.txt", { Range: "bytes=0-1,4-5" });
    assert.equal(several.status, 200);
    assert.equal(several.body.length, 20);
    await server.printed(new RegExp(`206 GET /s\\.txt 5 B ${METHOD} `));
  });

  it("sends ranges across 2 GiB and 4 GiB", async () => {
    const size = 5 * 1024 * MIB;
    const fd = openSync(join(site.root, "sparse.bin"), "w");
    ftruncateSync(fd, size);
    for (const border of [2 ** 31, 2 ** 32]) {
      assert.equal(writeSync(fd, Buffer.from(`<${border}>`), 0, 12, border - 6), 12);
    }
    writeSync(fd, Buffer.from("END"), 0, 3, size - 3);
    closeSync(fd);
    for (const border of [2 ** 31, 2 ** 32]) {
      const range = `bytes=${border - 8}-${border + 7}`;
      const { status, headers, body } = await get("/sparse.bin", { Range: range });
      assert.equal(status, 206);
      assert.equal(headers.get("content-range"), `${range.replace("=", " ")}/${size}`);
      assert.equal(body.toString(), `\0\0<${border}>\0\0`);
    }
    assert.equal((await get("/sparse.bin", { Range: "bytes=-4" })).body.toString(), "\0END");
    const head = await get("/sparse.bin", {}, "HEAD");
    assert.equal(head.headers.get("content-length"), String(size));
  });

  it("answers HEAD as GET, without the body", async () => {
    const [head, whole] = [await get("/s.txt", {}, "HEAD"), await get("/s.txt")];
    assert.equal(head.status, 200);
    for (const name of ["content-length", "content-type", "etag", "last-modified"]) {
      assert.equal(head.headers.get(name), whole.headers.get(name));
    }
    assert.equal((await get("/none", {}, "HEAD")).status, 404);
    assert.equal((await get("/sub/", {}, "HEAD")).status, 200);
  });

  it("answers conditional requests with the validators that it gave", async () => {
    const { headers } = await get("/s.txt");
    const tag = headers.get("etag")!;
    const date = headers.get("last-modified")!;
    assert.match(tag, /^"[0-9a-f]+-14"$/);
    const same = await get("/s.txt", { "If-None-Match": tag });
    assert.equal(same.status, 304);
    assert.equal(same.headers.get("etag"), tag);
    assert.equal(same.headers.has("content-length"), false);
    assert.equal((await get("/s.txt", { "If-Modified-Since": date })).status, 304);
    const resumed = await get("/s.txt", { "If-Range": tag, Range: "bytes=18-" });
    assert.equal(resumed.body.toString(), "IJ");
    const changed = await get("/s.txt", { "If-Range": '"other"', Range: "bytes=18-" });
    assert.equal(changed.body.length, 20);
    assert.equal((await get("/s.txt", { "If-Match": '"other"' })).status, 412);
  });
});

describe("file server: folders", () => {
  it("redirects to the slash, with the query", async () => {
    const { status, headers } = await get("/sub?a=b");
    assert.equal(status, 301);
    assert.equal(headers.get("location"), "/sub/?a=b");
  });

  it("shows an index where there is one", async () => {
    const { headers, body } = await get("/site/");
    assert.equal(headers.get("content-type"), "text/html; charset=utf-8");
    assert.equal(body.toString(), "<p>index");
  });

  it("lists what may be asked for, and says how the bytes travel", async () => {
    const html = await text("/");
    for (const name of ["sub/", "site/", "s.txt", "inside.txt", "64.0 MiB"]) {
      assert.ok(html.includes(`>${name}</`), name);
    }
    for (const name of ["hidden", "link.txt", "up", "secret"]) {
      assert.ok(!html.includes(name), name);
    }
    const how = METHOD === "copy" ? /Files are copied by \w+ / : /Files leave by sendfile\(2\)/;
    assert.match(html, how);
  });

  it("escapes names, and links to files that it then sends", async () => {
    const html = await text("/sub/");
    assert.ok(!html.includes("<img"));
    const links = [...html.matchAll(/<a href="\.\/([^"]+)">/g)].map(([, link]) => link);
    assert.deepEqual(await Promise.all(links.map((link) => text(`/sub/${link}`))), [
      "strange",
      "escaped",
    ]);
  });
});

describe("file server: what it refuses", () => {
  const refused: [target: string, status: number][] = [
    ["/none", 404],
    ["/none/", 404],
    ["/s.txt/", 404],
    ["/s.txt/x", 404],
    ["/.hidden", 404],
    ["/link.txt", 404],
    ["/up/secret.txt", 404],
    ["/up/www-secret/secret.txt", 404],
    ["/fifo", 404],
    [`/${"x".repeat(300)}`, 404],
    [`/${"x/".repeat(3000)}`, 404],
    ["/../secret.txt", 404],
    ["/%2e%2e/secret.txt", 404],
    ["/..%2fsecret.txt", 404],
    ["/..%5csecret.txt", 404],
    ["/sub/../../secret.txt", 404],
    ["/../www-secret/secret.txt", 404],
    ["//s.txt", 404],
    ["//etc/passwd", 404],
    ["http://localhost/../secret.txt", 404],
    ["/s.txt%00", 400],
    ["/%zz", 400],
    ["/%c0%ae%c0%ae/secret.txt", 400],
    ["/a%0d%0aX-Forged:%20b", 400],
  ];
  for (const [target, status] of refused) {
    it(`answers ${status} to ${target.slice(0, 40)}`, async () => {
      const response = await get(target);
      assert.equal(response.status, status);
      assert.ok(!response.body.includes("SENTINEL"));
    });
  }

  it("takes the absolute form", async () => {
    assert.equal((await text("http://localhost/s.txt")).length, 20);
  });

  it("answers 405 to other methods, and says which there are", async () => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const { status, headers } = await get("/s.txt", { "Content-Length": "0" }, method);
      assert.equal(status, 405);
      assert.equal(headers.get("allow"), "GET, HEAD");
    }
  });

  it("answers 400 to what is not HTTP, and goes on", async () => {
    for (const request of ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nHost : a\r\n\r\n"]) {
      assert.match(String(await talk(server.port, request)), /^HTTP\/1\.1 400 /);
    }
    assert.equal((await get("/s.txt")).status, 200);
  });

  it("tells why a file cannot be opened", () => {
    const statuses = { ENOENT: 404, ENOTDIR: 404, EACCES: 403, EPERM: 403, EMFILE: 503, EIO: 500 };
    for (const [code, status] of Object.entries(statuses)) assert.equal(statusOf({ code }), status);
  });

  const ROOT = process.getuid?.() === 0 ? "root may read every file" : false;
  it("answers 403 to a file that it may not read", { skip: ROOT }, async () => {
    writeFileSync(join(site.root, "locked.txt"), "SENTINEL", { mode: 0 });
    assert.equal((await get("/locked.txt")).status, 403);
  });
});
