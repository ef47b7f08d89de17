import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import { Adder, LineCounter } from "../../examples/map_large/scan.ts";
import { grep } from "../../examples/mapped_grep/grep.ts";
import { Weights, writeWeights } from "../../examples/mapped_weights/safetensors.ts";
import { MappedFile } from "../../src/mod.ts";
import { closing } from "../_kit/closing.ts";
import { runChild } from "../_kit/child.ts";
import { withFile, withFileAsync } from "../_kit/temp.ts";

const example = (name: string): URL => new URL(`../../examples/${name}.ts`, import.meta.url);

describe("examples/mapped_grep.ts", () => {
  const text = Array.from({ length: 5000 }, (_, i) => `line ${i} of many`).join("\n");

  it("finds each line once, with its place", () =>
    withFile(text, (_, path) => {
      const map = closing(MappedFile.open(path));
      const found = [...grep(map, "line 499")];
      assert.equal(found.length, 11);
      assert.equal(found[0]!.line, "line 499 of many");
      assert.equal(text.slice(found[3]!.offset, found[3]!.offset + 9), "line 4992");
      assert.deepEqual([...grep(map, "nowhere")], []);
      assert.deepEqual([...grep(map, "line 4999 of many")].length, 1);
      assert.throws(() => [...grep(map, "")], RangeError);
    }));

  it("prints matches, and ends with 1 when there is none", () =>
    withFileAsync(`${"x".repeat(100_000)}\na needle here\nand a needle there`, async (_, path) => {
      const some = await runChild(example("mapped_grep"), { args: ["needle", path] });
      assert.deepEqual([some.code, some.stderr.match(/^2 lines/)?.length], [0, 1], some.stderr);
      assert.equal(some.stdout, "100003:a needle here\n100021:and a needle there\n");
      const none = await runChild(example("mapped_grep"), { args: ["thread", path] });
      assert.deepEqual([none.code, none.stdout], [1, ""]);
    }));
});

describe("examples/map_large.ts", () => {
  const log = Buffer.from("aab a\nxaabaab\n\nbaa\nb aab\n".repeat(30) + "no end aab");

  it("counts the same lines and the same sum in pieces of any length", () => {
    const padded = Buffer.concat([log, Buffer.alloc(4 - log.length % 4)]);
    const numbers = new Uint32Array(padded.buffer, padded.byteOffset, padded.length / 4);
    const sum = numbers.reduce((total, number) => total + BigInt(number), 0n);
    for (const text of ["a", "aab", "b aab", "aabaab", "nowhere", "no end aab"]) {
      const lines = log.toString().split("\n").filter((line) => line.includes(text)).length;
      for (const step of [1, 2, 3, 4, 5, 7, 64, log.length]) {
        const counter = new LineCounter(text);
        const adder = new Adder();
        for (let from = 0; from < log.length; from += step) {
          counter.push(log.subarray(from, from + step));
          adder.push(log.subarray(from, from + step));
        }
        assert.deepEqual([counter.count, adder.sum], [lines, sum], `${text} in steps of ${step}`);
      }
    }
    assert.throws(() => new LineCounter("two\nlines"), RangeError);
  });

  it("says the same as grep", () =>
    withFileAsync(log, async (_, path) => {
      const { code, stdout, stderr } = await runChild(example("map_large"), {
        args: ["aab", path],
      });
      assert.equal(code, 0, stderr);
      for (const name of ["mapped", "streams", "grep"]) {
        assert.match(stdout, new RegExp(`^${name} +91 `, "m"), stdout);
      }
    }));

  it("says what is wrong, and leaves no file of its own", () =>
    withFileAsync("", async (_, path) => {
      const TMPDIR = dirname(path);
      const made = await runChild(example("map_large"), { args: ["--size", "1"], env: { TMPDIR } });
      assert.deepEqual([made.code, readdirSync(TMPDIR)], [0, ["file"]], made.stderr);
      assert.match(made.stdout, /^1000000 bytes/);
      const missing = await runChild(example("map_large"), { args: ["x", "/nowhere"] });
      assert.deepEqual([missing.code, /ENOENT/.test(missing.stderr)], [1, true], missing.stderr);
      const usage = await runChild(example("map_large"), { args: [""] });
      assert.deepEqual([usage.code, /Usage/.test(usage.stderr)], [2, true], usage.stderr);
    }));
});

describe("examples/mapped_weights.ts", () => {
  it("shows the tensors of a file where they lie", () =>
    withFile("", (_, path) => {
      writeWeights(path, { first: [3, 5], second: [1000] });
      const weights = new Weights(path);
      const { tensors } = weights;
      assert.deepEqual([...tensors.keys()], ["first", "second"]);
      const { shape, data } = tensors.get("second")!;
      assert.deepEqual([shape, data.length], [[1000], 1000]);
      assert.ok(data.every((number) => Math.abs(number) <= 0.5) && data.some((n) => n !== 0));
      assert.equal(tensors.get("first")!.data.buffer, data.buffer);
      weights[Symbol.dispose]();
      assert.equal(data.length, 0);
    }));

  it("refuses what is no such file", () =>
    withFile("", (_, path) => {
      for (const text of ["short", "\xff".repeat(100), "\x10\0\0\0\0\0\0\0not JSON at all."]) {
        writeFileSync(path, text, "latin1");
        assert.throws(() => new Weights(path));
      }
    }));

  it("loads weights that it has made up", async () => {
    const { code, stdout, stderr } = await runChild(example("mapped_weights"), {
      timeoutMs: 60_000,
    });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^9 tensors, \d+ bytes: [\d.]+ ms/);
    assert.match(stdout, /layers\.7\.weight +\[1024, 1024\]/);
  });
});

describe("examples/shared_memory.ts", () => {
  it("draws one picture with two children", async () => {
    const { code, stdout, stderr } = await runChild(example("shared_memory"), {
      timeoutMs: 60_000,
    });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /24 rows by 2 children/);
    assert.ok(stdout.split("\n").filter((line) => /[.:@]/.test(line)).length > 20, stdout);
  });
});
