import assert from "node:assert/strict";
import { truncateSync } from "node:fs";
import { describe, it } from "node:test";
import { MappedBytes, MappedFile, MappedMemory, TruncatedError } from "../../../src/mod.ts";
import { runChild } from "../../_kit/child.ts";
import { closing } from "../../_kit/closing.ts";
import { withFile, withFileAsync } from "../../_kit/temp.ts";

function withText(text: string | Uint8Array, body: (map: MappedFile, path: string) => void): void {
  withFile(text, (_, path) => body(closing(MappedFile.open(path)), path));
}

describe("the text of a mapping", () => {
  it("is decoded, all of it or a range", () =>
    withText("grüße \u{1F600}!", (map) => {
      assert.ok(map instanceof MappedBytes);
      assert.equal(map.text(), "grüße \u{1F600}!");
      assert.equal(map.text(2, 4), "üß");
      assert.equal(map.text(1, 2), "r\ufffd");
      assert.equal(map.text(map.length), "");
      assert.equal(map.text(0, 4, "latin1"), "grÃ¼");
      assert.throws(() => map.text(5, 100), RangeError);
      assert.throws(() => map.text(0, 4, "no such encoding"), RangeError);
    }));

  it("is decoded of shared memory as well", () => {
    const memory = closing(MappedMemory.allocate(10));
    memory.bytes.set(new TextEncoder().encode("shared"), 2);
    assert.equal(memory.text(2, 6), "shared");
    assert.equal(memory.indexOf("red"), 5);
  });

  it("comes in lines, whatever their length and their ends", () => {
    const long = "\u{1F600}".repeat(50_000);
    const cases: [string, string[]][] = [
      ["", []],
      ["\n", [""]],
      ["one", ["one"]],
      ["one\ntwo\r\n\nfour", ["one", "two", "", "four"]],
      [`x\n${long}\r\nlast\n`, ["x", long, "last"]],
      ["ab\r\n".repeat(40_000), new Array<string>(40_000).fill("ab")],
    ];
    for (const [text, lines] of cases) {
      withText(text, (map) => assert.deepEqual(Array.from(map.lines()), lines));
    }
    withText("a\nbc\nd", (map) => assert.deepEqual(Array.from(map.lines(2, 3)), ["bc"]));
    const wide = new Uint8Array(new Uint16Array(Array.from("ä\nb", (c) => c.charCodeAt(0))).buffer);
    withText(wide, (map) => {
      assert.deepEqual(Array.from(map.lines(0, wide.length, "utf-16le")), ["ä", "b"]);
    });
  });

  it("is found, also across the bounds of what is looked at in one go", () => {
    const bytes = new Uint8Array(200_000).fill(0x2e);
    const needle = new TextEncoder().encode("needle");
    for (const at of [0, 65_530, 65_536, 65_541, 131_070, 199_994]) {
      const text = bytes.slice();
      text.set(needle, at);
      withText(text, (map) => {
        assert.equal(map.indexOf(needle), at);
        assert.equal(map.indexOf("needle", at), at);
        assert.equal(map.indexOf("needle", at + 1), -1);
        assert.equal(map.indexOf("edle", 0), at + 2);
        assert.equal(map.indexOf(0x6e), at);
      });
    }
    // More steps than those on which the ways of searching are compared.
    const large = new Uint8Array(1_200_000).fill(0x2e);
    withText(large, (map) => assert.equal(map.indexOf(needle), -1));
    for (const at of [65_533, 524_285, 589_818, 720_000, large.length - needle.length]) {
      const text = large.slice();
      text.set(needle, at);
      withText(text, (map) => assert.equal(map.indexOf(needle), at));
    }
    withText("abc", (map) => {
      assert.deepEqual([map.indexOf(""), map.indexOf("", 3), map.indexOf("abcd")], [0, 3, -1]);
      assert.throws(() => map.indexOf("a", 4), RangeError);
      assert.throws(() => map.indexOf(256), RangeError);
      assert.throws(() => map.indexOf(null as never), TypeError);
    });
    const long = new Uint8Array(150_000).fill(7);
    withText(new Uint8Array([...new Uint8Array(60_000), ...long]), (map) => {
      assert.equal(map.indexOf(long), 60_000);
    });
  });

  it("is not there when the file got shorter, or the mapping is closed", () =>
    withText("x\n".repeat(100_000), (map, path) => {
      const lines = map.lines();
      assert.equal(lines.next().value, "x");
      truncateSync(path, 10);
      assert.throws(() => map.text(), TruncatedError);
      assert.throws(() => Array.from(lines), TruncatedError);
      assert.throws(() => map.indexOf("nowhere"), TruncatedError);
      map.resize(10);
      const rest = map.lines();
      const begun = map.lines();
      assert.equal(begun.next().value, "x");
      map.close();
      assert.throws(() => rest.next(), TypeError);
      assert.throws(() => begun.next(), TypeError);
      assert.throws(() => map.text(), TypeError);
      assert.throws(() => map.lines(), TypeError);
      assert.throws(() => map.indexOf("x"), TypeError);
    }));

  it("may change in the midst of it", () =>
    withFileAsync("", async (_, path) => {
      const file = new URL("../_fixtures/flipping.ts", import.meta.url);
      const { code, signal, stdout, stderr } = await runChild(file, { args: [path] });
      assert.deepEqual([signal, code], [null, 0], stderr);
      assert.match(stdout, /alive\n$/);
    }));
});
