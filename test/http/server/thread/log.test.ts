import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createFileServer } from "../../../../src/http/server/control/file_server.ts";
import type { RequestEvent } from "../../../../src/http/server/thread/log_format.ts";
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
});
