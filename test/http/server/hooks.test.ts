import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createFileServer, type RequestEvent } from "../../../src/http/mod.ts";
import { fetchRaw } from "../../_kit/raw_http.ts";
import { makeSite, TWENTY } from "./_site.ts";

const HEADERS = new URL("./_fixtures/headers.ts", import.meta.url);

describe("a module with a hook for headers", () => {
  it("is loaded by the threads, and asked once for each version of a file", async () => {
    const site = makeSite();
    const events: RequestEvent[] = [];
    const server = createFileServer({
      root: site.root,
      headers: HEADERS,
      onRequest: (event) => events.push(event),
    });
    const { port } = await server.listen();
    try {
      for (let i = 0; i < 3; i++) {
        const { body, headers } = await fetchRaw(port, "/file.txt");
        assert.equal(body.toString(), TWENTY);
        assert.equal(headers.get("x-file"), "file.txt 20");
      }
      assert.equal((await fetchRaw(port, "/empty.txt")).headers.has("x-file"), false);
      // Its error appears in the log only.
      const failed = await fetchRaw(port, "/app.js");
      assert.equal(failed.status, 500);
      assert.doesNotMatch(failed.body.toString(), /told/);
      assert.equal((await fetchRaw(port, "/dir/")).status, 500);
      assert.equal((await fetchRaw(port, "/file.txt")).status, 200);
      for (let i = 0; i < 500 && events.length < 7; i++) await sleep(10);
      const errors = events.filter(({ status }) => status === 500).map(({ error }) => error);
      assert.equal(errors[0], "app.js is not to be told of");
      assert.match(errors[1]!, /must answer at once/);
      assert.equal(events[0]!.error, undefined);
    } finally {
      await server.close({ graceMs: 0 });
      site.remove();
    }
  });

  it("that cannot be loaded, or has none, is an error of listen()", async () => {
    const absent = createFileServer({
      root: ".",
      headers: new URL("./absent.ts", import.meta.url),
    });
    await assert.rejects(absent.listen(), /absent\.ts/);
    await absent.close();
    const headers = new URL("./_fixtures/no_headers.ts", import.meta.url);
    const without = createFileServer({ root: ".", headers });
    await assert.rejects(without.listen(), {
      message: `Cannot serve files: ${headers.href} exports no function named "headers"`,
    });
    await without.close();
  });
});
