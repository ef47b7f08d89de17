/** Raw calls on names below a folder, and on modes. */

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { errnoNumber } from "../../src/errors.ts";
import { OpenFlag, raw } from "../../src/sys/mod.ts";

/** Runs the body with an open folder that holds one file, `a`. */
function withFolder(body: (folder: number, path: string) => void): void {
  const path = mkdtempSync(join(tmpdir(), "sluice-names-"));
  writeFileSync(join(path, "a"), "x");
  const folder = raw.open(path, OpenFlag.DIRECTORY | OpenFlag.CLOEXEC, 0);
  try {
    body(folder, path);
  } finally {
    raw.close(folder);
    rmSync(path, { recursive: true });
  }
}

describe("raw calls on names", () => {
  it("renameat() moves a file within an open folder, and tells what is missing", () => {
    withFolder((folder, path) => {
      assert.equal(raw.renameat(folder, "a", folder, "b"), 0);
      assert.deepEqual(readdirSync(path), ["b"]);
      assert.equal(raw.renameat(folder, "a", folder, "b"), -errnoNumber("ENOENT"));
    });
  });

  it("unlinkat() removes a file of an open folder", () => {
    withFolder((folder, path) => {
      assert.equal(raw.unlinkat(folder, "a", 0), 0);
      assert.deepEqual(readdirSync(path), []);
      assert.equal(raw.unlinkat(folder, "a", 0), -errnoNumber("ENOENT"));
    });
  });

  it("fchmod() changes the mode of an open file", () => {
    withFolder((folder, path) => {
      const fd = raw.openat(folder, "a", OpenFlag.CLOEXEC, 0);
      assert.equal(raw.fchmod(fd, 0o640), 0);
      assert.equal(statSync(join(path, "a")).mode & 0o777, 0o640);
      raw.close(fd);
      assert.equal(raw.fchmod(fd, 0o640), -errnoNumber("EBADF"));
    });
  });
});
