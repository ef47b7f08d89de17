import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { kindOf } from "../../../src/http/listing/kinds.ts";
import { listingPage } from "../../../src/http/listing/page.ts";
import { formatBytes, formatTime, printable } from "../../../src/http/listing/text.ts";

const entry = (name: string, size = 1) => ({ name, kind: "file" as const, size, modifiedMs: 0 });

describe("listingPage()", () => {
  it("shows names as text, and links to them from where it is", () => {
    const names = ["<b>&\"'", "a:b", "100%", "ü?#", "-rf", "a\nb"];
    const page = listingPage({
      names: ["<x>"],
      entries: names.map((n) => entry(n)),
      truncated: false,
    });
    assert.doesNotMatch(page, /<b>|<x>/);
    for (const href of ["a%3Ab", "100%25", "%C3%BC%3F%23", "-rf", "a%0Ab", "%3Cb%3E%26%22'"]) {
      assert.ok(page.includes(`href="./${href}"`), href);
    }
    assert.match(page, /href="\.\.\/"/);
  });

  it("shows what would deceive: lone surrogates, line breaks, changed directions", () => {
    const names = ["photo\u202egpj.exe", "a\nb", "\u0000", "\ud800", "a\u200bb", "שלום.txt"];
    const page = listingPage({ names: [], entries: names.map((n) => entry(n)), truncated: false });
    // deno-lint-ignore no-control-regex -- they must not be there
    assert.doesNotMatch(page, /[\u0000\u202e\u200b\ud800]|a\nb/);
    for (const text of ["photo⟨U+202E⟩gpj.exe", "a␊b", "a⟨U+200B⟩b", "<bdi>שלום.txt</bdi>"]) {
      assert.ok(page.includes(text), text);
    }
    assert.equal(printable("plain ünïcödé 🎉"), "plain ünïcödé 🎉");
  });

  it("names the folder, and keeps the order on all pages", () => {
    const rest = { entries: [entry("a")], truncated: true, page: 2, pages: 4, total: 8000 };
    const page = listingPage({ ...rest, names: ["b", "c&d"], title: "<T>", sort: "-time" });
    assert.match(page, /<title>&#60;T&#62;\/b\/c&#38;d\/<\/title>/);
    assert.match(page, /<a href="\.\.\/\.\.\/"><bdi>&#60;T&#62;<\/bdi><\/a>/);
    assert.match(page, /aria-current="page"><bdi>c&#38;d<\/bdi>/);
    for (const number of [1, 3, 4]) {
      assert.ok(page.includes(`href="?sort=-time&#38;page=${number}"`), String(number));
    }
    assert.match(page, /aria-sort="descending"><a href="\?sort=time">Changed/);
    assert.match(page, /8000 entries on all/);
  });

  it("allows its own script and style, and no others", () => {
    const listing = { names: [], entries: [entry("a.png")], truncated: false };
    const policy = (page: string) => /Content-Security-Policy" content="([^"]+)"/.exec(page)![1]!;
    const plain = policy(listingPage(listing));
    assert.match(plain, /^default-src 'none'; .*script-src 'sha256-[\w+/]{43}='$/);
    assert.doesNotMatch(plain, /unsafe|\*/);
    const live = policy(listingPage({ ...listing, appended: "<script src=/x></script>" }));
    assert.match(live, /script-src 'sha256-[^;]+ 'self'; connect-src 'self'$/);
  });

  it("shows images of up to 4 MiB as they are, once they are in view", () => {
    const entries = [entry("a.png"), entry("b.png", 4 * 1024 * 1024 + 1), entry("c.png", 0)];
    const page = listingPage({ names: [], entries, truncated: false });
    assert.equal(page.match(/<img /g)!.length, 1);
    assert.match(page, /<img src="\.\/a\.png" alt="" loading="lazy"/);
  });

  it("sums up, and says when something is left out", () => {
    const entries = [{ ...entry("a"), kind: "folder" as const, size: 0 }, entry("b", 2048)];
    assert.match(
      listingPage({ names: [], entries, truncated: true }),
      /1 folder, 1 file, 2\.00 KiB, and more/,
    );
    assert.match(listingPage({ names: [], entries: [], truncated: false }), /<p id="none">Nothing/);
  });

  it("loads nothing else", () => {
    const page = listingPage({ names: [], entries: [entry("a")], truncated: false });
    assert.doesNotMatch(page, /https?:(?!\/\/www\.w3\.org\/2000\/svg")|src="|@import|url\(/);
  });
});

describe("kindOf()", () => {
  it("tells by the name", () => {
    const kinds = ["a.png", "a.mp4", "a.mp3", "a.ts", "a.tar.gz", "a.pdf", "README", "a.bin", "a"];
    assert.deepEqual(kinds.map((name) => kindOf(entry(name))), [
      ...["image", "video", "audio", "code", "archive", "document", "text", "file", "file"],
    ]);
  });
});

describe("sizes and times", () => {
  it("have three digits, and no exception", () => {
    assert.deepEqual([0, 1023, 1024, 1536, 10240, 1e9, 2 ** 52].map(formatBytes), [
      ...["0 B", "1023 B", "1.00 KiB", "1.50 KiB", "10.0 KiB", "954 MiB", "4.00 PiB"],
    ]);
    assert.equal(formatTime(0), "1970-01-01 00:00");
    assert.equal(formatTime(Infinity), "");
  });
});
