import assert from "node:assert/strict";
import {
  copyFileSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { available } from "../../../src/sys/libc.ts";
import { type Served, serveSite } from "./_site.ts";

const KEPT = 60_000;
/** Longer than one tick of the kernel's file times: the server caches nothing younger. */
const SETTLE_MS = 60;

/** Writes a file and asks for it until the answer is kept. */
async function kept(
  site: Served,
  name: string,
  content: string,
  headers: Record<string, string> = {},
) {
  writeFileSync(join(site.root, name), content);
  await sleep(SETTLE_MS);
  await site.get(`/${name}`, headers);
  return await site.get(`/${name}`, headers);
}

for (const size of [1000, 56_000]) {
  describe(`a kept file of ${size} bytes`, () => {
    // For a minute nothing but the file itself is asked.
    const site = serveSite({ cache: { validMs: KEPT }, precompressed: true });
    const text = (seed: string, length = size) => seed.repeat(length);
    const body = async (name: string, headers: Record<string, string> = {}) => {
      const { body, status } = await site.get(`/${name}`, headers);
      return `${status} ${body.subarray(0, 1)} ${body.length}`;
    };

    it("is new when a build with the same size and time is copied over it", async () => {
      const { headers } = await kept(site, "build.txt", text("a"));
      const path = join(site.root, "build.txt");
      const { atime, mtime, ino } = statSync(path);
      const etag = headers.get("etag")!;
      await sleep(SETTLE_MS);
      // Like `cp -a`.
      writeFileSync(path, text("b"));
      utimesSync(path, atime, mtime);
      assert.equal(statSync(path).ino, ino);
      assert.equal(await body("build.txt"), `200 b ${size}`);
      assert.equal(await body("build.txt", { "If-None-Match": etag }), `200 b ${size}`);
      assert.equal(
        await body("build.txt", { "If-Range": etag, Range: "bytes=0-9" }),
        `200 b ${size}`,
        "a download is not resumed from another version",
      );
    });

    it("is new when it is overwritten in place, longer or shorter", async () => {
      await kept(site, "edit.txt", text("a"));
      for (const [seed, length] of [["b", 2 * size + 7], ["c", 10], ["d", size]] as const) {
        writeFileSync(join(site.root, "edit.txt"), text(seed, length));
        const { body, headers } = await site.get("/edit.txt");
        assert.equal(body.toString(), text(seed, length));
        assert.equal(headers.get("content-length"), String(length));
      }
    });

    it("is gone when it is removed, and new when another takes its name", async () => {
      await kept(site, "gone.txt", text("a"));
      rmSync(join(site.root, "gone.txt"));
      assert.equal((await site.get("/gone.txt")).status, 404);
      await kept(site, "gone.txt", text("a"));
      writeFileSync(join(site.root, "next"), text("b"));
      renameSync(join(site.root, "next"), join(site.root, "gone.txt"));
      assert.equal(await body("gone.txt"), `200 b ${size}`);
      await kept(site, "gone.txt", text("c"));
      renameSync(join(site.root, "gone.txt"), join(site.root, "moved.txt"));
      assert.equal((await site.get("/gone.txt")).status, 404);
      assert.equal(await body("moved.txt"), `200 c ${size}`);
    });

    it("is new where it stands for a folder, and where it is compressed", async () => {
      const gzip = { "Accept-Encoding": "gzip" };
      await kept(site, "dir/index.html", text("a"));
      assert.equal(await body("dir/"), `200 a ${size}`);
      writeFileSync(join(site.root, "dir/index.html"), text("b"));
      assert.equal(await body("dir/"), `200 b ${size}`);
      await kept(site, "s.js", text("o"));
      await kept(site, "s.js.gz", text("z"));
      assert.equal(await body("s.js", gzip), `200 z ${size}`);
      await sleep(SETTLE_MS);
      assert.equal(await body("s.js", gzip), `200 z ${size}`);
      writeFileSync(join(site.root, "s.js.gz"), text("y"));
      assert.equal(await body("s.js", gzip), `200 y ${size}`);
      rmSync(join(site.root, "s.js.gz"));
      assert.equal(await body("s.js", gzip), `200 o ${size}`);
    });

    it("is sent as it is when its compressed copy has become older", async () => {
      const gzip = { "Accept-Encoding": "gzip" };
      await kept(site, "t.js", text("o"));
      await kept(site, "t.js.gz", text("z"), gzip);
      assert.equal(await body("t.js", gzip), `200 z ${size}`);
      await sleep(SETTLE_MS);
      assert.equal(await body("t.js", gzip), `200 z ${size}`);
      writeFileSync(join(site.root, "t.js"), text("p"));
      const later = new Date(Date.now() + 5000);
      utimesSync(join(site.root, "t.js"), later, later);
      assert.equal(await body("t.js", gzip), `200 p ${size}`);
    });

    it("has an answer in turn while it is written again and again", async () => {
      const path = join(site.root, "busy.txt");
      for (let round = 0; round < 40; round++) {
        const seed = String(round % 10);
        const length = size + round % 3;
        writeFileSync(path, text(seed, length));
        assert.equal(await body("busy.txt"), `200 ${seed} ${length}`);
      }
    });
  });
}

describe("the path of a kept file", () => {
  const site = serveSite({ cache: { validMs: 0 } });

  it("is followed anew for each request with `validMs: 0`", async () => {
    const at = (name: string) => join(site.root, name);
    const body = async (target: string) => (await site.get(target)).body.toString();
    await kept(site, "one.txt", "one");
    await kept(site, "two.txt", "two");
    symlinkSync("one.txt", at("current.txt"));
    for (let i = 0; i < 2; i++) assert.equal(await body("/current.txt"), "one");
    symlinkSync("two.txt", at("swap"));
    renameSync(at("swap"), at("current.txt"));
    assert.equal(await body("/current.txt"), "two");
    for (let i = 0; i < 2; i++) assert.equal(await body("/dir/"), "<h1>dir</h1>");
    renameSync(at("dir"), at("was"));
    assert.equal((await site.get("/dir/")).status, 404);
  });

  it("decides the media type, also when two names lead to one file", async () => {
    const at = (name: string) => join(site.root, name);
    await kept(site, "page.html", "page");
    symlinkSync("page.html", at("either"));
    const type = async () => (await site.get("/either")).headers.get("content-type");
    const before = await type();
    assert.equal(await type(), before);
    rmSync(at("either"));
    linkSync(at("page.html"), at("either"));
    copyFileSync(at("page.html"), at("page2.html"));
    assert.equal(await type(), before);
  });
});

describe("the folder that is served", { skip: available() ? false : "needs FFI" }, () => {
  const site = serveSite({ cache: { validMs: 0 } });

  it("may be removed and made again, and moved away", async () => {
    const { root } = site;
    assert.equal((await site.get("/file.txt")).status, 200);
    renameSync(root, `${root}-old`);
    renameSync(join(root, "..", "outside"), root);
    assert.equal((await site.get("/file.txt")).status, 404);
    assert.equal((await site.get("/x")).status, 200);
  });
});

describe("a server that keeps nothing", () => {
  const site = serveSite({ cache: false, threads: 1 });
  const text = (seed: string, length: number) => seed.repeat(length);

  it("serves what the file has now, of every size", async () => {
    const path = join(site.root, "size.txt");
    for (const length of [0, 1, 1000, 32 * 1024, 32 * 1024 + 1, 200_000]) {
      for (const seed of ["a", "b"]) {
        writeFileSync(path, text(seed, length));
        const { body, headers, status } = await site.get("/size.txt");
        assert.deepEqual([status, body.toString() === text(seed, length)], [200, true]);
        assert.equal(headers.get("content-length"), String(length));
      }
    }
    assert.equal(site.server.stats().cache.hits, 0);
  });

  it("mixes nothing in the memory that requests share", async () => {
    const sizes = [0, 1, 900, 5000, 32 * 1024, 32 * 1024 + 1, 300_000];
    const letters = sizes.map((size, i) => {
      const letter = String.fromCharCode(0x61 + i);
      writeFileSync(join(site.root, `mixed${i}`), letter.repeat(size));
      return letter;
    });
    const one = async (seed: number) => {
      const asked = Array.from({ length: 60 }, (_, i) => {
        const at = (i * 5 + seed) % sizes.length;
        const method = (i + seed) % 7 === 0 ? "HEAD" : "GET";
        const part = (i + seed) % 11 === 0 && sizes[at]! > 10;
        return { at, method, part };
      });
      const text = asked.map(({ at, method, part }, i) =>
        `${method} /mixed${at} HTTP/1.1\r\nHost: x\r\n${part ? "Range: bytes=3-9\r\n" : ""}${
          i === asked.length - 1 ? "Connection: close\r\n" : ""
        }\r\n`
      ).join("");
      const answers = await site.exchange(text, asked.map(({ method }) => method));
      for (const [i, { at, method, part }] of asked.entries()) {
        const { body, headers, status } = answers[i]!;
        const partial = part && method === "GET";
        const length = partial ? 7 : sizes[at]!;
        assert.equal(status, partial ? 206 : 200);
        assert.equal(headers.get("content-length"), String(length));
        const sent = method === "HEAD" ? "" : letters[at]!.repeat(length);
        assert.ok(body.toString() === sent, `request ${i} of ${seed}`);
      }
    };
    await Promise.all([1, 2, 3, 4, 5, 6].map(one));
  });

  it("honors ranges and conditions, and knows HEAD", async () => {
    writeFileSync(join(site.root, "part.txt"), "0123456789");
    const { headers } = await site.get("/part.txt");
    const part = await site.get("/part.txt", { Range: "bytes=2-4" });
    assert.deepEqual([part.status, part.body.toString()], [206, "234"]);
    const parts = await site.get("/part.txt", { Range: "bytes=0-0,9-9" });
    assert.match(parts.body.toString(), /\r\n0\r\n[^]*\r\n9\r\n/);
    const same = await site.get("/part.txt", { "If-None-Match": headers.get("etag")! });
    assert.deepEqual([same.status, same.body.length], [304, 0]);
  });

  it("follows the folder when another one takes its path", async () => {
    const old = `${site.root}-old`;
    renameSync(site.root, old);
    try {
      mkdirSync(site.root);
      writeFileSync(join(site.root, "new.txt"), "new");
      assert.equal((await site.get("/new.txt")).body.toString(), "new");
    } finally {
      rmSync(site.root, { recursive: true });
      renameSync(old, site.root);
    }
  });
});
