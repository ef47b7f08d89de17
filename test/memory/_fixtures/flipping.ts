/** Another process writes the memory while this one decodes it. `flipping.ts PATH` reads, and
 * starts `flipping.ts PATH write`. @module */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import process from "node:process";
import { MappedFile } from "../../../src/mod.ts";
import { commandLine } from "../../_kit/child.ts";

const SIZE = 256 * 1024;
const EMOJI = new TextEncoder().encode("\u{1F600}".repeat(SIZE / 4));
const ASCII = new Uint8Array(SIZE).fill(0x61);

const [file, role] = process.argv.slice(2) as [string, string?];
if (role === "write") {
  using map = MappedFile.open(file, { access: "write" });
  for (const end = Date.now() + 20_000; Date.now() < end;) {
    map.bytes.set(EMOJI);
    map.bytes.set(ASCII);
  }
} else {
  writeFileSync(file, EMOJI);
  const [command, ...args] = commandLine(new URL(import.meta.url), [file, "write"]);
  const writer = spawn(command!, args, { stdio: "ignore" });
  using map = MappedFile.open(file);
  // Until it writes, and then for a while.
  for (let flips = 0, end = Date.now() + 10_000; flips < 100 && Date.now() < end;) {
    const text = map.text();
    if (text.includes("a")) flips++;
    assert.ok(text.length <= SIZE);
    for (const line of map.lines(1, SIZE - 1)) assert.ok(line.length <= SIZE);
    assert.ok(map.indexOf("nowhere") < 0);
    // One turn of the loop for the end of the writer.
    await new Promise((resolve) => setTimeout(resolve));
  }
  writer.kill("SIGKILL");
  console.log("alive");
}
