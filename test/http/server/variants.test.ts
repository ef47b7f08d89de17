import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { serveSite } from "./_site.ts";

/** Longer than one tick of the kernel's file times: the server caches nothing younger. */
const SETTLE_MS = 60;

describe("what is kept for those who accept different codings", () => {
  const site = serveSite({ precompressed: true, cache: { validMs: 60_000 } });
  const body = async (target: string, headers: Record<string, string> = {}) => {
    const { body, status } = await site.get(target, headers);
    return `${status} ${body}`;
  };

  it("is never found under another path", async () => {
    await sleep(SETTLE_MS);
    writeFileSync(join(site.root, "index.html"), "INDEX");
    await sleep(SETTLE_MS);
    const browser = { "Accept-Encoding": "gzip, deflate, br" };
    const script = `200 ${"let plain;".repeat(100)}`;
    for (const value of ["app.js", "app.jsgzip, deflate, br", "file.txt", "\tapp.js", "pp.js"]) {
      for (let i = 0; i < 2; i++) {
        assert.equal(await body("/", { "Accept-Encoding": value }), "200 INDEX");
        if (value === "pp.js") await site.get("/a", { "Accept-Encoding": value });
      }
      assert.equal(await body("/app.js"), script);
      assert.equal(await body("/app.js", browser), "200 br");
      assert.equal(await body("/app.js", { "Accept-Encoding": "" }), script);
      assert.equal(await body("/file.txt"), "200 0123456789ABCDEFGHIJ");
    }
  });

  it("depends on all fields of the name, not on the first one", async () => {
    await sleep(SETTLE_MS);
    const ask = (codings: string[]) =>
      site.exchange(
        `GET /app.js HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${
          codings.map((coding) => `Accept-Encoding: ${coding}\r\n`).join("")
        }\r\n`,
        ["GET"],
      ).then(([response]) => response!.headers.get("content-encoding"));
    for (let i = 0; i < 2; i++) {
      assert.equal(await ask(["identity", "gzip"]), "gzip");
      assert.equal(await ask(["identity"]), undefined);
      assert.equal(await ask(["gzip"]), "gzip");
      assert.equal(await ask(["gzip", "br;q=0.5"]), "gzip");
      assert.equal(await ask(["deflate", "br"]), "br");
      assert.equal(await ask(["deflate"]), undefined);
    }
  });

  it("is one answer for all who accept the same", async () => {
    await sleep(SETTLE_MS);
    const before = site.server.stats().cache;
    for (const value of ["gzip", "GZIP", "gzip;q=0.7", "deflate, gzip", "gzip, nonsense"]) {
      await site.get("/app.js", { "Accept-Encoding": value });
    }
    const { hits } = site.server.stats().cache;
    assert.ok(hits - before.hits >= 4 || hits === 0, `${hits - before.hits} hits of 5`);
  });
});
