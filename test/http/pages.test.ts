import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createFileServer, type FileServer, serveStatic } from "../../src/http/mod.ts";
import { accessibilityFaults } from "../_kit/accessible.ts";
import { NO_BROWSER, openPage } from "../_kit/browser.ts";
import { fetchRaw } from "../_kit/raw_http.ts";

const BROWSER = { Accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
const SCRIPT = '<script src="/-/x.js"></script>';

describe("pages that the server makes", () => {
  let root = "";
  const servers: FileServer[] = [];
  let adapter: Server;
  /** Ports: the file server, the same with `appendHtml`, and the adapter of node:http. */
  const ports: number[] = [];
  const big = `<!doctype html><p>${"x".repeat(300_000)}`;

  before(async () => {
    root = mkdtempSync(join(tmpdir(), "sluice-"));
    for (const folder of ["dir", "empty"]) mkdirSync(join(root, folder));
    const files = { "a.html": "<p>a", "a.html.gz": "zipped", "big.html": big, "none.html": "" };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
    writeFileSync(join(root, "plain.txt"), "plain");
    const site = { root, listing: true, dotfiles: "deny", precompressed: true } as const;
    for (const more of [{}, { appendHtml: SCRIPT }]) {
      servers.push(createFileServer({ ...site, ...more }));
      ports.push((await servers.at(-1)!.listen()).port);
    }
    const handler = serveStatic(root, { appendHtml: SCRIPT, listing: true });
    adapter = createServer((req, res) => handler(req, res)).listen(0, "127.0.0.1");
    await new Promise((resolve) => adapter.once("listening", resolve));
    ports.push((adapter.address() as { port: number }).port);
  });
  after(async () => {
    for (const server of servers) await server.close({ graceMs: 0 });
    adapter.closeAllConnections();
    adapter.close();
    rmSync(root, { recursive: true });
  });

  it("show errors to browsers, and a line of text to other clients", async () => {
    const [port] = ports as [number];
    for (const [target, status] of [["/missing", 404], ["/.env", 403], ["/%2f", 404]] as const) {
      for (const accept of ["", "*/*", "application/json", "image/png,*/*", "text/html;q=0"]) {
        const { body, headers, status: found } = await fetchRaw(port, target, { Accept: accept });
        assert.equal(found, status);
        assert.match(body.toString(), /^\d{3} [A-Z][\w ]+\n$/);
        assert.equal(headers.get("content-type"), "text/plain; charset=utf-8");
        assert.equal(headers.get("vary"), "Accept");
      }
      const { body, headers, status: found } = await fetchRaw(port, target, BROWSER);
      const page = body.toString();
      assert.equal(found, status);
      assert.equal(headers.get("content-type"), "text/html; charset=utf-8");
      assert.equal(headers.get("x-content-type-options"), "nosniff");
      assert.match(page, new RegExp(`<title>${status} [A-Z][^<]+</title>`));
      assert.match(page, /Content-Security-Policy" content="default-src 'none'/);
      // Neither the target nor the file system shows.
      for (const text of ["missing", ".env", root, "sluice-"]) assert.ok(!page.includes(text));
    }
    const address = `http://127.0.0.1:${port}/a.html`;
    const posted = await fetch(address, { method: "POST", headers: BROWSER });
    assert.equal(posted.status, 405);
    assert.equal(posted.headers.get("allow"), "GET, HEAD, OPTIONS");
    assert.match(await posted.text(), /<h1>Not possible here/);
    assert.equal(await (await fetch(address, { method: "POST" })).text(), "");
    const head = await fetch(`http://127.0.0.1:${port}/missing`, {
      method: "HEAD",
      headers: BROWSER,
    });
    assert.ok(Number(head.headers.get("content-length")) > 1000);
    assert.equal(await head.text(), "");
  });

  it("and files get `appendHtml`, with the right length and no validators", async () => {
    for (const port of ports.slice(1)) {
      const full = { "/a.html": "<p>a", "/big.html": big, "/none.html": "" };
      for (let round = 0; round < 2; round++) {
        for (const [target, text] of Object.entries(full)) {
          const conditions = {
            "Range": "bytes=0-1",
            "If-Modified-Since": new Date().toUTCString(),
          };
          for (const more of [{}, conditions, { "Accept-Encoding": "gzip" }]) {
            const { body, headers, status } = await fetchRaw(port, target, more);
            assert.equal(status, 200, target);
            assert.equal(body.toString(), text + SCRIPT);
            assert.equal(headers.get("cache-control"), "no-store");
            for (const name of ["etag", "last-modified", "accept-ranges", "content-encoding"]) {
              assert.equal(headers.get(name), undefined, name);
            }
          }
          const url = `http://127.0.0.1:${port}${target}`;
          const head = await fetch(url, { method: "HEAD" });
          await head.text();
          assert.equal(head.headers.get("content-length"), String(text.length + SCRIPT.length));
        }
      }
      const plain = await fetchRaw(port, "/plain.txt");
      assert.equal(plain.body.toString(), "plain");
      assert.ok(plain.headers.has("etag"));
      for (const target of ["/", "/empty/", "/missing"]) {
        const { body } = await fetchRaw(port, target, BROWSER);
        assert.ok(body.toString().endsWith(`</html>\n${SCRIPT}`), target);
      }
      for (const target of ["/", "/missing"]) {
        const { body } = await fetchRaw(port, target, { Accept: "application/json" });
        assert.ok(!body.toString().includes("<script"), target);
      }
    }
    const files = serveStatic(root, { appendHtml: SCRIPT });
    const response = await files(new Request("http://a/a.html"));
    assert.equal(await response.text(), `<p>a${SCRIPT}`);
    files.close();
  });

  it("refuse options of the wrong type", () => {
    for (const option of ["title", "appendHtml"]) {
      assert.throws(
        () => createFileServer({ root, [option]: 1 }),
        { name: "TypeError", message: `Cannot serve files: ${option} must be text, not number 1` },
      );
    }
  });

  it("can be used by everybody", { skip: NO_BROWSER }, async () => {
    const { faults, page } = await openPage();
    for (const target of ["/missing", "/.env"]) {
      await page.goto(`http://127.0.0.1:${ports[0]}${target}`);
      assert.deepEqual(await accessibilityFaults(page), []);
    }
    assert.deepEqual(faults, []);
    await page.close();
  });
});
