import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { broadcast, transfer } from "../../src/mod.ts";
import { Folder } from "../_kit/bytes.ts";

const folder = new Folder();
after(() => folder.remove());

let made = 0;

type Options = { signal?: AbortSignal };

const WAYS: Record<string, (path: string, fd: number, options?: Options) => Promise<unknown>> = {
  "transfer()": (path, fd, options) => transfer(path, fd, options),
  "broadcast()": (path, fd, options) => broadcast(path, [fd], options),
};

function makePipe(): string {
  const path = join(folder.path, String(made++));
  execFileSync("mkfifo", [path]);
  return path;
}

for (const [name, move] of Object.entries(WAYS)) {
  describe(`${name} from a named pipe without a writer`, () => {
    it("waits for its first writer, as open(2) does", async () => {
      const [path, output] = [makePipe(), join(folder.path, String(made++))];
      const fd = openSync(output, "w");
      try {
        const moved = move(path, fd);
        assert.equal(await Promise.race([moved, sleep(100, "waits")]), "waits");
        spawn("sh", ["-c", 'head -c 200000 /dev/zero | tr "\\0" x > "$1"', "sh", path]);
        assert.equal((await moved as { bytes: number }).bytes, 200_000);
        assert.ok(readFileSync(output, "latin1") === "x".repeat(200_000));
      } finally {
        closeSync(fd);
      }
    });

    it("ends with a writer that writes nothing", async () => {
      const [path, fd] = [makePipe(), openSync(join(folder.path, String(made++)), "w")];
      try {
        const moved = move(path, fd);
        await sleep(50);
        spawn("sh", ["-c", ': > "$1"', "sh", path]);
        assert.equal((await moved as { bytes: number }).bytes, 0);
      } finally {
        closeSync(fd);
      }
    });

    it("ends with its signal", async () => {
      const [path, fd] = [makePipe(), openSync(join(folder.path, String(made++)), "w")];
      const reason = new Error("enough");
      const controller = new AbortController();
      try {
        const moved = move(path, fd, { signal: controller.signal });
        setTimeout(() => controller.abort(reason), 50);
        await assert.rejects(moved, { name: "AbortError", cause: reason, bytesMoved: 0 });
      } finally {
        closeSync(fd);
      }
    });
  });
}
