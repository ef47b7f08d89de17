/** The end of the addresses, or of the mappings, in the way that the argument names. @module */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, truncateSync } from "node:fs";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { MappedFile, MappedMemory } from "../../../src/mod.ts";
import { runtime } from "../../../ffi/mod.ts";

const GIB = 2 ** 30;

function collect(): void {
  const { gc, Bun } = globalThis as unknown as {
    gc?: () => void;
    Bun?: { gc(force: boolean): void };
  };
  gc?.();
  Bun?.gc(true);
}

/** Bytes of addresses that the process has. */
function addresses(): number {
  const text = readFileSync("/proc/self/status", "utf8");
  return Number(/VmSize:\s+(\d+)/.exec(text)![1]) * 1024;
}

function showAndClose(path: string): void {
  const map = MappedFile.open(path);
  assert.equal(map.view(0, 10)[0], 0);
  map.close();
}

const WAYS: Record<string, (path: string) => Promise<void> | void> = {
  async sparse(path) {
    truncateSync(path, 64 * GIB);
    showAndClose(path);
    // Room for one more of these only when the first is given back.
    const limit = addresses() + 32 * GIB;
    execFileSync("prlimit", ["--pid", String(process.pid), `--as=${limit}`]);
    assert.throws(() => MappedFile.open(path), { code: "ENOMEM" });
    for (let i = 0; i < 11; i++) {
      collect();
      await sleep(1000);
    }
    for (let i = 0; i < 3; i++) {
      const map = MappedFile.open(path);
      assert.equal(map.read(0, 10)[0], 0);
      // Never shown: unmapped at once.
      map.close();
    }
  },

  many() {
    const all: MappedMemory[] = [];
    let error: { code?: string; message: string } | undefined;
    for (let i = 0; i < 70_000 && error === undefined; i++) {
      try {
        const memory = MappedMemory.allocate(4096, { shared: false });
        all.push(memory);
        // Otherwise the kernel makes one mapping of neighbours.
        if (i % 2 === 0) memory.advise("random");
        memory.bytes[0] = 1;
      } catch (cause) {
        error = cause as { code: string; message: string };
      }
    }
    assert.equal(error?.code, "ENOMEM", String(error));
    assert.match(error.message, /max_map_count/);
    assert.ok(all.length > 10_000, String(all.length));
    // The runtime has the memory that it needs.
    assert.equal(new Uint8Array(64 << 20).length, 64 << 20);
    for (const memory of all) memory.close();
  },
};

const [way, path] = process.argv.slice(2) as [string, string];
await WAYS[way]!(path);
console.log("alive", runtime().name);
