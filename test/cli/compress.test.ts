import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { openCache, removePartial, usualCache } from "../../src/cli/compress/cache_folder.ts";
import { codecs, isCompressible } from "../../src/cli/compress/codecs.ts";
import { Compressor, type CompressorOptions } from "../../src/cli/compress/compressor.ts";
import { fetchRaw } from "../_kit/raw_http.ts";
import { startServer } from "../_kit/server.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url);
const TEXT = "a line of text that repeats\n".repeat(200);
/** Longer than one tick of the kernel's file times; Deno itself reports whole seconds. */
const TICK_MS = process.env["SLUICE_FFI"] === "none" ? 1050 : 60;

describe("compressed versions", () => {
  let parent = "";
  let root = "";
  let cache = openCacheIn;
  const signal = new AbortController().signal;

  function openCacheIn() {
    return openCache(join(parent, "cache"), root);
  }

  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), "sluice-compress-"));
    root = join(parent, "www");
    mkdirSync(join(root, "sub"), { recursive: true });
    cache = openCacheIn;
  });
  afterEach(() => rmSync(parent, { recursive: true, force: true }));

  const write = (name: string, text: string | Uint8Array) => writeFileSync(join(root, name), text);
  const compressor = (more: Partial<CompressorOptions> = {}) =>
    new Compressor({
      ...{ root, cache: cache(), codecs: codecs(), dotfiles: false },
      ...{ minBytes: 1000, maxBytes: 1e9, settledMs: 0 },
      ...more,
    });
  const versions = () =>
    readdirSync(cache().versions, { recursive: true, encoding: "utf8" })
      .filter((name) => statSync(join(cache().versions, name)).isFile()).sort();
  const pass = async (more?: Partial<CompressorOptions>) => {
    const made = compressor(more);
    try {
      return await made.run(signal);
    } finally {
      made.close();
    }
  };

  it("are made once for what is text, large enough, and becomes smaller", async () => {
    write("sub/a.txt", TEXT);
    write("small.txt", "short");
    write("b.jpg", TEXT);
    write(".hidden.txt", TEXT);
    write("random.txt", Uint8Array.from({ length: 4000 }, () => Math.random() * 256));
    symlinkSync("sub/a.txt", join(root, "link.txt"));
    symlinkSync("/etc", join(root, "etc"));
    assert.equal((await pass({ settledMs: 60_000 })).made, 0, "too young");
    const first = await pass();
    const codings = codecs().size;
    assert.deepEqual([first.made, first.from, first.full], [
      codings,
      codings * TEXT.length,
      false,
    ]);
    assert.ok(first.to < first.from / 5);
    const names = versions();
    assert.equal(names.length, 2 * codings, names.join());
    const gz = names.find((name) => /a\.txt.*\.gz$/.test(name))!;
    assert.equal(gunzipSync(readFileSync(join(cache().versions, gz))).toString(), TEXT);
    const br = names.find((name) => /a\.txt.*\.br$/.test(name));
    if (br !== undefined) {
      assert.equal(brotliDecompressSync(readFileSync(join(cache().versions, br))).toString(), TEXT);
    }
    const random = names.find((name) => name.startsWith("random"))!;
    assert.equal(statSync(join(cache().versions, random)).size, 0);
    assert.equal(statSync(join(cache().versions, gz)).mode & 0o077, 0);
    assert.equal((await pass()).made, 0, "they are there");
    assert.deepEqual(versions(), names);
    assert.deepEqual(readdirSync(cache().partial), []);
  });

  it("are remade when a file changes, be it with its old size and time, and go with it", async () => {
    write("a.txt", TEXT);
    write("sub/b.txt", TEXT);
    utimesSync(join(root, "a.txt"), 1_600_000_000, 1_600_000_000);
    await pass();
    const before = versions();
    rmSync(join(root, "sub"), { recursive: true });
    await sleep(TICK_MS);
    write("a.txt", TEXT.toUpperCase());
    utimesSync(join(root, "a.txt"), 1_600_000_000, 1_600_000_000);
    assert.equal((await pass()).made, codecs().size);
    const now = versions();
    assert.equal(now.length, codecs().size);
    assert.ok(now.every((name) => name.startsWith("a.txt.") && !before.includes(name)));
    const gz = readFileSync(join(cache().versions, now.find((name) => name.endsWith(".gz"))!));
    assert.equal(gunzipSync(gz).toString(), TEXT.toUpperCase());
    assert.ok(!existsSync(join(cache().versions, "sub")), "empty folders go, too");
  });

  it("stay within their space, and are not tried again each time", async () => {
    for (const name of ["a.txt", "b.txt", "c.txt"]) write(name, TEXT + name);
    const limited = compressor({ maxBytes: 250 });
    const first = await limited.run(signal);
    assert.ok(first.full && first.to <= 250, JSON.stringify(first));
    const again = await limited.run(signal);
    assert.deepEqual([again.made, again.full], [0, true]);
    limited.close();
    assert.equal((await pass({ only: "a.txt", maxBytes: 1e6 })).full, false);
  });

  it("leave nothing half if they are stopped, and remove what a killed process has left", async () => {
    write("a.txt", TEXT.repeat(2000));
    const controller = new AbortController();
    const stopped = compressor();
    const run = stopped.run(controller.signal);
    while (readdirSync(cache().partial).length === 0) await sleep(1);
    controller.abort();
    await assert.rejects(run, { name: "AbortError" });
    stopped.close();
    assert.deepEqual(readdirSync(cache().partial), []);
    const left = [`${2 ** 22 + 1}-1`, "other", `${process.pid}-9`, `${process.ppid}-1`];
    for (const name of left) writeFileSync(join(cache().partial, name), "");
    removePartial(cache());
    assert.deepEqual(readdirSync(cache().partial), [`${process.ppid}-1`]);
  });

  it("skip files that cannot be read or vanish, and folders that others may write to", async () => {
    write("a.txt", TEXT);
    write("b.txt", TEXT);
    const long = `${"n".repeat(245)}.txt`;
    write(long, TEXT);
    mkdirSync(join(root, "closed"));
    chmodSync(join(root, "closed"), 0);
    assert.equal((await pass()).made, 2 * codecs().size);
    chmodSync(join(root, "closed"), 0o700);
    chmodSync(cache().path, 0o777);
    assert.throws(() => cache(), /Cannot keep compressed files/);
    chmodSync(join(parent, "cache", readdirSync(join(parent, "cache"))[0]!), 0o700);
  });

  it("are for text and the like, in the usual cache folder", () => {
    for (const name of ["a.html", "a.js", "a.json", "a.svg", "a.wasm", "a.ttf", "a.geojson"]) {
      assert.ok(isCompressible(name), name);
    }
    for (const name of ["a.png", "a.mp4", "a.woff2", "a.zip", "a.gz", "a", "a.pdf"]) {
      assert.ok(!isCompressible(name), name);
    }
    assert.equal(usualCache({ XDG_CACHE_HOME: "/x" }, "linux"), "/x/sluice");
    assert.match(usualCache({ XDG_CACHE_HOME: "relative" }, "linux"), /\.cache\/sluice$/);
  });
});

describe("sluice serve --compress", () => {
  let parent = "";
  before(() => {
    parent = mkdtempSync(join(tmpdir(), "sluice-compress-"));
    for (const name of ["www", "media"]) mkdirSync(join(parent, name));
    writeFileSync(join(parent, "www", "a.txt"), TEXT);
    writeFileSync(join(parent, "media", "b.txt"), TEXT);
    utimesSync(join(parent, "www", "a.txt"), 1_700_000_000, 1_700_000_000);
    // Takes longer than the test.
    writeFileSync(join(parent, "media", "large.txt"), TEXT.repeat(20_000));
  });
  after(() => rmSync(parent, { recursive: true }));

  it("makes versions beside serving, sends them, and ends in the middle of one", async () => {
    const cache = join(parent, "cache");
    const server = await startServer(MAIN, [
      ...["serve", join(parent, "www"), "--port", "0", "--mount", `/m=${join(parent, "media")}`],
      ...["--compress", "--compress-dir", cache],
    ]);
    try {
      await server.printed(/Made \d compressed versions?: \S+ \S+ for /);
      const { body, headers } = await fetchRaw(server.port, "/a.txt", {
        "Accept-Encoding": "gzip",
      });
      assert.equal(headers.get("content-encoding"), "gzip");
      assert.equal(gunzipSync(body).toString(), TEXT);
      const plain = await fetchRaw(server.port, "/a.txt");
      assert.equal(plain.headers.get("content-encoding"), undefined);
      assert.equal(headers.get("last-modified"), plain.headers.get("last-modified"));
      assert.notEqual(headers.get("etag"), plain.headers.get("etag"));
      assert.deepEqual(readdirSync(join(parent, "www")), ["a.txt"]);
      const media = readdirSync(cache).find((name) => name.startsWith("media"))!;
      while (readdirSync(join(cache, media, "partial")).length === 0) await sleep(5);
      server.kill("SIGTERM");
      assert.equal(await server.ended, 143);
      assert.deepEqual(readdirSync(join(cache, media, "partial")), []);
    } finally {
      server.kill("SIGKILL");
    }
  });
});
