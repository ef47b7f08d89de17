import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createFileServer } from "../../src/http/mod.ts";
import { responses, talk } from "../_kit/raw_http.ts";
import { chunked } from "./_chunked.ts";

const MIB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), "sluice-"));
const mount = ["-t", "tmpfs", "-o", "size=2m", "sluice-test", folder];
const mounted = process.getuid?.() === 0 && spawnSync("mount", mount).status === 0;
const NO_MOUNT = mounted ? false : "a small file system can be mounted by root only";

function roomIn(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

describe("uploads to a full disk", () => {
  after(() => {
    if (mounted) spawnSync("umount", [folder]);
    rmSync(folder, { recursive: true });
  });

  it("get 507, leave nothing, and the disk takes what has room", { skip: NO_MOUNT }, async () => {
    const server = createFileServer({ root: folder, upload: true });
    const { port } = await server.listen();
    const put = async (name: string, fields: string, body: string): Promise<number> => {
      const head = `PUT /${name} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields}\r\n\r\n`;
      const [response] = responses(await talk(port, head + body), ["PUT"]);
      return response!.status;
    };
    try {
      const body = "0123456789abcdef".repeat(3 * MIB / 16);
      // Refused before the body, because its length is known.
      assert.equal(await put("long", `Content-Length: ${body.length}`, ""), 507);
      // Discovered in the middle of the body.
      assert.equal(await put("chunks", "Transfer-Encoding: chunked", chunked(body)), 507);
      // The answer may come before the room of the file without a name is given back.
      for (let i = 0; i < 500 && roomIn(folder) < 1.5 * MIB; i++) await sleep(10);
      writeFileSync(join(folder, "other"), "x".repeat(1.5 * MIB));
      const part = body.slice(0, MIB);
      assert.equal(await put("late", "Transfer-Encoding: chunked", chunked(part)), 507);
      assert.deepEqual(readdirSync(folder), ["other"]);
      rmSync(join(folder, "other"));
      assert.equal(await put("whole", `Content-Length: ${part.length}`, part), 201);
      assert.equal(readFileSync(join(folder, "whole"), "latin1"), part);
      assert.deepEqual(readdirSync(folder), ["whole"]);
      assert.equal(server.stats().uploads.files, 1);
    } finally {
      await server.close({ graceMs: 0 });
    }
  });
});
