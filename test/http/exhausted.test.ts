import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sha256 } from "../_kit/bytes.ts";
import { Client } from "../_kit/serve.ts";
import { startServer } from "../_kit/server.ts";
import { big, TWENTY, www } from "./_site.ts";

const PROGRAM = new URL("_exhausted.ts", import.meta.url);

describe("serveStatic() without descriptors left", () => {
  it("says 503 and when to come back, and recovers", async () => {
    // Both limits: all three runtimes raise the one that they may raise.
    const under = ["sh", "-c", 'ulimit -n 128; exec "$@"', "sh"];
    const server = await startServer(PROGRAM, [www], { under });
    const client = new Client(server.port);
    assert.equal((await client.get("/file.txt")).body.toString(), TWENTY);
    assert.equal(sha256((await client.get("/big.bin")).body), sha256(big));
    await client.get("/exhaust");
    for (const target of ["/file.txt", "/big.bin", "/folder/"]) {
      const { status, headers } = await client.get(target);
      assert.equal(status, 503, target);
      assert.equal(headers["retry-after"], "1");
    }
    await client.get("/recover");
    assert.equal((await client.get("/file.txt")).body.toString(), TWENTY);
    await client.close();
    server.kill("SIGKILL");
    await server.ended;
  });
});
