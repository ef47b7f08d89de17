import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createFileServer } from "../../../../src/http/mod.ts";
import { sha256 } from "../../../_kit/bytes.ts";
import { KINDS } from "../../_programs.ts";
import { makeSite, patterned, TWENTY } from "../_site.ts";

const LISTING = Array.from({ length: 50 }, (_, i) => `${i},`).join("");

for (const { name, start } of KINDS) {
  describe(`a server before ${name}`, () => {
    it("answers together with it, on connections that stay", async () => {
      const site = makeSite();
      const program = await start();
      const fallback = { to: `127.0.0.1:${program.port}`, paths: ["/dir/"] };
      const server = createFileServer({ root: site.root, fallback });
      const { port } = await server.listen();
      const ask = (path: string, init?: RequestInit) =>
        fetch(`http://127.0.0.1:${port}${path}`, init);
      try {
        for (let round = 0; round < 3; round++) {
          assert.equal(await (await ask("/file.txt")).text(), TWENTY);
          const seen = await ask("/absent?q=1");
          assert.equal(seen.status, 200);
          assert.match(seen.headers.get("x-seen")!, /^GET \/absent(\?q=1)? 127\.0\.0\.1$/);
          assert.deepEqual(seen.headers.getSetCookie(), ["a=1", "b=2"]);
          assert.equal(await seen.text(), "");
          assert.equal((await ask("/none")).status, 204);
          assert.equal(await (await ask("/stream")).text(), LISTING);
          const owned = await ask("/dir/index.html", { method: "HEAD" });
          assert.match(owned.headers.get("x-seen")!, /^HEAD \/dir\/index\.html /);
          const body = patterned(3 * 1024 * 1024 + 5, round);
          const echo = await ask("/file.txt", {
            method: "PUT",
            body: body as Uint8Array<ArrayBuffer>,
          });
          assert.equal(sha256(new Uint8Array(await echo.arrayBuffer())), sha256(body));
          const chunks = new ReadableStream({
            start(controller) {
              for (const text of ["in ", "pieces"]) {
                controller.enqueue(new TextEncoder().encode(text));
              }
              controller.close();
            },
          });
          const streamed = { method: "POST", body: chunks, duplex: "half" } as RequestInit;
          assert.equal(await (await ask("/x", streamed)).text(), "in pieces");
        }
        // The last answer may be here before it has been counted.
        for (let i = 0; i < 500 && server.stats().passed < 18; i++) await sleep(10);
        const { aborted, passed, statuses } = server.stats();
        assert.deepEqual([aborted, passed, statuses["5xx"]], [0, 18, 0]);
      } finally {
        await server.close({ graceMs: 0 });
        await program.close();
        site.remove();
      }
    });
  });
}
