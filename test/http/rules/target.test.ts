import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compilePattern } from "../../../src/http/rules/by_path/pattern.ts";
import { compileRedirects, redirected } from "../../../src/http/rules/by_path/redirects.ts";
import { encodePath, isVisible, parseTarget } from "../../../src/http/rules/target.ts";
import { assertQuick } from "../../_kit/quick.ts";

describe("parseTarget()", () => {
  it("splits, decodes once, and keeps the query", () => {
    assert.deepEqual(parseTarget("/"), { names: [], folder: true, query: "" });
    assert.deepEqual(parseTarget("/a/b.c"), { names: ["a", "b.c"], folder: false, query: "" });
    assert.deepEqual(parseTarget("/a%20b/c%2525.txt?x=/../%00"), {
      names: ["a b", "c%25.txt"],
      folder: false,
      query: "?x=/../%00",
    });
    assert.deepEqual(parseTarget("/%C3%A4/"), { names: ["ä"], folder: true, query: "" });
    assert.deepEqual(parseTarget("/a/?"), { names: ["a"], folder: true, query: "?" });
  });

  it("takes the absolute form", () => {
    const target = parseTarget("http://host:80/a?b");
    assert.deepEqual(target, { names: ["a"], folder: false, query: "?b" });
    for (const root of ["http://host", "http://host/", "HTTPS://host"]) {
      assert.deepEqual(parseTarget(root), { names: [], folder: true, query: "" });
    }
    assert.equal(parseTarget("http://host/../a"), 404);
    assert.deepEqual(parseTarget("http://host?q"), { names: [], folder: true, query: "?q" });
    assert.deepEqual(parseTarget("http://[::1]:80/a"), { names: ["a"], folder: false, query: "" });
    for (const authority of ["", "u@h", "a,b", "h:x", "evil:80:80", "[[]x]", ";", "h\\a", "%61"]) {
      assert.equal(parseTarget(`http://${authority}/a`), 400, authority);
    }
  });

  it("finds nothing where an unreserved character is escaped, and only there", () => {
    for (let code = 0x20; code < 0x7f; code++) {
      const character = String.fromCharCode(code);
      const escape = `%${code.toString(16)}`;
      for (const name of [`a${escape}`, `a${escape.toUpperCase()}b`]) {
        const unneeded = /[\w\-.~]/.test(character) || character === "/" || character === "\\";
        assert.equal(parseTarget(`/${name}`) === 404, unneeded, name);
      }
    }
    assert.deepEqual(parseTarget("/a%2561"), { names: ["a%61"], folder: false, query: "" });
  });

  const notFound = [
    "//",
    "//etc/passwd",
    "/..",
    "/../a",
    "/a/../b",
    "/./a",
    "/a//b",
    "/.git/config",
  ]
    .concat([
      "/%2e%2e/a",
      "/..%2fa",
      "/a%2fb",
      "/..%5ca",
      "/..\\a",
      "/....//a",
      "/..;/a",
      "/%2egit",
    ])
    .concat(["/a/.well-known/b", "/.", "/a/.", "/a/..", "//evil.com/%2e%2e", "/\\evil.com/.."]);
  for (const target of notFound) {
    it(`finds nothing at ${target}`, () => assert.equal(parseTarget(target), 404));
  }

  const malformed = [
    "",
    "*",
    "a",
    "a/b",
    "?a",
    "ftp://host/a",
    "/a#b",
    "/%",
    "/%zz",
    "/%ff",
    "/%00",
  ]
    .concat(["/a%0d%0ab", "/a\0b", "/%c0%ae%c0%ae/", "/%7f", "/a?b c", "/a b", "/ä", "/a\x7f"])
    .concat(["/%ed%a0%80", "/a%", "/a%2", "http:/a", "//host\\a b"]);
  for (const target of malformed) {
    it(`refuses ${JSON.stringify(target)}`, () => assert.equal(parseTarget(target), 400));
  }

  it("hides, refuses or gives away names that begin with a dot", () => {
    assert.equal(parseTarget("/.env"), 404);
    assert.equal(parseTarget("/.env", "deny"), 403);
    assert.deepEqual(parseTarget("/a/.env", "allow"), {
      names: ["a", ".env"],
      folder: false,
      query: "",
    });
    for (const policy of ["allow", "deny", "ignore"] as const) {
      assert.equal(parseTarget("/a/../b", policy), 404);
      assert.equal(parseTarget("/%00/.env", policy), 400);
      assert.deepEqual(parseTarget("/.well-known/x", policy), {
        names: [".well-known", "x"],
        folder: false,
        query: "",
      });
    }
  });

  it("finds nothing at a path that is longer than any can be", () => {
    assert.equal(parseTarget(`/${"a/".repeat(2048)}`), 404);
    assert.equal(parseTarget(`/${"%61/".repeat(12_000)}`), 404);
  });
});

describe("encodePath()", () => {
  it("gives a path that leads back to the names", () => {
    const names = ["a b", "c%25", "<d>", "é", "e?f#g", "a:b", "'\""];
    assert.deepEqual(parseTarget(encodePath(names)), { names, folder: false, query: "" });
  });
});

describe("isVisible()", () => {
  it("hides what could not be asked for", () => {
    for (const name of [".a", "..", "a\\b", "a\nb", "\ud800"]) assert.equal(isVisible(name), false);
    for (const name of ["a", "a.b", "-", "ä", "a:b", "<"]) assert.equal(isVisible(name), true);
    assert.equal(isVisible(".a", "allow"), true);
    assert.equal(isVisible("..", "allow"), false);
  });
});

describe("compilePattern()", () => {
  it("knows whole paths, names and the rest of a path", () => {
    const match = (pattern: string, path: string) => {
      const found = compilePattern(pattern)(path);
      return found && { ...found };
    };
    assert.deepEqual(match("/a.b", "/a.b"), {});
    assert.equal(match("/a.b", "/axb"), undefined);
    assert.deepEqual(match("/:year/:slug", "/2026/x y"), { year: "2026", slug: "x y" });
    assert.equal(match("/:year", "/2026/x"), undefined);
    assert.deepEqual(match("/docs/*", "/docs/a/b"), { splat: "a/b" });
    assert.deepEqual(match("/docs/*", "/docs/"), { splat: "" });
    assert.equal(match("/docs/*", "/doc"), undefined);
    assert.deepEqual(match("/*.(js)", "/a/b.(js)"), { splat: "a/b" });
    assert.deepEqual(match("/a:b", "/a:b"), {});
  });

  it("answers the longest path at once", () =>
    assertQuick(100, () => {
      const matches = compilePattern("/*/x/:a");
      const began = performance.now();
      assert.equal(matches("/x".repeat(4000) + "/"), undefined);
      return performance.now() - began;
    }));
});

describe("redirected()", () => {
  const at = (names: string[], query = "") => ({ names, folder: false, query });
  const rules = compileRedirects([
    { from: "/old/", to: "/new" },
    { from: "/blog/:slug", to: "/posts/:slug?from=blog", status: 302 },
    { from: "/docs/*", to: "https://docs.example/v1/:splat", force: true },
    { from: "/app/*", to: "/app.html", status: 200 },
  ]);

  it("fills in what has matched, escaped, and passes a query on", () => {
    assert.deepEqual(redirected(at(["old"], "?a=1"), rules, false), {
      location: "/new?a=1",
      status: 301,
    });
    assert.deepEqual(redirected(at(["blog", "ü b\r\n"], "?a=1"), rules, false), {
      location: "/posts/%C3%BC%20b%0D%0A?from=blog",
      status: 302,
    });
    const docs = at(["docs", "a", "b?c"]);
    assert.deepEqual(redirected(docs, rules, true), {
      location: "https://docs.example/v1/a/b%3Fc",
      status: 301,
    });
    assert.equal(redirected(docs, rules, false), undefined);
    assert.deepEqual(redirected(at(["app", "x"]), rules, false), { path: "app.html", status: 200 });
    assert.equal(redirected(at(["none"]), rules, false), undefined);
  });
});
