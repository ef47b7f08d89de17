import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import process from "node:process";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Folder, noise } from "../../_kit/bytes.ts";
import { RUNTIME, TARGETS } from "../../_kit/targets.ts";

const folder = new Folder();
after(() => folder.remove());

describe("sendFile() without foreign functions", () => {
  it("copies to every connection, and says so", async () => {
    const script = fileURLToPath(new URL("../_fixtures/send_file_none.ts", import.meta.url));
    const flags = RUNTIME === "deno" ? ["run", "-A", "--no-check"] : [];
    const path = folder.file(noise(3_000_001));
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, script, path], {
      env: { ...process.env, SLUICE_FFI: "none" },
      timeout: 20_000,
    });
    const rows = TARGETS.filter(({ skip, kind }) => !skip && kind !== "descriptor");
    assert.deepEqual(
      JSON.parse(stdout),
      rows.map(({ name }) => [name, "copy", 3_000_001, true]),
    );
  });
});
