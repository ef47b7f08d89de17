import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createFileServer } from "../../../src/http/mod.ts";
import { available } from "../../../src/sys/libc.ts";
import { assertQuick } from "../../_kit/quick.ts";
import { fetchRaw } from "../../_kit/raw_http.ts";
import { startServer } from "../../_kit/server.ts";
import { makeSite, TWENTY } from "./_site.ts";

const LIMITED = new URL("_fixtures/limited.ts", import.meta.url);

/** Opens connections one after the other; with `ask` each of them gets one answer, and stays. */
async function open(port: number, count: number, ask: boolean): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let i = 0; i < count; i++) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.on("data", () => {});
    sockets.push(socket);
    await once(socket, "connect");
    if (!ask) continue;
    socket.write("GET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    await Promise.race([once(socket, "data"), once(socket, "close")]);
  }
  return sockets;
}

describe("a server with as many connections as it takes", () => {
  for (const ask of [false, true]) {
    it(`closes the oldest that ${ask ? "is idle" : "is silent"}, and serves`, async () => {
      const site = makeSite();
      // Long enough that no limit of time makes room.
      const limits = { maxConnections: 40, headMs: 600_000, idleMs: 600_000 };
      const server = createFileServer({ root: site.root, limits });
      const { port } = await server.listen();
      const sockets = await open(port, 60, ask);
      for (let i = 0; i < 5; i++) {
        const { body, status } = await fetchRaw(port, "/file.txt");
        assert.deepEqual([status, body.toString()], [200, TWENTY]);
      }
      // The newest are still there.
      const last = sockets.at(-1)!;
      last.write("GET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n");
      await once(last, "data");
      assert.ok(server.stats().open <= 41, `${server.stats().open} are open`);
      assert.ok(server.stats().shed >= 20, `${server.stats().shed} were shed`);
      for (const socket of sockets) socket.destroy();
      await server.close({ graceMs: 0 });
      site.remove();
    });
  }

  it("leaves one alone that is in the middle of an answer", async () => {
    const site = makeSite();
    const limits = { maxConnections: 3 };
    const server = createFileServer({ root: site.root, limits });
    const { port } = await server.listen();
    const busy = connect(port, "127.0.0.1");
    busy.write("GET /large.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    await once(busy, "readable");
    const sockets = await open(port, 20, false);
    assert.equal((await fetchRaw(port, "/file.txt")).status, 200);
    let length = 0;
    for await (const chunk of busy) length += (chunk as Buffer).length;
    assert.ok(length > 9 * 1024 * 1024, `${length} bytes`);
    for (const socket of sockets) socket.destroy();
    await server.close({ graceMs: 0 });
    site.remove();
  });
});

describe("a server with few descriptors", { skip: available() ? false : "needs FFI" }, () => {
  it("takes no more connections and files than they last for", async () => {
    const site = makeSite();
    const { root } = site;
    for (let i = 0; i < 200; i++) writeFileSync(join(root, `${i}.bin`), "x".repeat(40_000));
    const under = ["sh", "-c", 'ulimit -n 240; exec "$@"', "sh"];
    const server = await startServer(LIMITED, [root], { under });
    const sockets: Socket[] = [];
    try {
      sockets.push(...await open(server.port, 300, true), ...await open(server.port, 300, false));
      await assertQuick(10_000, async () => {
        const began = performance.now();
        for (let i = 0; i < 200; i++) {
          const { body, status } = await fetchRaw(server.port, `/${i}.bin`);
          assert.deepEqual([status, body.length], [200, 40_000], `file ${i}`);
        }
        return performance.now() - began;
      });
      assert.ok(server.descriptors() <= 240);
    } finally {
      for (const socket of sockets) socket.destroy();
      server.kill("SIGKILL");
      await server.ended;
      site.remove();
    }
  });
});
