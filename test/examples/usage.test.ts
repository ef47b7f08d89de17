/** What the programs of more than one file say of themselves, and what they refuse. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { runChild } from "../_kit/child.ts";

const BROKER = "log_broker/main.ts";
const CACHE = "edge_cache/main.ts";
const ROOM = "chat_tee/main.ts";

let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-"));
});

after(() => rmSync(folder, { recursive: true, force: true }));

const run = (program: string, args: string[]) =>
  runChild(new URL(`../../examples/${program}`, import.meta.url), { args });

/** Arguments that are refused before anything begins. */
const REFUSED: Readonly<Record<string, readonly string[][]>> = {
  [BROKER]: [
    ["--dir", ""],
    ["--dir", "d", "--port", ""],
    ["--dir", "d", "--partitions", "1.5"],
    ["--dir", "d", "--advertise", "host:65536"],
    ["--dir", "d", "--fsync", "never"],
  ],
  [CACHE]: [
    ["--origin", "http://127.0.0.1:1", "--dir", ""],
    ["--origin", "http://user@127.0.0.1:1", "--dir", "d"],
    ["--origin", "http://127.0.0.1:1/?query", "--dir", "d"],
    ["--origin", "http://127.0.0.1:1", "--dir", "d", "--port", ""],
  ],
  "edge_cache/compare.ts": [["--seconds", "0"]],
  "transfer_to.ts": [["--max", ""]],
  [ROOM]: [["--port", ""], ["--port", "65536"]],
  "chat_tee/compare.ts": [["--members", "1"]],
  "map_large.ts": [["", "--size", "1"], ["text", "--size", "0x"]],
  "rdma_copy.ts": [["serve", "127.0.0.1", "d", "--port", ""]],
  "postgres_backup.ts": [[""], ["target", "--rate", ""]],
};

describe("examples", () => {
  for (const [program, refused] of Object.entries(REFUSED)) {
    it(`${program} explains itself, and refuses bad arguments`, async () => {
      const { code, stdout, stderr } = await run(program, ["--help"]);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout, /^Usage: /);
      for (const args of refused) {
        const { code, stderr } = await run(program, args);
        assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
        assert.match(stderr, /^.+\n+Usage: /, args.join(" "));
      }
    });
  }

  it("transfer_to.ts refuses a page that it cannot write, before it measures", async () => {
    const html = join(folder, "missing", "page.html");
    const { code, stdout, stderr } = await run("transfer_to.ts", ["--max", "1", "--html", html]);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /ENOENT|foreign calls/);
  });

  it("map_large.ts names a file that is missing", async () => {
    const { code, stderr } = await run("map_large.ts", ["text", join(folder, "missing")]);
    assert.deepEqual([code, /ENOENT/.test(stderr)], [1, true], stderr);
  });
});
