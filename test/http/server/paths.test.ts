import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { SECRET, serveSite, TWENTY } from "./_site.ts";

describe("paths", () => {
  const site = serveSite({ listing: true });

  it("lead nowhere out of the root", async () => {
    for (
      const target of [
        "/../outside.txt",
        "/%2e%2e/outside.txt",
        "/..%2foutside.txt",
        "/%2e%2e%2foutside.txt",
        "/..%5coutside.txt",
        "/..\\outside.txt",
        "/..;/outside.txt",
        "/%c0%ae%c0%ae/outside.txt",
        "/%252e%252e/outside.txt",
        "/....//outside.txt",
        "//etc/passwd",
        "/dir/../../outside.txt",
        "/./../outside.txt",
        "/../www-secret/x",
        "/dir/%2e%2e/%2e%2e/outside.txt",
        "http://a/../outside.txt",
        "/link.txt",
        "/linked/x",
        "/linked/",
        "/etc/passwd",
        "/.hidden",
        "/%2ehidden",
        "/dir//index.html",
        "/dir/./index.html",
        "/dir%2findex.html",
      ]
    ) {
      const { body, status } = await site.get(target);
      assert.ok([400, 403, 404].includes(status), `${target}: ${status}`);
      assert.ok(!body.toString().includes(SECRET), target);
      assert.doesNotMatch(body.toString(), /root:/, target);
    }
  });

  it("are decoded once", async () => {
    assert.equal((await site.get("/a%2520b.txt")).body.toString(), "a percent sign in its name");
    assert.equal((await site.get("/a%20b.txt")).body.toString(), "a space in its name");
    assert.equal((await site.get("/dir/deep/%C3%BC.txt")).body.toString(), "deep");
    assert.equal((await site.get("/file.txt?a=b")).body.toString(), TWENTY);
    assert.equal((await site.get("/inner.txt")).body.toString(), TWENTY);
    assert.equal((await site.get("http://elsewhere/file.txt")).body.toString(), TWENTY);
  });

  it("that are none are refused", async () => {
    for (const target of ["/%00", "/file.txt%00", "/%zz", "/%", "/%f", "/a%0ab", "file.txt", "*"]) {
      assert.equal((await site.get(target)).status, 400, target);
    }
    for (const target of ["/%ff", "/file.txt/", `/${"a".repeat(256)}`, `/${"a/".repeat(3000)}`]) {
      assert.match(String((await site.get(target)).status), /^40[04]$/, target.slice(0, 20));
    }
  });

  it("of folders lead to the folder, and to no other host", async () => {
    const { headers, status } = await site.get("/dir?a=b");
    assert.equal(status, 301);
    const location = new URL(headers.get("location")!, "http://here/dir?a=b");
    assert.equal(location.href, "http://here/dir/?a=b");
    assert.equal((await site.get("/dir/")).body.toString(), "<h1>dir</h1>");
    for (const target of ["//evil.com/%2e%2e", "/\\evil.com/..", "//evil.com/..;/", "//evil.com"]) {
      const answer = await site.get(target);
      const to = answer.headers.get("location");
      assert.ok(to === undefined || !/^[/\\]{2}/.test(to), target);
      assert.ok(!answer.body.includes("<"), target);
    }
  });

  it("of listings that are larger than any buffer get all of it", async () => {
    const names = Array.from({ length: 1500 }, (_, i) => `${"n".repeat(100)}${i}`);
    mkdirSync(join(site.root, "many"));
    for (const name of names) writeFileSync(join(site.root, "many", name), "");
    const page = await site.get("/many/");
    assert.ok(page.body.length > 256 * 1024);
    assert.match(page.body.toString(), /<\/html>\s*$/);
    const json = await site.get("/many/", { Accept: "application/json" });
    const { entries } = JSON.parse(json.body.toString());
    assert.deepEqual(entries.map(({ name }: { name: string }) => name).sort(), names.sort());
  });

  it("of listings show names as text", async () => {
    const page = (await site.get("/plain/")).body.toString();
    assert.ok(!page.includes("<img src=x"), page);
    assert.match(page, /href="\.\/a%3Ab"/);
    assert.ok(!(await site.get("/")).body.includes("./.hidden"));
    const json = await site.get("/plain/", { Accept: "application/json" });
    const { entries } = JSON.parse(json.body.toString());
    assert.deepEqual(entries.map(({ name }: { name: string }) => name).sort(), [
      "<img src=x onerror=1>.txt",
      "a:b",
    ]);
  });

  it("of what is no file are nothing, and hold nobody up", async () => {
    execFileSync("mkfifo", [join(site.root, "fifo")]);
    symlinkSync("/dev/zero", join(site.root, "zero"));
    symlinkSync("/proc/self/status", join(site.root, "status"));
    for (const target of ["/fifo", "/zero", "/status"]) {
      assert.equal((await site.get(target)).status, 404, target);
    }
  });

  it("do not tell what is outside", async () => {
    const shape = async (target: string) => {
      const { body, status } = await site.get(target);
      return [status, body.toString()];
    };
    assert.deepEqual(await shape("/linked/x"), await shape("/linked/none"));
    assert.deepEqual(await shape("/../outside.txt"), await shape("/../none.txt"));
  });
});

describe("methods", () => {
  const site = serveSite();

  it("other than GET and HEAD are refused with what is allowed", async () => {
    for (const method of ["POST", "PUT", "DELETE", "TRACE", "PATCH", "BREW", "get"]) {
      const { headers, status } = await site.get("/file.txt", {}, method);
      assert.equal(status, 405, method);
      assert.equal(headers.get("allow"), "GET, HEAD, OPTIONS");
    }
    assert.equal((await site.get("*", {}, "OPTIONS")).status, 204);
    assert.match(String((await site.get("a:80", {}, "CONNECT")).status), /^40[05]$/);
  });
});

describe("an application of one page", () => {
  const site = serveSite({ spa: "dir/index.html" });

  it("gets every page that is not there", async () => {
    for (let i = 0; i < 2; i++) {
      const page = await site.get("/some/route", { Accept: "text/html" });
      assert.equal(page.body.toString(), "<h1>dir</h1>");
      assert.equal((await site.get("/some/route", { Accept: "image/png" })).status, 404);
      assert.equal((await site.get("/some/script.js")).status, 404);
      // Of the same length as the page's own path, and of none.
      for (const target of ["/some/route/xyz", "/"]) {
        assert.equal((await site.get(target, { Accept: "text/html" })).status, 200);
        assert.equal((await site.get(target, { Accept: "image/png" })).status, 404, target);
      }
    }
  });
});
