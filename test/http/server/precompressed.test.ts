import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  createFileServer,
  fileResponse,
  type FileServer,
  serveStatic,
} from "../../../src/http/mod.ts";
import { openRoot } from "../../../src/http/files/open_root.ts";
import { versionTag } from "../../../src/http/files/versions.ts";
import { fetchRaw, type RawResponse } from "../../_kit/raw_http.ts";

/** Longer than one tick of the kernel's file times; Deno itself reports whole seconds. */
const TICK_MS = process.env["SLUICE_FFI"] === "none" ? 1050 : 60;

describe("sidecars without their file, and versions in a folder of their own", () => {
  let parent = "";
  let server: FileServer;
  let port = 0;
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(parent, name)), { recursive: true });
    writeFileSync(join(parent, name), text);
  };

  before(async () => {
    parent = mkdtempSync(join(tmpdir(), "sluice-coded-"));
    write("www/alone.css.gz", "alone, gzip");
    write("www/both.js", "both, plain");
    write("www/both.js.gz", "both, gzip");
    write("www/two.txt.br", "two, br");
    write("www/two.txt.gz", "two, gzip");
    write("www/br.txt.br", "only br");
    write("www/dir/index.html.gz", "index, gzip");
    write("www/page.html.gz", "page, gzip");
    write("www/404.html.gz", "missing, gzip");
    write("www/.dot.txt.gz", "hidden");
    write("secret.gz", "secret");
    symlinkSync("../secret.gz", join(parent, "www", "link.txt.gz"));
    mkdirSync(join(parent, "www", "folder.txt.gz"));
    write("plain/x.txt.gz", "x, gzip");
    write("versioned/a.js", "a".repeat(2000));
    mkdirSync(join(parent, "cache"));
    server = createFileServer({
      root: join(parent, "www"),
      precompressed: "always",
      extensions: ["html"],
      notFound: "404.html",
      mounts: {
        "/plain": { root: join(parent, "plain"), precompressed: true },
        "/v": {
          root: join(parent, "versioned"),
          precompressed: true,
          precompressedRoot: join(parent, "cache"),
        },
      },
      cache: { validMs: 0 },
    });
    ({ port } = await server.listen());
  });
  after(async () => {
    await server.close({ graceMs: 0 });
    rmSync(parent, { recursive: true });
  });

  const get = (target: string, accept?: string, more: Record<string, string> = {}) =>
    fetchRaw(port, target, { ...accept !== undefined && { "Accept-Encoding": accept }, ...more });
  const say = ({ body, headers, status }: RawResponse) =>
    `${status} ${body} ${headers.get("content-encoding") ?? "-"} ${headers.get("content-type")}`;
  const ask = async (target: string, accept?: string) => say(await get(target, accept));

  it("always: sends the sidecar where there is no file, whatever a client accepts", async () => {
    const css = "200 alone, gzip gzip text/css; charset=utf-8";
    for (const accept of ["gzip", undefined, "", "br", "identity", "gzip;q=0"]) {
      for (let i = 0; i < 2; i++) assert.equal(await ask("/alone.css", accept), css);
    }
    assert.match(await ask("/two.txt", "br"), /two, br br/);
    assert.match(await ask("/two.txt", "gzip"), /two, gzip gzip/);
    assert.match(await ask("/two.txt"), /two, gzip gzip/, "most clients read gzip");
    assert.match(await ask("/br.txt"), /only br br/);
    assert.match(await ask("/dir/"), /index, gzip gzip text\/html/);
    assert.match(await ask("/page"), /page, gzip gzip text\/html/);
    assert.match(await ask("/none"), /^404 missing, gzip gzip text\/html/);
  });

  it("always: prefers the file itself for clients that accept no coding", async () => {
    assert.match(await ask("/both.js"), /both, plain -/);
    assert.match(await ask("/both.js", "gzip"), /both, gzip gzip/);
    write("www/late.txt.gz", "late, gzip");
    assert.match(await ask("/late.txt"), /late, gzip gzip/);
    write("www/late.txt", "late, plain");
    assert.match(await ask("/late.txt"), /late, plain -/);
    rmSync(join(parent, "www/late.txt"));
    assert.match(await ask("/late.txt"), /late, gzip gzip/);
    rmSync(join(parent, "www/late.txt.gz"));
    assert.match(await ask("/late.txt"), /^404 /);
  });

  it("always: answers HEAD, ranges and conditions for the bytes that it sends", async () => {
    const whole = await get("/alone.css");
    assert.equal(whole.headers.get("vary"), "Accept-Encoding");
    const tag = whole.headers.get("etag")!;
    assert.match(tag, /-gzip"$/);
    assert.equal((await get("/alone.css", "", { "If-None-Match": tag })).status, 304);
    const part = await get("/alone.css", "", { Range: "bytes=0-4" });
    assert.deepEqual([part.status, String(part.body)], [206, "alone"]);
    const head = await fetchRaw(port, "/alone.css", {}, "HEAD");
    assert.equal(head.headers.get("content-length"), "11");
  });

  it("always: opens no sidecar that a request for it would not get", async () => {
    for (const target of ["/link.txt", "/folder.txt", "/.dot.txt", "/alone.css/", "/../secret"]) {
      assert.match(await ask(target), /^404 /, target);
    }
    assert.match(await ask("/plain/x.txt", "gzip"), /^404 /, "without always");
  });

  it("takes the option in serveStatic and fileResponse, too", async () => {
    const files = serveStatic(join(parent, "www"), { precompressed: "always" });
    const found = await files(new Request("http://a/alone.css"));
    assert.equal(found.headers.get("content-encoding"), "gzip");
    await found.body?.cancel();
    files.close();
    const one = await fileResponse(
      new Request("http://a/"),
      join(parent, "www", "alone.css"),
      { precompressed: "always" },
    );
    assert.equal(one.headers.get("content-encoding"), "gzip");
    await one.body?.cancel();
    for (const precompressed of ["on", 1, null, ["deflate"]]) {
      const options = { root: parent, precompressed } as never;
      assert.throws(() => createFileServer(options), {
        name: "TypeError",
        message: /precompressed/,
      });
    }
    const wrong = { root: parent, precompressed: true, precompressedRoot: 5 } as never;
    assert.throws(() => createFileServer(wrong), /precompressedRoot must be a path/);
  });

  /** Makes a version of `versioned/NAME` as it is now. */
  async function makeVersion(name: string, text: string): Promise<string> {
    const root = openRoot(join(parent, "versioned"));
    const file = await root.open(name);
    assert.ok(typeof file === "object");
    const path = `cache/${name}.${versionTag(file)}.gz`;
    file.close();
    root.close();
    write(path, text);
    return path;
  }

  it("sends a version for the very file that it was made of", async () => {
    const plain = (letter: string) => `200 ${letter.repeat(2000)} - text/javascript; charset=utf-8`;
    assert.equal(await ask("/v/a.js", "gzip"), plain("a"));
    const first = await makeVersion("a.js", "version");
    assert.match(await ask("/v/a.js", "gzip"), /^200 version gzip text\/javascript/);
    assert.equal(await ask("/v/a.js", "br"), plain("a"));
    assert.equal(await ask("/v/a.js"), plain("a"));
    // Same size and modification time.
    const file = join(parent, "versioned/a.js");
    utimesSync(file, 1_700_000_000, 1_700_000_000);
    await makeVersion("a.js", "older version");
    assert.match(await ask("/v/a.js", "gzip"), /^200 older version gzip/);
    // Kernels before 6.13 take ctime from a clock that ticks; versions are made of older files only.
    await sleep(TICK_MS);
    writeFileSync(`${file}.new`, "b".repeat(2000));
    utimesSync(`${file}.new`, 1_700_000_000, 1_700_000_000);
    renameSync(`${file}.new`, file);
    assert.equal(await ask("/v/a.js", "gzip"), plain("b"));
    assert.equal((await fetchRaw(port, `/v/../${first}`)).status, 404);
    // An empty one says that the file does not become smaller.
    await makeVersion("a.js", "");
    assert.equal(await ask("/v/a.js", "gzip"), plain("b"));
    // Yours comes first.
    write("versioned/a.js.gz", "sidecar");
    await makeVersion("a.js", "version");
    assert.match(await ask("/v/a.js", "gzip"), /^200 sidecar gzip/);
    rmSync(join(parent, "versioned/a.js.gz"));
    assert.match(await ask("/v/a.js", "gzip"), /^200 version gzip/);
  });

  it("follows no link out of the folder of the versions", async () => {
    write("versioned/l.js", "l".repeat(2000));
    const path = join(parent, await makeVersion("l.js", "x"));
    rmSync(path);
    symlinkSync(join(parent, "secret.gz"), path);
    assert.match(await ask("/v/l.js", "gzip"), /^200 l+ -/);
  });
});
