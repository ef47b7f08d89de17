import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createFileServer } from "../../../src/http/mod.ts";
import { createRelay } from "../../../src/mod.ts";
import { available } from "../../../src/sys/libc.ts";
import { makeSite } from "./_site.ts";

const NO_CACHE = available() ? false : "the portable server keeps no answers";

/** Both servers, which must agree. */
const kinds = {
  FileServer: (root: string, path?: string) =>
    createFileServer({ root, ...(path !== undefined && { path }) }),
  Relay: (_root: string, path?: string) =>
    createRelay({ listen: path === undefined ? "127.0.0.1:0" : `unix:${path}`, upstream: ":1" }),
};

for (const [name, make] of Object.entries(kinds)) {
  describe(`a ${name}`, () => {
    const withRoot = async (body: (root: string, parent: string) => Promise<void>) => {
      const site = makeSite();
      try {
        await body(site.root, site.parent);
      } finally {
        site.remove();
      }
    };

    it("does not listen after it was closed, whether or not it had listened", async () => {
      await withRoot(async (root) => {
        const never = make(root);
        await never.close();
        await assert.rejects(never.listen(), /Cannot listen: .* was closed/);
        assert.equal(never.address, undefined);
        assert.equal(never.url, undefined);
        const once = make(root);
        await once.listen();
        await once.close({ graceMs: 0 });
        await assert.rejects(once.listen(), /Cannot listen: .* was closed/);
      });
    });

    it("refuses a time of grace that is none, and goes on", async () => {
      await withRoot(async (root) => {
        const server = make(root);
        await server.listen();
        for (const graceMs of [-5, 1.5, NaN, Infinity, "x", null, 5n, {}]) {
          const options = { graceMs } as { graceMs: number };
          await assert.rejects(async () => await server.close(options), /graceMs/, `${graceMs}`);
        }
        assert.equal(server.ref(), server);
        assert.equal(server.unref(), server);
        await server.close({ graceMs: 0 });
        // Responses in progress keep the process alive.
        assert.equal(server.ref(), server);
      });
    });

    it("tells where it listens in one shape, and by a URL", async () => {
      await withRoot(async (root, parent) => {
        const server = make(root);
        const address = await server.listen();
        const { port } = address;
        assert.deepEqual(address, { family: "IPv4", address: "127.0.0.1", port });
        assert.deepEqual(server.address, address);
        const url = new URL(server.url!);
        assert.deepEqual([url.hostname, url.port], ["127.0.0.1", String(port)]);
        await server.close();
        const path = join(parent, "s");
        const local = make(root, path);
        assert.deepEqual(await local.listen(), { family: "Unix", path, address: path, port: 0 });
        assert.equal(local.url, `unix:${path}`);
        await local.close();
      });
    });
  });
}

describe("close()", () => {
  it("of a server is shortened by a second one, and not lengthened", async () => {
    const site = makeSite();
    const server = createFileServer({ root: site.root });
    const { port } = await server.listen();
    const client = connect(port, "127.0.0.1");
    client.on("error", () => {});
    client.write("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    await once(client, "readable");
    const first = server.close({ graceMs: 3_600_000 });
    await sleep(50);
    const second = server.close({ graceMs: 100 });
    void server.close({ graceMs: 3_600_000 });
    await Promise.all([first, second]);
    client.destroy();
    site.remove();
  });

  it("of a server waits for answers by default", async () => {
    const site = makeSite();
    const server = createFileServer({ root: site.root });
    const { port } = await server.listen();
    const client = connect(port, "127.0.0.1");
    client.write("GET /large.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    await once(client, "readable");
    const closed = server.close();
    let length = 0;
    for await (const chunk of client) length += (chunk as Buffer).length;
    assert.ok(length > 9 * 1024 * 1024);
    await closed;
    site.remove();
  });
});

describe("stats()", () => {
  it("counts the bytes that are kept", { skip: NO_CACHE }, async () => {
    const site = makeSite();
    const server = createFileServer({ root: site.root });
    await server.listen();
    assert.equal(server.stats().cache.bytes, 0);
    await sleep(60);
    await fetch(`${server.url}/app.js`).then((response) => response.text());
    const { bytes } = server.stats().cache;
    assert.ok(bytes > 1000, `${bytes} bytes`);
    await server.reload();
    assert.equal(server.stats().cache.bytes, 0);
    await server.close({ graceMs: 0 });
    site.remove();
  });
});
