import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodePath, isVisible, parseTarget } from "../../examples/file_server/target.ts";

describe("parseTarget()", () => {
  it("splits, decodes once, and keeps the query", () => {
    assert.deepEqual(parseTarget("/"), { names: [], folder: true, query: "" });
    assert.deepEqual(parseTarget("/a%20b/c%2525.txt?x=/../%00"), {
      names: ["a b", "c%25.txt"],
      folder: false,
      query: "?x=/../%00",
    });
    assert.deepEqual(parseTarget("/%C3%A4/"), { names: ["ä"], folder: true, query: "" });
  });

  it("takes the absolute form", () => {
    assert.deepEqual(parseTarget("http://host:80/a?b"), {
      names: ["a"],
      folder: false,
      query: "?b",
    });
    assert.deepEqual(parseTarget("http://host"), { names: [], folder: true, query: "" });
    assert.equal(parseTarget("http://host/../a"), 404);
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
      "/%61",
      "/a%7e",
    ]);
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
    .concat(["http:///a", "http://u@h/a", "http://a,b/a", "http://h:x/a"])
    .concat(["/a%0d%0ab", "/a\0b", "/%c0%ae%c0%ae/", "/%7f", "/a?b c"]);
  for (const target of malformed) {
    it(`refuses ${JSON.stringify(target)}`, () => assert.equal(parseTarget(target), 400));
  }
});

describe("encodePath()", () => {
  it("gives a path that leads back to the names", () => {
    const names = ["a b", "c%25", "<d>", "é", "e?f#g"];
    assert.deepEqual(parseTarget(encodePath(names)), { names, folder: false, query: "" });
  });
});

describe("isVisible()", () => {
  it("hides what could not be asked for", () => {
    for (const name of [".a", "..", "a\\b", "a\nb", "\ud800"]) assert.equal(isVisible(name), false);
    for (const name of ["a", "a.b", "-", "ä", "a:b", "<"]) assert.equal(isVisible(name), true);
  });
});
