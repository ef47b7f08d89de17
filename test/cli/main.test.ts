import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { runChild } from "../_kit/child.ts";
import { VERSION } from "../../src/version.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url);
const run = (...args: string[]) => runChild(MAIN, { args });

describe("sluice", () => {
  it("prints help and version", async () => {
    const help = await run("--help");
    assert.equal(help.code, 0);
    assert.match(help.stdout, /^Usage: sluice /);
    assert.equal((await run("--version")).stdout, `${VERSION}\n`);
  });

  it("refuses what it does not know with exit code 2 and a pointer to the help", async () => {
    const { code, stdout, stderr } = await run("bogus");
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, /--help/);
  });

  it("has the version of both manifests", () => {
    for (const name of ["package.json", "deno.json"]) {
      const text = readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
      assert.equal(JSON.parse(text).version, VERSION, name);
    }
  });
});
