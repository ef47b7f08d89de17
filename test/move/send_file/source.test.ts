import assert from "node:assert/strict";
import { closeSync, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { sendFile, type SendFileOptions } from "../../../src/mod.ts";

let folder = "";

before(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-source-"));
  mkdirSync(join(folder, "root/inner"), { recursive: true });
  writeFileSync(join(folder, "outside.txt"), "outside");
  writeFileSync(join(folder, "root/inner/file.txt"), "inside");
  symlinkSync("inner/file.txt", join(folder, "root/link"));
  symlinkSync("../outside.txt", join(folder, "root/escape"));
  symlinkSync("/proc/self/exe", join(folder, "root/magic"));
});

after(() => rmSync(folder, { recursive: true }));

/** Sends to a file, and returns what arrived there. */
async function send(source: string, options: SendFileOptions = {}): Promise<string> {
  const path = join(folder, "target");
  const target = openSync(path, "w");
  try {
    const { bytes } = await sendFile(target, source, options);
    const text = readFileSync(path, "utf8");
    assert.equal(bytes, Buffer.byteLength(text));
    return text;
  } finally {
    closeSync(target);
  }
}

describe("sendFile() below a root", () => {
  it("sends what lies inside, also through a link", async () => {
    const root = join(folder, "root");
    assert.equal(await send("inner/file.txt", { root }), "inside");
    assert.equal(await send("inner/../link", { root }), "inside");
  });

  for (const path of ["../outside.txt", "inner/../../outside.txt", "escape", "/etc/passwd"]) {
    it(`refuses ${path}`, async () => {
      await assert.rejects(send(path, { root: join(folder, "root") }), {
        code: "EXDEV",
        syscall: "openat2",
      });
    });
  }

  it("refuses links of procfs, and says what is missing", async () => {
    const root = join(folder, "root");
    await assert.rejects(send("magic", { root }), { syscall: "openat2" });
    await assert.rejects(send("none", { root }), { code: "ENOENT", syscall: "openat2" });
    await assert.rejects(send("none", { root: join(folder, "none") }), { code: "ENOENT" });
    await assert.rejects(send("inner", { root }), { code: "EISDIR" });
  });
});

describe("sendFile() of files that are made up as they are read", () => {
  it("sends what procfs holds, although it says 0 bytes", async () => {
    assert.equal(await send("/proc/version"), readFileSync("/proc/version", "utf8"));
    assert.match(await send("/proc/self/status"), /^Name:/);
  });

  it("sends what sysfs holds, although it says 4096 bytes", async () => {
    const path = "/sys/kernel/mm/transparent_hugepage/enabled";
    assert.equal(await send(path), readFileSync(path, "utf8"));
  });
});
