import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { MappedFile, MappedMemory, type MemoryOptions } from "../../../src/mod.ts";
import * as sys from "../../../src/sys/mod.ts";
import { closing } from "../../_kit/closing.ts";
import { runChild } from "../../_kit/child.ts";
import { CLOSED_FD, fails, openFds, scoped } from "../../_kit/fds.ts";
import { pattern, withFile } from "../../_kit/temp.ts";

const PAGE = sys.pageSize();
const SHARER = new URL("../_fixtures/sharer.ts", import.meta.url);
const MIB = 2 ** 20;

/** Huge pages that are free in the pool. */
const POOL = Number(/HugePages_Free:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]);
const NO_POOL: string | false = POOL < 4 && "this system has no pool of huge pages";
const A_POOL: string | false = POOL > 0 && "this system has a pool of huge pages";

describe("MappedMemory.allocate()", () => {
  it("gives memory of zeroes, shared or not", () => {
    for (const shared of [true, false]) {
      const memory = closing(MappedMemory.allocate(3 * PAGE + 5, { shared }));
      assert.deepEqual([memory.length, memory.fd >= 0], [3 * PAGE + 5, shared]);
      assert.ok(memory.bytes.every((byte) => byte === 0));
      memory.bytes.set(pattern(3 * PAGE + 5));
      assert.deepEqual(memory.read(PAGE, 5), pattern(2 * PAGE).subarray(PAGE, PAGE + 5));
      memory.advise("cold", { length: 1 });
      memory.lock({ length: PAGE });
      memory.unlock();
      assert.equal(memory.residency().pages.length, 4);
      const { bytes } = memory;
      memory.close();
      assert.deepEqual([bytes.length, memory.fd, memory.path, memory.closed], [
        0,
        -1,
        undefined,
        true,
      ]);
      memory.close();
    }
  });

  it("gives nothing, and more than memory has", () => {
    for (const shared of [true, false]) {
      const none = closing(MappedMemory.allocate(0, { shared }));
      assert.equal(none.bytes.length, 0);
    }
    const much = closing(MappedMemory.allocate(2 ** 40));
    much.view(2 ** 39, 10)[5] = 7;
    assert.equal(much.read(2 ** 39 + 5, 1)[0], 7);
    assert.throws(() => MappedMemory.allocate(2 ** 52), { name: "SyscallError" });
  });

  it("names it, and leaves no descriptor behind", () => {
    const before = openFds();
    {
      const memory = MappedMemory.allocate(PAGE, { name: "a-name-to-find" });
      assert.ok(memory.fd > 0);
      assert.match(readFileSync("/proc/self/maps", "utf8"), /memfd:a-name-to-find/);
      memory.close();
    }
    fails("EINVAL", "memfd_create", () => MappedMemory.allocate(1, { name: "x".repeat(250) }));
    assert.equal(openFds(), before);
  });

  it("takes transparent huge pages where there are some", () => {
    const memory = closing(
      MappedMemory.allocate(8 * MIB, { shared: false, hugePages: "transparent" }),
    );
    memory.bytes.fill(1);
    assert.equal(memory.residency().fraction, 1);
  });

  it("takes huge pages from their pool", { skip: NO_POOL }, () => {
    for (const shared of [true, false]) {
      const memory = MappedMemory.allocate(MIB, { shared, hugePages: "2MB" });
      assert.equal(memory.length, 2 * MIB);
      const { bytes } = memory;
      bytes[MIB] = 7;
      memory.resize(3 * MIB);
      assert.deepEqual([memory.length, memory.bytes[MIB], bytes.length], [4 * MIB, 7, 0]);
      memory.close();
    }
  });

  it("throws ENOMEM, and raises no signal, when the pool is empty", { skip: A_POOL }, () => {
    for (const shared of [true, false]) {
      const options = { shared, hugePages: "2MB" } as const;
      assert.throws(() => MappedMemory.allocate(MIB, options), { code: "ENOMEM" });
    }
  });

  it("refuses arguments of the wrong kind", () => {
    const wrong = (options: unknown) =>
      assert.throws(() => MappedMemory.allocate(1, options as MemoryOptions), TypeError);
    wrong({ shared: 1 });
    wrong({ name: 5 });
    wrong({ hugePages: "4MB" });
    assert.throws(() => MappedMemory.allocate("1" as never), TypeError);
    assert.throws(() => MappedMemory.allocate(-1), RangeError);
    assert.throws(() => MappedMemory.open(-1), TypeError);
    assert.throws(() => MappedMemory.open(0, { access: "all" as "read" }), TypeError);
    fails("EBADF", "fcntl", () => MappedMemory.open(CLOSED_FD));
    fails("EINVAL", "fcntl", () => MappedMemory.open("/etc/passwd", { access: "read" }));
  });
});

describe("MappedMemory.open()", () => {
  it("shows the same memory, in a mapping of its own", () => {
    const memory = closing(MappedMemory.allocate(PAGE));
    const twin = closing(MappedMemory.open(memory.fd));
    const reader = closing(MappedMemory.open(memory.path!, { access: "read" }));
    memory.bytes[5] = 7;
    reader.bytes[6] = 9;
    assert.deepEqual([...twin.read(5, 2)], [7, 0]);
    memory.close();
    assert.deepEqual([twin.bytes[5], reader.bytes[5]], [7, 7]);
  });

  it("shares memory with a Worker", async () => {
    const memory = closing(MappedMemory.allocate(2 * PAGE));
    const counters = new Int32Array(memory.bytes.buffer);
    const worker = new Worker(SHARER, { workerData: memory.fd });
    const answer = new Promise((resolve, reject) => {
      worker.once("message", resolve).once("error", reject);
    });
    for (let i = 0; i < 100_000; i++) Atomics.add(counters, 0, 1);
    assert.equal(await answer, "added");
    await worker.terminate();
    assert.deepEqual([counters[0], counters[1024]], [200_000, 7]);
  });

  it("shares memory with another process", async () => {
    const memory = closing(MappedMemory.allocate(2 * PAGE));
    const { stdout, stderr } = await runChild(SHARER, { args: [memory.path!] });
    assert.equal(stdout.trim(), "added", stderr);
    const counters = new Int32Array(memory.bytes.buffer);
    assert.deepEqual([counters[0], counters[1024]], [100_000, 7]);
  });

  it("shares memory with a child that inherits its descriptor", async () => {
    const memory = closing(MappedMemory.allocate(2 * PAGE));
    const deno = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
    const child = spawn(process.execPath, [...deno, fileURLToPath(SHARER), "3"], {
      stdio: ["ignore", "ignore", "inherit", memory.fd],
    });
    assert.deepEqual(await once(child, "exit"), [0, null]);
    assert.equal(new Int32Array(memory.bytes.buffer)[0], 100_000);
  });

  it(
    "leaves the seals of what others have made as they are, and is guarded",
    scoped((scope) => {
      const fd = scope.memfd(pattern(4 * PAGE), sys.MemfdFlag.ALLOW_SEALING);
      for (const source of [fd, `/proc/${process.pid}/fd/${fd}`]) {
        sys.ftruncate(fd, 4 * PAGE);
        const memory = MappedMemory.open(source);
        const { bytes } = memory;
        assert.deepEqual([memory.seals, sys.seals(fd)], [[], 0]);
        sys.ftruncate(fd, 0);
        assert.equal(bytes[PAGE], 0);
        assert.throws(() => memory.close(), { name: "TruncatedError" });
      }
    }),
  );

  it(
    "is guarded where it cannot be sealed",
    scoped((scope) => {
      const fd = scope.memfd(pattern(4 * PAGE));
      const memory = MappedMemory.open(fd);
      const { bytes } = memory;
      sys.ftruncate(fd, 0);
      assert.equal(bytes[PAGE], 0);
      assert.throws(() => memory.close(), { name: "TruncatedError" });
    }),
  );
});

describe("seal()", () => {
  it('"write" keeps the bytes for good, also from this mapping', () => {
    const memory = closing(MappedMemory.allocate(PAGE));
    const { bytes } = memory;
    bytes[0] = 1;
    const other = MappedMemory.open(memory.fd);
    fails("EBUSY", "fcntl", () => memory.seal("write"));
    bytes[0] = 2;
    assert.equal(other.bytes[0], 2);
    other.close();
    memory.seal("write", "grow", "seal");
    assert.deepEqual(memory.seals, ["grow", "write", "seal", "shrink"]);
    bytes[0] = 3;
    const reader = closing(MappedMemory.open(memory.fd, { access: "read" }));
    assert.equal(reader.bytes[0], 2);
    fails("EPERM", "mmap", () => MappedMemory.open(memory.fd));
    fails("EPERM", "mmap", () => MappedFile.open(memory.fd, { access: "write" }));
    fails("EPERM", "fcntl", () => memory.seal("future-write"));
  });

  it('"future-write" leaves the mappings that are there', () => {
    const memory = closing(MappedMemory.allocate(PAGE));
    memory.seal("future-write");
    memory.bytes[0] = 5;
    const reader = closing(MappedMemory.open(memory.fd, { access: "read" }));
    assert.equal(reader.bytes[0], 5);
    fails("EPERM", "mmap", () => MappedMemory.open(memory.fd));
  });

  it("leaves memory as it is that could not be mapped after resize()", () => {
    for (const seals of [["future-write"], ["write"], ["write", "grow"]] as const) {
      const memory = closing(MappedMemory.allocate(PAGE));
      memory.bytes[0] = 5;
      memory.seal(...seals);
      fails("EPERM", "ftruncate", () => memory.resize(2 * PAGE));
      const reader = closing(MappedMemory.open(memory.fd, { access: "read" }));
      assert.deepEqual([memory.length, memory.bytes[0], reader.length], [PAGE, 5, PAGE]);
    }
  });

  it("refuses other seals, and memory that is not shared", () => {
    const memory = closing(MappedMemory.allocate(PAGE, { shared: false }));
    assert.throws(() => memory.seal("grow"), TypeError);
    assert.deepEqual(memory.seals, []);
    const shared = closing(MappedMemory.allocate(PAGE));
    assert.throws(() => shared.seal("shrink" as "grow"), TypeError);
  });
});

describe("resize()", () => {
  it("makes memory longer and keeps its bytes", () => {
    for (const shared of [true, false]) {
      const memory = closing(MappedMemory.allocate(PAGE, { shared }));
      const { bytes } = memory;
      bytes.set(pattern(PAGE));
      memory.resize(10 * PAGE);
      assert.deepEqual([bytes.length, memory.length], [0, 10 * PAGE]);
      assert.deepEqual(memory.read(0, PAGE), pattern(PAGE));
      assert.equal(memory.bytes[9 * PAGE], 0);
    }
  });

  it("never makes shared memory shorter", () => {
    const memory = closing(MappedMemory.allocate(2 * PAGE));
    assert.throws(() => memory.resize(PAGE), RangeError);
    memory.seal("grow");
    fails("EPERM", "ftruncate", () => memory.resize(3 * PAGE));
    assert.equal(memory.length, 2 * PAGE);
    const own = closing(MappedMemory.allocate(2 * PAGE, { shared: false }));
    own.bytes[5] = 7;
    own.resize(PAGE);
    assert.deepEqual([own.length, own.bytes[5]], [PAGE, 7]);
  });
});

describe("a mapping", () => {
  it("is a file like another to MappedFile", () =>
    withFile(pattern(PAGE), (_, path) => {
      const memory = closing(MappedMemory.allocate(PAGE));
      const file = closing(MappedFile.open(path));
      memory.bytes.set(file.bytes);
      const copy = closing(MappedFile.open(memory));
      assert.deepEqual(copy.bytes, pattern(PAGE));
    }));
});
