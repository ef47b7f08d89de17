/** Memory that the kernel writes into when its owner goes. @module */

import assert from "node:assert/strict";
import { fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { AlignedBuffer, DirectFile, MappedFile } from "../../../../src/mod.ts";
import { collect, file, later, MIB, path, PROGRAM, waited } from "./kit.ts";

export const DISKS: Record<string, () => unknown> = {
  async closeDirect() {
    file(16 * MIB);
    for (let round = 0; round < 6; round++) {
      const direct = await DirectFile.open(path, { access: "write" });
      for (let i = 0; i < 64; i++) {
        const aligned = AlignedBuffer.allocate(65_536);
        const bytes = i % 3 === 0 ? new Uint8Array(60_001) : aligned.bytes;
        later.push(
          waited(() =>
            i % 2 === 0
              ? direct.read(bytes, i * 65_536)
              : direct.write(bytes, i * 65_536 + (i % 5 === 0 ? 1 : 0))
          ),
        );
        if (i % 4 !== 1) aligned.release();
      }
      const closing = [direct.close(), direct.close()];
      await assert.rejects(direct.read(new Uint8Array(10), 0), TypeError);
      if (round % 2 === 0) await Promise.all(closing);
      later.push(...closing);
      collect();
    }
  },

  async forgetDirect() {
    file(16 * MIB);
    for (let round = 0; round < 10; round++) {
      const direct = await DirectFile.open(path);
      for (let i = 0; i < 32; i++) {
        void direct.read(AlignedBuffer.allocate(65_536).bytes, i * 65_536);
      }
      collect();
    }
    await sleep(200);
    collect();
  },

  async exitInFlight() {
    file(16 * MIB);
    const direct = await DirectFile.open(path, { access: "write" });
    for (let i = 0; i < 64; i++) {
      const aligned = AlignedBuffer.allocate(65_536);
      void direct[i % 2 === 0 ? "read" : "write"](aligned.bytes, i * 65_536);
      aligned.release();
    }
    console.log("alive");
    process.exit(0);
  },

  async terminateInFlight() {
    file(16 * MIB);
    for (let round = 0; round < 8; round++) {
      const worker = new Worker(PROGRAM, { workerData: path });
      await once(worker, "message");
      const stuck = Array.from({ length: 64 }, () => new Uint8Array(65_536).fill(9));
      await worker.terminate();
      collect();
      await sleep(5);
      assert.ok(stuck.every((bytes) => bytes.every((byte) => byte === 9)));
    }
  },

  async children() {
    file(16 * MIB);
    const direct = await DirectFile.open(path, { access: "write" });
    const map = MappedFile.open(path, { access: "write" });
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 32; i++) {
        const aligned = AlignedBuffer.allocate(65_536);
        aligned.bytes.fill(round);
        later.push(direct.write(aligned.bytes, i * 65_536).then(() => aligned.release()));
      }
      map.bytes[15 * MIB] = round;
      assert.equal(spawnSync("true").status, 0);
      const child = spawn("cat", [path], { stdio: "ignore" });
      await once(child, "exit");
      await Promise.all(later);
      assert.ok(readFileSync(path).subarray(0, 2 * MIB).every((byte) => byte === round));
    }
    const forked = fork(fileURLToPath(PROGRAM), ["nothing"], { stdio: "ignore" });
    const [code] = await once(forked, "exit");
    assert.equal(code, 0);
    map.close();
    await direct.close();
  },
};
