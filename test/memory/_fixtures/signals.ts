/**
 * What happens to SIGBUS around the fault guard, in the way that the argument names.
 *
 * @module
 */

import assert from "node:assert/strict";
import { ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { Cell } from "../../../ffi/libc/cell.ts";
import { libc } from "../../../ffi/libc/mod.ts";
import { capabilities, MappedFile } from "../../../src/mod.ts";
import { MapFlag, memfdCreate, mmap, Protection } from "../../../src/sys/mod.ts";
import { copyFrom, mapOver } from "../../../src/sys/raw/fixed.ts";
import { addressIn } from "../../../src/sys/region.ts";
import { refuseMemfd } from "../_seccomp.ts";

const SIGBUS = 7;
const PAGE = 4096;
const folder = mkdtempSync(join(tmpdir(), "sluice-"));
const path = join(folder, "file");

/** Maps a file, and takes its pages away. */
function truncatedMap(): MappedFile {
  writeFileSync(path, new Uint8Array(16 * PAGE));
  const map = MappedFile.open(path);
  void map.bytes;
  ftruncateSync(openSync(path, "r+"), 0);
  return map;
}

/** Gives a signal a handler by address, with SA_SIGINFO. */
function handle(address: bigint): void {
  const action = new Cell(152);
  action.view.setBigUint64(0, address, true);
  action.view.setInt32(136, 4, true);
  assert.equal(libc().sigaction(SIGBUS, action.address, 0n), 0);
}

/** Sends SIGBUS by kill(2) itself: Bun and Deno do other things besides. */
function send(): void {
  const kill = process.arch === "x64" ? 62n : 129n;
  assert.equal(Number(libc().syscall(kill, BigInt(process.pid), 7n, 0n, 0n, 0n, 0n)), 0);
}

/** Puts a function of machine code somewhere, with 8 bytes behind it at 4096 for its result. */
function assemble(code: number[]): { address: bigint; result(): bigint } {
  const flags = MapFlag.PRIVATE | MapFlag.ANONYMOUS;
  const region = mmap(2 * PAGE, Protection.READ | Protection.WRITE, flags, null);
  const fd = memfdCreate("handler", 0);
  libc().write(fd, Uint8Array.from(code), BigInt(code.length));
  const protection = Protection.READ | Protection.EXEC;
  assert.equal(mapOver(region, 0, PAGE, protection, MapFlag.PRIVATE, fd, 0), 0);
  return {
    address: addressIn(region, 0, PAGE),
    result() {
      const bytes = new Uint8Array(8);
      copyFrom(process.pid, addressIn(region, PAGE, 8), bytes);
      return new DataView(bytes.buffer).getBigUint64(0, true);
    },
  };
}

// mov [rip + 4096 - 7], rdi; ret, and: adr x3, .+4096; str x0, [x3]; ret
const KEEP_SIGNAL = process.arch === "x64"
  ? [0x48, 0x89, 0x3d, 0xf9, 0x0f, 0x00, 0x00, 0xc3]
  : [0x03, 0x80, 0x00, 0x10, 0x60, 0x00, 0x00, 0xf9, 0xc0, 0x03, 0x5f, 0xd6];

const CASES: Record<string, () => unknown> = {
  idle() {
    const { state } = capabilities().faultGuard;
    assert.doesNotMatch(readFileSync("/proc/self/maps", "utf8"), /sluice-fault-guard/);
    console.log(state, capabilities().faultGuard.state);
  },
  elsewhere() {
    const map = truncatedMap();
    void map.bytes[PAGE];
    // A mapping that the guard knows nothing of.
    const fd = memfdCreate("elsewhere", 0);
    const region = mmap(PAGE, Protection.READ, MapFlag.SHARED, fd);
    console.log("touching");
    console.log(region.bytes()[0]);
  },
  async sent() {
    MappedFile.open(process.execPath);
    send();
    await sleep(1000);
  },
  async ignored() {
    handle(1n);
    const map = truncatedMap();
    send();
    await sleep(50);
    assert.equal(map.bytes[PAGE], 0);
    console.log("survived");
  },
  async chained() {
    const { address, result } = assemble(KEEP_SIGNAL);
    handle(address);
    const map = truncatedMap();
    assert.equal(map.bytes[PAGE], 0);
    assert.equal(result(), 0n);
    send();
    for (let i = 0; i < 100 && result() === 0n; i++) await sleep(10);
    assert.equal(result(), 7n);
    console.log("handler called");
  },
  sealed() {
    MappedFile.open(process.execPath);
    const lines = readFileSync("/proc/self/maps", "utf8").split("\n");
    const code = lines.filter((line) => line.includes("sluice-fault-guard"));
    assert.equal(code.length, 1);
    console.log(code[0]);
  },
  refused() {
    const map = (refuseMemfd(), truncatedMap());
    const { state, reason } = capabilities().faultGuard;
    console.log(state, reason);
    assert.throws(() => map.read(0, 1), { name: "TruncatedError" });
    map.close();
  },
  replaced() {
    const map = truncatedMap();
    assert.equal(capabilities().faultGuard.state, "active");
    handle(assemble(KEEP_SIGNAL).address);
    console.log(capabilities().faultGuard.state);
    map.close();
  },
  // Rows are written and given up in one thread while handlers of others look at all of them.
  async threads() {
    const workers = [0, 1].map(() => new Worker(new URL(import.meta.url)));
    const ends = workers.map((worker) =>
      new Promise<void>((resolve, reject) => {
        worker.once("message", () => resolve()).once("error", reject);
      })
    );
    let ended = false;
    const all = Promise.all(ends).then(() => ended = true);
    writeFileSync(path, new Uint8Array(PAGE));
    while (!ended) {
      for (let i = 0; i < 100; i++) MappedFile.open(path).close();
      await sleep(0);
    }
    await all;
    for (const worker of workers) await worker.terminate();
    console.log("no crash");
  },
};

if (isMainThread) {
  setTimeout(() => process.exit(3), 50_000).unref();
  await CASES[process.argv[2]!]!();
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
} else {
  for (let i = 0; i < 500; i++) {
    const map = truncatedMap();
    assert.equal(map.bytes[3 * PAGE], 0);
    assert.throws(() => map.close(), { name: "TruncatedError" });
  }
  parentPort!.postMessage("done");
}
