import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodePath, isVisible, parseTarget } from "../../../src/http/rules/target.ts";

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
