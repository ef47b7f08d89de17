import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFileServer, type RequestEvent } from "../../src/http/mod.ts";
import { fetchRaw } from "../_kit/raw_http.ts";
import { LARGE_BYTES, makeSite, TWENTY } from "../http/server/_site.ts";

describe("createFileServer() without foreign functions", () => {
  it("serves the same by copying, and says so", async () => {
    const site = makeSite();
    const events: RequestEvent[] = [];
    const server = createFileServer({
      root: site.root,
      listing: true,
      onRequest: (event) => void events.push(event),
    });
    const { port } = await server.listen();
    try {
      assert.equal((await fetchRaw(port, "/file.txt")).body.toString(), TWENTY);
      assert.equal((await fetchRaw(port, "/large.bin")).body.length, LARGE_BYTES);
      const part = await fetchRaw(port, "/file.txt", { Range: "bytes=1-2" });
      assert.deepEqual([part.status, part.body.toString()], [206, "12"]);
      assert.match((await fetchRaw(port, "/")).body.toString(), /<table>/);
      assert.equal((await fetchRaw(port, "/link.txt")).status, 404);
    } finally {
      await server.close({ graceMs: 1000 });
      site.remove();
    }
    assert.equal(server.stats().requests, 5);
    assert.deepEqual(events.map(({ status }) => status), [200, 200, 206, 200, 404]);
    assert.ok(events.every(({ transfer }) => transfer === "copy"));
  });
});
