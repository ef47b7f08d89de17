import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createFileServer } from "../../../../src/http/server/control/file_server.ts";
import type { RequestEvent } from "../../../../src/http/server/thread/log_format.ts";
import { Sampler } from "../../../../src/http/server/thread/sampler.ts";
import type { FileServerOptions } from "../../../../src/http/server/control/options.ts";
import { fetchRaw, talk } from "../../../_kit/raw_http.ts";
import { SlowClient } from "../../../_kit/slow_client.ts";
import { LARGE_BYTES, makeSite } from "../_site.ts";

/** Runs `body` with a server, and returns the server's whole log. */
async function logged(
  format: "combined" | "json",
  body: (port: number) => Promise<void>,
  more: Partial<FileServerOptions> = {},
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  const path = join(folder, "access.log");
  const descriptor = openSync(path, "a");
  const site = makeSite();
  try {
    const server = createFileServer({ root: site.root, log: { descriptor, format }, ...more });
    await body((await server.listen()).port);
    await server.close({ graceMs: 500 });
    return readFileSync(path, "utf8");
  } finally {
    closeSync(descriptor);
    site.remove();
    rmSync(folder, { recursive: true });
  }
}

describe("the access log", () => {
  it("has a line for each request in the format of Apache, and nothing that clients forge", async () => {
    const text = await logged("combined", async (port) => {
      await fetchRaw(port, "/file.txt", {
        "User-Agent": 'a "quoted" \\ agent\x80',
        "Referer": "r",
      });
      await fetchRaw(port, "/large.bin");
      await fetchRaw(port, "/none", {}, "HEAD");
      await talk(port, "nonsense\r\n\r\n");
    });
    const lines = text.trimEnd().split("\n");
    const date = String.raw`127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\]`;
    assert.equal(lines.length, 4, text);
    assert.match(
      lines[0]!,
      new RegExp(
        `^${date} "GET /file.txt HTTP/1.1" 200 20 "r" "a \\\\x22quoted\\\\x22 \\\\x5C agent\\\\x80"$`,
      ),
    );
    assert.match(lines[1]!, new RegExp(`"GET /large.bin HTTP/1.1" 200 ${LARGE_BYTES} "-" "-"$`));
    assert.match(lines[2]!, /"HEAD \/none HTTP\/1\.1" 404 0 /);
    assert.match(lines[3]!, /"-" 400 \d+ /);
  });

  it("counts the bytes that were really sent", async () => {
    const text = await logged("json", async (port) => {
      const client = new SlowClient(port);
      client.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
      client.read(4096, 1);
      for (const end = Date.now() + 10_000; client.length < 50_000 && Date.now() < end;) {
        await sleep(5);
      }
      client.close();
      await fetchRaw(port, "/file.txt");
    });
    const events = text.trimEnd().split("\n").map((line) => JSON.parse(line));
    const cut = events.find(({ target }) => target === "/large.bin");
    assert.equal(cut.state, "aborted");
    assert.ok(cut.bytes > 40_000 && cut.bytes < LARGE_BYTES, String(cut.bytes));
    assert.equal(cut.total, LARGE_BYTES);
    const { bytes, state, status, transfer } = events.find(({ target }) => target === "/file.txt");
    assert.deepEqual([bytes, state, status, transfer], [20, "done", 200, "memory"]);
  });

  it("of pipelined requests counts each", async () => {
    const text = await logged("json", async (port) => {
      const one = (target: string) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
      await talk(
        port,
        one("/file.txt").repeat(3) + one("/large.bin") + one("/none") +
          "GET /empty.txt HTTP/1.0\r\n\r\n",
      );
    });
    const events = text.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(events.map(({ bytes }) => bytes), [20, 20, 20, LARGE_BYTES, 14, 0]);
  });
});

describe("onRequest", () => {
  it("is called for each request, and while large ones are sent", async () => {
    const events: RequestEvent[] = [];
    await logged("json", async (port) => {
      await fetchRaw(port, "/file.txt");
      const client = new SlowClient(port);
      client.send("GET /large.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      client.read(16 * 1024, 1);
      const running = () => events.some(({ state }) => state === "running");
      for (const end = Date.now() + 20_000; !running() && Date.now() < end;) await sleep(5);
      client.read(1024 * 1024, 1);
      for (const end = Date.now() + 20_000; !client.over && Date.now() < end;) await sleep(5);
      client.close();
    }, { onRequest: (event) => void events.push(event), threads: 2 });
    const done = events.filter(({ state }) => state === "done");
    assert.deepEqual(done.map(({ target }) => target), ["/file.txt", "/large.bin"]);
    const { bytes, total } = events.find(({ state }) => state === "running")!;
    assert.ok(bytes > 0 && bytes < total && total === LARGE_BYTES);
    assert.equal(typeof done[0]!.time, "number");
    assert.ok(done[1]!.durationMs > 0);
  });

  it("is called for no more requests per second than eventsPerSecond, and for large ones", async () => {
    const events: RequestEvent[] = [];
    let counted = 0;
    const site = makeSite();
    const server = createFileServer({
      root: site.root,
      onRequest: (event) => void events.push(event),
      eventsPerSecond: 2,
    });
    const { port } = await server.listen();
    try {
      const one = (target: string) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
      const text = one("/file.txt").repeat(200) + one("/none").repeat(200) + one("/large.bin");
      await talk(
        port,
        text + one("/file.txt").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
      );
    } finally {
      await server.close({ graceMs: 500 });
      counted = server.stats().requests;
      site.remove();
    }
    assert.equal(counted, 402);
    const of = (target: string) => events.filter((event) => event.target === target);
    // A slow machine may need several seconds.
    for (const target of ["/file.txt", "/none"]) {
      assert.ok(of(target).length >= 2 && of(target).length < 100, `${of(target).length}`);
    }
    for (const { bytes, state, target } of events) {
      if (state === "done" && target === "/large.bin") assert.equal(bytes, LARGE_BYTES);
    }
  });

  it("refuses a rate that is none", () => {
    for (const eventsPerSecond of [-1, 0.5, NaN]) {
      assert.throws(() => createFileServer({ root: ".", eventsPerSecond }), RangeError);
    }
  });
});

describe("a sampler", () => {
  it("lets some requests of each second pass, and as many failed ones", () => {
    const sampler = new Sampler(2);
    const take = (status: number, now: number) =>
      [1, 2, 3].map(() => sampler.takes(status, now)).join();
    assert.equal(take(200, 0), "true,true,false");
    assert.equal(take(404, 500), "true,true,false");
    assert.equal(take(200, 999), "false,false,false");
    assert.equal(take(304, 1000), "true,true,false");
  });

  it("always lets those pass that were slow or cut short", () => {
    const none = new Sampler(0);
    const end = { status: 200, durationMs: 10, state: "done" } as const;
    assert.equal(none.takesEnd(end, 0), false);
    assert.equal(none.takesEnd({ ...end, durationMs: 1000 }, 0), true);
    assert.equal(none.takesEnd({ ...end, state: "aborted" }, 0), true);
    assert.equal(none.takesEnd({ ...end, status: 500 }, 0), false);
    assert.equal(new Sampler(Infinity).takesEnd(end, 0), true);
  });
});
