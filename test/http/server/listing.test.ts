import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createFileServer, serveStatic } from "../../../src/http/mod.ts";
import { assertQuick } from "../../_kit/quick.ts";
import { fetchRaw } from "../../_kit/raw_http.ts";
import { makeSite, TWENTY } from "./_site.ts";

const JSON_TYPE = { Accept: "application/json" };
const MANY = 4500;

interface Page {
  readonly truncated: boolean;
  readonly page?: number;
  readonly pages?: number;
  readonly total?: number;
  readonly next?: string;
  readonly entries: { readonly name: string; readonly kind: string; readonly size?: number }[];
}

/** A folder with many files, served in both ways. */
async function withMany(
  body: (port: number, root: string, kind: string) => Promise<void>,
): Promise<void> {
  const site = makeSite();
  const many = join(site.root, "many");
  mkdirSync(many);
  for (let i = 0; i < MANY; i++) writeFileSync(join(many, `${i}.txt`), "x");
  mkdirSync(join(many, "z"));
  symlinkSync("0.txt", join(many, "link"));
  symlinkSync("/etc", join(many, "out"));
  const native = createFileServer({ root: site.root, listing: true });
  const files = serveStatic(site.root, { listing: true });
  const adapter = createServer((req, res) => files(req, res));
  await new Promise<void>((resolve) => adapter.listen(0, "127.0.0.1", resolve));
  try {
    await body((await native.listen()).port, site.root, "createFileServer");
    await body((adapter.address() as { port: number }).port, site.root, "serveStatic");
  } finally {
    await native.close({ graceMs: 0 });
    adapter.closeAllConnections();
    await new Promise((resolve) => adapter.close(resolve));
    site.remove();
  }
}

async function pageOf(port: number, target: string): Promise<Page> {
  const { body, status } = await fetchRaw(port, target, JSON_TYPE);
  assert.equal(status, 200, target);
  return JSON.parse(body.toString()) as Page;
}

describe("the listing of a folder with thousands of files", () => {
  it("has pages, which show every name once and in order", async () => {
    await withMany(async (port, _root, kind) => {
      const names: string[] = [];
      let target: string | undefined = "";
      for (let page = 1; target !== undefined; page++) {
        const found: Page = await pageOf(port, `/many/${target}`);
        assert.deepEqual([found.page, found.pages, found.total], [page, 3, MANY + 2], kind);
        assert.equal(found.truncated, page < 3);
        names.push(...found.entries.map(({ name }) => name));
        target = found.next;
      }
      const files = Array.from({ length: MANY }, (_, i) => `${i}.txt`);
      assert.deepEqual(names, ["z", ...files, "link"]);
      assert.equal((await fetchRaw(port, "/many/?page=4")).status, 404);
      assert.equal((await fetchRaw(port, "/many/?page=0")).status, 404);
      assert.equal((await fetchRaw(port, "/many/?page=x")).status, 200);
      const html = (await fetchRaw(port, "/many/?a=b&page=2")).body.toString();
      assert.match(html, /\?page=1"[^]*\?page=3"/);
      assert.match(html, /1999\.txt/);
      // A folder with less is as it was.
      assert.deepEqual(Object.keys(await pageOf(port, "/dir/deep/")), [
        "path",
        "truncated",
        "entries",
      ]);
    });
  });

  it("is in the wanted order over all pages, with folders first", async () => {
    await withMany(async (port, root, kind) => {
      // Grows from the last name to the first, and gets older with it.
      const sized = join(root, "sized");
      mkdirSync(join(sized, "folder"), { recursive: true });
      const count = 2001;
      for (let i = 0; i < count; i++) {
        const file = join(sized, String(i));
        writeFileSync(file, "x".repeat(count - i));
        utimesSync(file, 1e9 + i, 1e9 + i);
      }
      const rising = Array.from({ length: count }, (_, i) => String(i));
      const falling = rising.toReversed();
      const orders = { "name": rising, "-name": falling, "size": falling, "-size": rising };
      for (const [sort, files] of Object.entries({ ...orders, "time": rising, "-time": falling })) {
        const first = await pageOf(port, `/sized/?sort=${sort}`);
        const second = await pageOf(port, `/sized/${first.next}`);
        const names = [...first.entries, ...second.entries].map(({ name }) => name);
        assert.deepEqual(names, ["folder", ...files], `${kind}, ${sort}`);
        assert.equal(second.next, undefined);
        assert.equal((await fetchRaw(port, `/sized/?sort=${sort}&page=3`)).status, 404);
      }
      // Whatever is no order is no error.
      const other = await pageOf(port, "/sized/?sort=--size");
      assert.equal(other.entries[1]!.name, "0");
      const html = (await fetchRaw(port, "/sized/?sort=-size&page=2")).body.toString();
      assert.match(html, /href="\?sort=-size&#38;page=1"/);
      assert.equal((await fetchRaw(port, "/sized/?sort=size&page=1&x=<script>")).status, 200);
    });
  });

  it("shows a change at once, by name and after a moment by size", async () => {
    await withMany(async (port, root) => {
      const small = join(root, "plain");
      const names = async () => (await pageOf(port, "/plain/")).entries.map(({ name }) => name);
      const before = await names();
      writeFileSync(join(small, "new"), "12345");
      assert.deepEqual(await names(), [...before, "new"].sort());
      rmSync(join(small, "new"));
      assert.deepEqual(await names(), before);
      renameSync(small, join(root, "moved"));
      assert.equal((await fetchRaw(port, "/plain/")).status, 404);
      mkdirSync(small);
      assert.deepEqual(await names(), []);
      rmSync(small, { recursive: true });
      renameSync(join(root, "moved"), small);
      writeFileSync(join(small, "a:b"), "longer");
      await sleep(1100);
      const { entries } = await pageOf(port, "/plain/");
      assert.equal(entries.find(({ name }) => name === "a:b")!.size, 6);
    });
  });

  it("holds nobody else up, however many ask for it", async () => {
    await withMany(async (port, root) => {
      await assertQuick(500, async () => {
        // Names and pages that are kept are of no use now.
        writeFileSync(join(root, "many", `new${Math.random()}`), "");
        const greedy = Array.from({ length: 10 }, () => {
          const socket = connect(port, "127.0.0.1");
          socket.on("error", () => {});
          socket.resume();
          const request = (i: number) => `HEAD /many/?page=1&i=${i} HTTP/1.1\r\nHost: a\r\n\r\n`;
          socket.write(Array.from({ length: 64 }, (_, i) => request(i)).join(""));
          return socket;
        });
        await sleep(20);
        const began = performance.now();
        for (let i = 0; i < 5; i++) {
          assert.equal((await fetchRaw(port, "/file.txt")).body.toString(), TWENTY);
        }
        const took = (performance.now() - began) / 5;
        for (const socket of greedy) socket.destroy();
        return took;
      });
    });
  });

  it("is answered in the order of the requests, between files", async () => {
    await withMany(async (port) => {
      const socket = connect(port, "127.0.0.1");
      const targets = ["/file.txt", "/many/", "/file.txt", "/many/?page=3", "/dir/", "/plain/"];
      const request = (target: string, i: number) =>
        `GET ${target} HTTP/1.1\r\nHost: a\r\n${
          i === targets.length - 1 ? "Connection: close\r\n" : ""
        }\r\n`;
      socket.write(targets.map(request).join(""));
      let text = "";
      for await (const chunk of socket) text += (chunk as Buffer).toString("latin1");
      const order = text.match(/0123456789ABCDEFGHIJ|<h1>dir<\/h1>|Page \d of 3|>a:b</g);
      assert.deepEqual(order, [
        TWENTY,
        "Page 1 of 3",
        TWENTY,
        "Page 3 of 3",
        "<h1>dir</h1>",
        ">a:b<",
      ]);
    });
  });

  it("ends with a client that goes while it is made, and with the server", async () => {
    await withMany(async (port) => {
      for (let i = 0; i < 20; i++) {
        const socket = connect(port, "127.0.0.1");
        socket.on("error", () => {});
        socket.write("GET /many/ HTTP/1.1\r\nHost: a\r\n\r\n");
        socket.on("connect", () => setTimeout(() => socket.destroy(), i % 5));
      }
      await sleep(100);
      assert.equal((await fetchRaw(port, "/file.txt")).status, 200);
      const last = connect(port, "127.0.0.1");
      last.on("error", () => {});
      last.write("GET /many/?page=2 HTTP/1.1\r\nHost: a\r\n\r\n");
    });
  });
});
