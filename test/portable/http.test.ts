/** Serving files without foreign functions: the same answers, by copying. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileResponse } from "../../src/http/mod.ts";
import { sha256 } from "../_kit/bytes.ts";
import { assertClosed } from "../_kit/leaks.ts";
import { recording } from "../_kit/serve.ts";
import { big, SECRET, TWENTY, withSite, www } from "../http/_site.ts";

describe("serveStatic() without foreign functions", () => {
  it("serves files, whole and in part", async () => {
    await withSite({ precompressed: true }, async (get) => {
      const { result, sent } = await recording(() => get("/big.bin"));
      assert.equal(sha256(result.body), sha256(big));
      assert.equal(sent, 0);
      assert.equal((await get("/file.txt")).body.toString(), TWENTY);
      const part = await get("/big.bin", { Range: "bytes=5-1000004" });
      assert.equal(part.status, 206);
      assert.equal(sha256(part.body), sha256(big.subarray(5, 1_000_005)));
      const two = await get("/file.txt", { Range: "bytes=0-1,3-3" });
      assert.match(two.body.toString(), /\r\n\r\n01\r\n[^]+\r\n\r\n3\r\n/);
      const tag = result.headers.get("etag")!;
      assert.equal((await get("/big.bin", { "If-None-Match": tag })).status, 304);
      const coded = await get("/assets/app.js", { "Accept-Encoding": "gzip" });
      assert.equal(coded.body.toString(), "gz");
      assert.equal((await get("/folder")).status, 301);
      assert.equal((await get("/folder/")).body.toString(), "index of the folder");
    });
    await assertClosed(`${www}/big.bin`);
  });

  it("keeps to the root, as far as it can tell", async () => {
    await withSite({ listing: true }, async (get) => {
      assert.equal((await get("/alias.txt")).body.toString(), TWENTY);
      for (
        const target of ["/link", "/above/OUTSIDE", "/etclink/passwd", "/fifo", "/.env", "/a%2fb"]
      ) {
        assert.equal((await get(target)).status, 404, target);
      }
      const listing = (await get("/bare/")).body.toString();
      assert.ok(listing.includes("one.txt") && !listing.includes("<img src=x"));
    });
  });
});

describe("fileResponse() without foreign functions", () => {
  it("answers with one file", async () => {
    const ask = (headers = {}) => new Request("http://localhost/", { headers });
    for (const [path, options] of [[`${www}/big.bin`, {}], ["big.bin", { root: www }]] as const) {
      const whole = await fileResponse(ask(), path, options);
      assert.equal(sha256(new Uint8Array(await whole.arrayBuffer())), sha256(big));
      const part = await fileResponse(ask({ range: "bytes=0-99999" }), path, options);
      const bytes = new Uint8Array(await part.arrayBuffer());
      assert.equal(sha256(bytes), sha256(big.subarray(0, 100_000)));
    }
    const outside = await fileResponse(ask(), "link", { root: www });
    assert.equal(outside.status, 404);
    assert.ok(!(await outside.text()).includes(SECRET));
  });
});
