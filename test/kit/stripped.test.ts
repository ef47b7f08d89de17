/** The sources that `npm test` has Node.js load. */

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { VERSION } from "../../src/version.ts";
import { runChild } from "../_kit/child.ts";

const ROOT = new URL("../../", import.meta.url);
const PROGRAM = new URL("./_fixtures/version.ts", import.meta.url);
const FOLDER = process.env["SLUICE_TEST_MODULES"]!;

const NOT_HERE = FOLDER === undefined && "only npm test strips sources, and only for Node.js";

async function output(env: Record<string, string>): Promise<string> {
  const { code, stdout, stderr } = await runChild(PROGRAM, { env });
  assert.deepEqual([code, stderr], [0, ""]);
  return stdout.trim();
}

describe("sources without types", () => {
  it("keep their lines and columns", { skip: NOT_HERE }, () => {
    for (const name of readdirSync(FOLDER).filter((name) => name.startsWith("src+"))) {
      const lengths = [join(FOLDER, name), new URL(name.replaceAll("+", "/"), ROOT)].map((path) =>
        readFileSync(path, "utf8").split("\n").map((line) => line.length)
      );
      assert.deepEqual(lengths[0], lengths[1], name);
    }
  });

  it("are loaded by the programs of this checkout", { skip: NOT_HERE }, async () => {
    const position = await output({ NODE_OPTIONS: "" });
    assert.ok(position.startsWith(`${VERSION} `), position);
    assert.equal(await output({}), position);
    const folder = mkdtempSync(join(tmpdir(), "sluice-modules-"));
    try {
      for (const name of ["src+version.ts", "test+kit+_fixtures+version.ts"]) {
        cpSync(join(FOLDER, name), join(folder, name));
      }
      writeFileSync(join(folder, "src+version.ts"), `export const VERSION = "another";`);
      const other = await output({ SLUICE_TEST_MODULES: folder });
      assert.equal(other, position.replace(VERSION, "another"));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
