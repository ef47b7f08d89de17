import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Place } from "../_kit/compare.ts";

describe("what sluice compare prints", () => {
  const place = new Place();

  it("feeds a pipe and two sockets, and says it in a table", async () => {
    const methods = ["--methods", "tee,transfer,broadcast"];
    const some = [...methods, "--rounds", "2", "--cache", "warm"];
    const { code, stdout, stderr } = await place.run(place.file, "--to", "pipe,two", ...some);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^Into a pipe, file in the page cache$/m);
    assert.match(stdout, /^Into two TCP sockets at once, file in the page cache$/m);
    assert.match(stdout, /^ {2}splice \+ tee +[\d.]+ \(/m);
    for (const own of ["transfer", "broadcast"]) {
      assert.match(stdout, new RegExp(`^ {2}sluice ${own}\\(\\) +[\\d.]+ \\(`, "m"), own);
    }
    assert.match(stdout, /^ {2}no advice: 2 rounds are too few; it takes at least 3$/m);
    assert.deepEqual(place.made(), []);
  });

  it("says in one line that a file is too small, and advises nothing", async () => {
    const file = join(place.folder, "small <b>.txt");
    writeFileSync(file, "6 byte");
    const page = join(place.folder, "small.html");
    const { code, stdout, stderr } = await place.run(file, "--html", page);
    assert.equal(code, 0, stderr);
    const line = `${file} is too small to measure: it has 6 B, and sluice compare measures files ` +
      "from 1 MB";
    assert.equal(stdout, `${line}\n\nWrote the page ${page}\n`);
    assert.equal(stderr, "");
    const text = readFileSync(page, "utf8");
    assert.ok(text.includes(`${line.replace("<", "&lt;")}.`), text);
    assert.doesNotMatch(text, /<svg|<table|choose|CPU-s/);
    assert.deepEqual(place.made(), []);
  });

  it("writes a page that needs nothing else", async () => {
    const page = join(place.folder, "page.html");
    const some = ["--methods", "sendfile,stream,direct", "--rounds", "1"];
    const where = ["--size", "1", "--to", "socket", "--html", page];
    const { code, stdout, stderr } = await place.run(...where, ...some);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Wrote the page /);
    const text = readFileSync(page, "utf8");
    assert.match(text, /^<!doctype html>/);
    assert.doesNotMatch(text, /<script|<link|<img|@import|(?:src|href)="|url\(/);
    assert.ok((text.match(/<svg /g) ?? []).length >= 5, "charts and pictures are missing");
    for (const label of ["sendfile", "createReadStream().pipe()", "O_DIRECT + write"]) {
      assert.ok(text.includes(label), label);
    }
    assert.doesNotMatch(text, /undefined|NaN|Infinity/);
  });
});
