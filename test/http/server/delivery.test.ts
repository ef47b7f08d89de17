import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { renameSync, truncateSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { runChild } from "../../_kit/child.ts";
import { dropFromCache } from "../../_kit/page_cache.ts";
import { close, open, OpenFlag } from "../../../src/sys/mod.ts";
import { openDescriptors } from "../../_kit/leaks.ts";
import { SlowClient } from "../../_kit/slow_client.ts";
import { LARGE_BYTES, patterned, serveSite } from "./_site.ts";

const MIB = 1024 * 1024;
const request = (target: string, more = "") => `GET ${target} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Waits for something to become so. */
async function until(condition: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + 20_000; !condition(); await sleep(10)) {
    if (Date.now() > end) throw new Error(`Waited in vain for ${what}`);
  }
}

describe("files", () => {
  const site = serveSite({ cache: { validMs: 20 } });
  const path = (name: string) => join(site.root, name);

  it("of every size arrive as they are, again and again", async () => {
    for (const size of [0, 1, 1023, 65_535, 65_536, 65_537, MIB, 3 * MIB + 1]) {
      const bytes = patterned(size, 5);
      writeFileSync(path(`size-${size}`), bytes);
      for (let i = 0; i < 3; i++) {
        const { body, headers } = await site.get(`/size-${size}`);
        assert.equal(sha256(body), sha256(bytes), String(size));
        assert.equal(headers.get("content-length"), String(size));
      }
    }
  });

  it("that have changed show their new content and another tag", async () => {
    for (const size of [100, 200_000]) {
      writeFileSync(path("changing"), patterned(size, 1));
      const before = await site.get("/changing");
      await sleep(50);
      writeFileSync(path("replacement"), patterned(size, 2));
      renameSync(path("replacement"), path("changing"));
      await sleep(50);
      const after = await site.get("/changing");
      assert.equal(sha256(after.body), sha256(patterned(size, 2)));
      assert.notEqual(before.headers.get("etag"), after.headers.get("etag"));
      renameSync(path("changing"), path("gone"));
      await sleep(50);
      assert.equal((await site.get("/changing")).status, 404);
    }
  });

  it("that are replaced while they are sent arrive as they were", async () => {
    const old = patterned(20 * MIB, 3);
    writeFileSync(path("replaced"), old);
    const client = new SlowClient(site.port);
    client.send(request("/replaced", "Connection: close\r\n"));
    client.read(4096, 5);
    await until(() => client.length > 20_000, "the first bytes");
    writeFileSync(path("new"), patterned(20 * MIB, 4));
    renameSync(path("new"), path("replaced"));
    client.read(4 * MIB, 1);
    await until(() => client.over, "the end");
    const all = Buffer.concat(client.chunks);
    assert.equal(sha256(all.subarray(all.indexOf("\r\n\r\n") + 4)), sha256(old));
    client.close();
  });

  it("that are cut short while they are sent end the connection, without anything instead", async () => {
    writeFileSync(path("cut"), patterned(20 * MIB, 6));
    const { truncated } = site.server.stats();
    const client = new SlowClient(site.port);
    client.send(request("/cut") + request("/file.txt"));
    client.read(4096, 5);
    await until(() => client.length > 20_000, "the first bytes");
    truncateSync(path("cut"), 10 * MIB);
    client.read(4 * MIB, 1);
    await until(() => client.over, "the end");
    const all = Buffer.concat(client.chunks);
    const body = all.subarray(all.indexOf("\r\n\r\n") + 4);
    assert.ok(body.length <= 10 * MIB, String(body.length));
    assert.equal(sha256(body), sha256(patterned(20 * MIB, 6).subarray(0, body.length)));
    assert.equal(site.server.stats().truncated, truncated + 1);
    client.close();
  });

  it("that grow while they are sent are as long as was said", async () => {
    writeFileSync(path("growing"), patterned(8 * MIB, 7));
    const client = new SlowClient(site.port);
    client.send(request("/growing", "Connection: close\r\n"));
    client.read(4096, 5);
    await until(() => client.length > 20_000, "the first bytes");
    writeFileSync(path("growing"), patterned(MIB), { flag: "a" });
    client.read(4 * MIB, 1);
    await until(() => client.over, "the end");
    const all = Buffer.concat(client.chunks);
    assert.equal(all.length - all.indexOf("\r\n\r\n") - 4, 8 * MIB);
    client.close();
  });

  it("that are not in the page cache arrive as they are", async () => {
    const bytes = patterned(5 * MIB, 8);
    for (
      const [name, content] of [["cold", bytes], ["cold-small", bytes.subarray(0, 5000)]] as const
    ) {
      writeFileSync(path(name), content);
      const fd = open(path(name), OpenFlag.RDONLY | OpenFlag.CLOEXEC);
      await dropFromCache(fd);
      close(fd);
      assert.equal(sha256((await site.get(`/${name}`)).body), sha256(content));
    }
  });

  it("that are not in the page cache arrive although no thread can be started for them", async () => {
    const file = new URL("./_fixtures/no_disk.ts", import.meta.url);
    const { code, stderr, stdout } = await runChild(file, { timeoutMs: 60_000 });
    assert.equal(code, 0, stderr);
    const [arrived, busy] = stdout.trim().split(" ");
    assert.equal(arrived, "true");
    // It once asked a thread that was not there again and again: a whole processor.
    assert.ok(Number(busy) < 50, `${busy} % busy afterwards`);
  });
});

describe("clients", () => {
  const site = serveSite();

  it("that stop reading hold nobody up, and get everything in the end", async () => {
    const slow = Array.from({ length: 20 }, () => new SlowClient(site.port));
    for (const client of slow) client.send(request("/large.bin", "Connection: close\r\n"));
    await until(() => site.server.stats().open >= 20, "the connections");
    for (let i = 0; i < 20; i++) assert.equal((await site.get("/file.txt")).status, 200);
    for (const client of slow) client.read(MIB, 1);
    const whole = sha256(patterned(LARGE_BYTES));
    for (const client of slow) {
      await until(() => client.over, "the end");
      const all = Buffer.concat(client.chunks);
      assert.equal(sha256(all.subarray(all.indexOf("\r\n\r\n") + 4)), whole);
      client.close();
    }
  });

  it("that break off leave nothing behind, and nobody gets what was theirs", async () => {
    // File `n` holds nothing but the byte `n`.
    for (let mark = 65; mark < 73; mark++) {
      writeFileSync(join(site.root, `mark-${mark}`), new Uint8Array(2 * MIB).fill(mark));
    }
    const abort = (n: number) =>
      new Promise<void>((resolve, reject) => {
        const mark = 65 + n % 8;
        const limit = n % 10 === 0 ? Infinity : (n * 7919) % (MIB / 2);
        let body = -1;
        const socket = connect(site.port, "127.0.0.1");
        socket.on("connect", () => {
          socket.write(request(`/mark-${mark}`, limit === Infinity ? "Connection: close\r\n" : ""));
          if (limit % 16 === 0) socket.destroy();
        });
        socket.on("data", (chunk: Buffer) => {
          if (body < 0) {
            chunk = chunk.subarray(chunk.indexOf("\r\n\r\n") + 4);
            body = 0;
          }
          body += chunk.length;
          if (chunk.some((byte) => byte !== mark)) reject(new Error(`not only ${mark}`));
          if (body > limit) socket.destroy();
        });
        socket.on("error", () => {});
        socket.on("close", () => {
          if (limit === Infinity && body !== 2 * MIB) reject(new Error(`${body} bytes`));
          resolve();
        });
      });
    const round = async (count: number) => {
      for (let n = 0; n < count; n += 10) {
        await Promise.all(Array.from({ length: 10 }, (_, i) => abort(n + i)));
      }
      await until(() => site.server.stats().open === 0, "the last connection to end");
    };
    await round(40);
    const before = openDescriptors().length;
    await round(300);
    for (let i = 0; i < 100 && openDescriptors().length > before; i++) await sleep(20);
    assert.ok(openDescriptors().length <= before, openDescriptors().join(" "));
    assert.equal((await site.get("/large.bin")).body.length, LARGE_BYTES);
  });

  it("that get errors, 304 and HEAD over and over leave no descriptor behind", async () => {
    const tag = (await site.get("/file.txt")).headers.get("etag")!;
    const round = async () => {
      const text = request("/none") + request("/file.txt", `If-None-Match: ${tag}\r\n`) +
        request("/file.txt", "Range: bytes=99-\r\n") + request("/dir") + request("/dir/") +
        request("/large.bin").replace("GET", "HEAD");
      const socket = connect(site.port, "127.0.0.1");
      socket.resume();
      socket.write(text.repeat(20) + request("/file.txt", "Connection: close\r\n"));
      await once(socket, "close");
    };
    await round();
    await until(() => site.server.stats().open === 0, "the connections to end");
    const before = openDescriptors().length;
    for (let i = 0; i < 9; i++) await round();
    await until(() => site.server.stats().open === 0, "the connections to end");
    for (let i = 0; i < 100 && openDescriptors().length > before; i++) await sleep(20);
    assert.ok(openDescriptors().length <= before, openDescriptors().join(" "));
  });
});
