/** A runtime whose `fs.open` returns numbers of its own: under them, the kernel may have any other file. */

import assert from "node:assert/strict";
import fs from "node:fs";
import { after, describe, it } from "node:test";
import { copyFile, createReadStream, MappedFile, UnsupportedError } from "../../src/mod.ts";
import { Folder, noise, sha256 } from "../_kit/bytes.ts";
import { openDescriptors } from "../_kit/leaks.ts";
import { download } from "../_kit/serve.ts";

const folder = new Folder();
const content = noise(500_000);
const path = folder.file(content);
after(() => folder.remove());

// What the runtime says of its own file is not what the kernel has under this number.
const { fstatSync } = fs;
fs.fstatSync = ((...args: Parameters<typeof fstatSync>) => {
  const stats = fstatSync(...args)!;
  return Object.assign(stats, { ino: typeof stats.ino === "bigint" ? stats.ino + 1n : -1 });
}) as typeof fstatSync;

describe("a runtime that numbers files by itself", () => {
  it("reads its files itself", async () => {
    const { body, sent } = await download((_, res) => {
      res.setHeader("Content-Length", content.length);
      createReadStream(path).pipe(res);
    });
    assert.equal(sha256(body), sha256(content));
    assert.equal(sent, 0);
    const small = folder.file(content.subarray(0, 1000));
    const bytes = Buffer.concat(await createReadStream(small).toArray());
    assert.equal(sha256(bytes), sha256(content.subarray(0, 1000)));
  });

  it("is refused where the kernel needs its descriptor", async () => {
    const before = openDescriptors().length;
    assert.throws(() => MappedFile.open(path), UnsupportedError);
    const target = `${path}.copy`;
    // A target without a descriptor of sluice's own.
    await assert.rejects(
      copyFile(path, target, { atomic: false, durable: true }),
      UnsupportedError,
    );
    assert.ok(!fs.existsSync(target) || fs.statSync(target).size === 0);
    assert.equal(openDescriptors().length, before);
  });
});
