import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { runtime } from "../../ffi/mod.ts";
import { capabilities } from "../../src/mod.ts";
import { runChild } from "../_kit/child.ts";
import { pattern } from "../_kit/temp.ts";

const PROGRAM = new URL("./_fixtures/copy_ended.ts", import.meta.url);
const BYTES = pattern(3 << 20);
/**
 * Bun goes on after an error in a timer while a module waits. Deno then ends without an exit event, which
 * matters where the file has a name.
 */
const NO_THROW = runtime().name === "bun" ||
  (runtime().name === "deno" && capabilities().backend === null);
const ENDS = ["exit", ...NO_THROW ? [] : ["throw"], "SIGTERM", "SIGHUP", "SIGINT"];

const root = mkdtempSync(join(tmpdir(), "sluice-ended-"));
const from = join(root, "from");
writeFileSync(from, BYTES);
after(() => rmSync(root, { recursive: true }));
let sequence = 0;

/** Ends a process while it copies; returns the content of the target's folder afterwards. */
async function ended(
  how: string,
  moment: number,
  options: object,
  before?: string,
): Promise<Record<string, string>> {
  const folder = join(root, String(sequence++));
  mkdirSync(folder);
  if (before !== undefined) writeFileSync(join(folder, "to"), before);
  const args = [from, join(folder, "to"), how, String(moment), JSON.stringify(options)];
  const { code, signal, stdout } = await runChild(PROGRAM, { args });
  assert.doesNotMatch(stdout, /copied/);
  if (how.startsWith("SIG")) assert.deepEqual([code, signal], [null, how]);
  else assert.notEqual(code, 0);
  return Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "latin1")]),
  );
}

describe("copyFile() in a process that ends meanwhile", { concurrency: 2 }, () => {
  for (const how of ENDS) {
    it(`leaves nothing of a new file (${how})`, async () => {
      assert.deepEqual(await ended(how, 1, {}), {});
      assert.deepEqual(await ended(how, 3, { overwrite: false, times: true }), {});
    });

    it(`leaves the file that was there, and nothing else (${how})`, async () => {
      assert.deepEqual(await ended(how, 2, { durable: true }, "before"), { to: "before" });
    });
  }
});
