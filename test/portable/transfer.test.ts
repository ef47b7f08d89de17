import assert from "node:assert/strict";
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, describe, it } from "node:test";
import { copyFile, Pipe, transfer } from "../../src/mod.ts";
import { Folder, noise } from "../_kit/bytes.ts";

const folder = new Folder();
after(() => folder.remove());

describe("without foreign functions", () => {
  it("copies files, whole or not at all", async () => {
    const bytes = noise(300_000);
    const source = folder.file(bytes);
    const target = join(folder.path, "target");
    const report = await copyFile(source, target, { times: true });
    assert.deepEqual([report.method, report.methods, report.bytes], ["copy", ["copy"], 300_000]);
    assert.ok(readFileSync(target).equals(bytes));
    const other = join(folder.path, "other");
    const aborted = copyFile(source, other, { signal: AbortSignal.abort() });
    await assert.rejects(aborted, { name: "AbortError" });
    await assert.rejects(copyFile(source, source), { code: "EINVAL" });
    assert.equal(existsSync(other), false);
    assert.ok(!readdirSync(folder.path).some((name) => name.endsWith(".sluice")));
  });

  it("transfers between files and streams by copying", async () => {
    const bytes = noise(200_000);
    const path = folder.file("");
    const target = openSync(path, "r+");
    const source = openSync(folder.file(bytes), "r");
    assert.equal((await transfer(source, target, { length: 100_000 })).method, "copy");
    assert.equal((await transfer(Readable.from([bytes]), target)).bytes, 200_000);
    const whole = Buffer.concat([bytes.subarray(0, 100_000), bytes]);
    assert.ok(readFileSync(path).equals(whole));
    await transfer(source, target, { length: 5, targetOffset: 3, start: 1 });
    bytes.copy(whole, 3, 1, 6);
    assert.ok(readFileSync(path).equals(whole));
    closeSync(source);
    closeSync(target);
  });

  it("says what it cannot do, and why", async () => {
    const path = folder.file("x");
    const fd = openSync(path, "r+");
    const unsupported = { name: "UnsupportedError", message: /SLUICE_FFI=none/ };
    assert.throws(() => new Pipe(), unsupported);
    await assert.rejects(transfer(path, fd, { method: "splice" }), unsupported);
    const target = join(folder.path, "none");
    await assert.rejects(copyFile(path, target, { method: "direct" }), unsupported);
    assert.equal(existsSync(target), false);
    const device = openSync("/dev/null", "w");
    await assert.rejects(transfer(path, device), unsupported);
    closeSync(device);
    closeSync(fd);
  });
});
