/** Nothing is public that no test knows, and no test is skipped without a reason. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import * as http from "../../src/http/mod.ts";
import * as main from "../../src/mod.ts";
import * as sys from "../../src/sys/mod.ts";

const TESTS = fileURLToPath(new URL("../", import.meta.url));

const texts = new Map(
  readdirSync(TESTS, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => [name, readFileSync(`${TESTS}/${name}`, "utf8")]),
);
const words = new Set([...texts.values()].flatMap((text) => text.match(/[\w$]+/g) ?? []));

/** Names of the module, and of what its classes have. */
function* namesOf(module: Record<string, unknown>): Generator<string> {
  for (const [name, value] of Object.entries(module)) {
    yield name;
    if (typeof value !== "function" || !/^[A-Z]/.test(name)) continue;
    for (const member of Object.getOwnPropertyNames(value.prototype)) {
      // Methods that a stream of the runtime calls by itself start with "_".
      if (!member.startsWith("_")) yield member;
    }
  }
}

describe("the suite", () => {
  for (const [name, module] of Object.entries({ main, sys, raw: sys.raw, http })) {
    it(`mentions every public name of ${name}`, () => {
      assert.deepEqual([...namesOf(module)].filter((each) => !words.has(each)), []);
    });
  }

  it("has a line in docs/examples.md for each example, and a test", () => {
    const page = readFileSync(new URL("../../docs/examples.md", import.meta.url), "utf8");
    const examples = readdirSync(new URL("../../examples/", import.meta.url), { recursive: true })
      .map(String).filter((name) => /^(?:\w+|\w+\/main)\.ts$/.test(name));
    for (const name of examples) {
      const told = name === "file_server/main.ts" ? "file_server.ts" : name;
      assert.ok(page.includes(`\`examples/${told}`), name);
      // send_file_node and its like are one test with the runtime's name in it.
      const [word] = name.replace(/_(?:node|bun|deno)\.ts$/, "_").split(/[./]/);
      assert.ok([...texts.values()].some((text) => text.includes(word!)), name);
    }
  });

  it("gives a reason where it skips", () => {
    for (const [name, text] of texts) {
      assert.doesNotMatch(text, /\bskip: (?:true|!|process\b)|\bit\.(?:skip|todo)\(/, name);
    }
  });
});
