import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { createFileServer } from "../../src/http/mod.ts";
import { fetchRaw } from "../_kit/raw_http.ts";
import { makeSite, TWENTY } from "../http/server/_site.ts";

/** Bun reports a connection to `node:http` with its first request, so silent ones don't count. */
const COUNTS_SILENT = !("Bun" in globalThis);

describe("createFileServer() without foreign functions, at its limits", () => {
  for (const ask of [false, true]) {
    it(`makes room by ending connections that ${ask ? "are idle" : "are silent"}`, async () => {
      const site = makeSite();
      const limits = { maxConnections: 20, headMs: 600_000, idleMs: 600_000 };
      const server = createFileServer({ root: site.root, limits });
      const { port } = await server.listen();
      const sockets = [];
      for (let i = 0; i < 40; i++) {
        const socket = connect(port, "127.0.0.1");
        socket.on("error", () => {});
        sockets.push(socket);
        await once(socket, "connect");
        if (!ask) continue;
        socket.write("GET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n");
        await Promise.race([once(socket, "data"), once(socket, "close")]);
      }
      for (let i = 0; i < 3; i++) {
        assert.equal((await fetchRaw(port, "/file.txt")).body.toString(), TWENTY);
      }
      const { shed } = server.stats();
      if (ask || COUNTS_SILENT) assert.ok(shed >= 20, `${shed} were shed`);
      for (const socket of sockets) socket.destroy();
      await server.close({ graceMs: 0 });
      site.remove();
    });
  }

  it("closes as the other one does", async () => {
    const site = makeSite();
    const server = createFileServer({ root: site.root });
    const { address, family, port } = await server.listen();
    assert.deepEqual([family, address, server.url], [
      "IPv4",
      "127.0.0.1",
      `http://127.0.0.1:${port}`,
    ]);
    const client = connect(port, "127.0.0.1");
    client.on("error", () => {});
    client.write("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    await once(client, "readable");
    await assert.rejects(async () => await server.close({ graceMs: -1 }), RangeError);
    const first = server.close({ graceMs: 3_600_000 });
    await Promise.all([first, server.close({ graceMs: 50 })]);
    await assert.rejects(server.listen(), /was closed/);
    client.destroy();
    site.remove();
  });
});
