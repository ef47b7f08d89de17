import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createFileServer, type RequestEvent } from "../../src/http/mod.ts";
import { KINDS } from "../http/_programs.ts";
import { fetchRaw } from "../_kit/raw_http.ts";
import { startProgram } from "../http/server/_program.ts";
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

  it("reports no more requests per second than asked for", async () => {
    const site = makeSite();
    const events: RequestEvent[] = [];
    const server = createFileServer({
      root: site.root,
      onRequest: (event) => void events.push(event),
      eventsPerSecond: 0,
    });
    const { port } = await server.listen();
    try {
      for (let i = 0; i < 3; i++) assert.equal((await fetchRaw(port, "/file.txt")).status, 200);
    } finally {
      await server.close({ graceMs: 1000 });
      site.remove();
    }
    assert.equal(server.stats().requests, 3);
    assert.deepEqual(events.filter(({ durationMs }) => durationMs < 1000), []);
  });

  it("asks for passwords, also before it forwards", async () => {
    const site = makeSite();
    const program = await startProgram((socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nok"));
    const fallback = { to: `127.0.0.1:${program.port}`, paths: ["/api/"] };
    const server = createFileServer({ root: site.root, fallback, auth: { users: { a: "b" } } });
    const { port } = await server.listen();
    const Authorization = `Basic ${btoa("a:b")}`;
    const upgrade = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13" };
    try {
      for (const headers of [{}, { Authorization: "Basic x" }, upgrade]) {
        for (const target of ["/file.txt", "/none", "/api/x"]) {
          const { headers: fields, status } = await fetchRaw(port, target, headers);
          assert.equal(status, 401, `${target} ${JSON.stringify(headers)}`);
          assert.match(fields.get("www-authenticate")!, /^Basic realm="files"/);
        }
      }
      assert.equal(program.requests.length, 0);
      const { body } = await fetchRaw(port, "/file.txt", { Authorization });
      assert.equal(body.toString(), TWENTY);
    } finally {
      await server.close({ graceMs: 0 });
      await program.close();
      site.remove();
    }
  });

  it("passes on what the folder cannot answer", async () => {
    const site = makeSite();
    const program = await KINDS[0]!.start();
    const fallback = { to: `127.0.0.1:${program.port}`, paths: ["/dir/"] };
    const headers = new URL("../http/server/_fixtures/headers.ts", import.meta.url);
    const server = createFileServer({ root: site.root, fallback, headers });
    const { port } = await server.listen();
    const ask = (path: string, init?: RequestInit) =>
      fetch(`http://127.0.0.1:${port}${path}`, init);
    try {
      const file = await ask("/file.txt");
      assert.equal(file.headers.get("x-file"), "file.txt 20");
      assert.equal(await file.text(), TWENTY);
      for (const path of ["/absent", "/dir/index.html"]) {
        assert.equal((await ask(path)).headers.get("x-seen"), `GET ${path} 127.0.0.1`);
      }
      const h2c = { "Connection": "close, Upgrade", "Upgrade": "h2c", "HTTP2-Settings": "" };
      assert.match(String((await fetchRaw(port, "/file.txt", h2c)).status), /^[24]00$/);
      const echo = await ask("/file.txt", { method: "POST", body: "a body" });
      assert.equal(await echo.text(), "a body");
      await program.close();
      assert.equal((await ask("/absent")).status, 502);
    } finally {
      await server.close({ graceMs: 1000 });
      site.remove();
    }
  });

  it("passes a WebSocket through", async () => {
    const site = makeSite();
    const program = await startProgram((socket, text) => {
      if (text.endsWith("\r\n\r\n")) {
        socket.write(
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        );
      }
      if (text.endsWith("ping")) socket.write("pong");
    });
    const server = createFileServer({ root: site.root, fallback: `127.0.0.1:${program.port}` });
    const { port } = await server.listen();
    const socket = connect(port, "127.0.0.1");
    let received = "";
    socket.on("data", (chunk: Buffer) => received += chunk.toString("latin1"));
    const until = async (end: string) => {
      for (let i = 0; i < 1000 && !received.endsWith(end); i++) await sleep(10);
      assert.ok(received.endsWith(end), received);
    };
    try {
      socket.write(
        "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      );
      await until("\r\n\r\n");
      assert.match(received, /^HTTP\/1\.1 101 /);
      socket.write("ping");
      await until("pong");
    } finally {
      socket.destroy();
      await server.close({ graceMs: 100 });
      await program.close();
      site.remove();
    }
  });

  it("has no sandbox", async () => {
    const server = createFileServer({ root: ".", sandbox: true });
    await assert.rejects(server.listen(), { name: "UnsupportedError" });
    await server.close();
  });
});
