/**
 * Uses memory in the way that the argument names, which no program should. The last thing that it
 * prints is "alive".
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  write,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  isMainThread,
  markAsUntransferable,
  parentPort,
  Worker,
  workerData,
} from "node:worker_threads";
import {
  AlignedBuffer,
  copyFile,
  DirectFile,
  MappedFile,
  MappedMemory,
  transfer,
} from "../../../src/mod.ts";

const MIB = 2 ** 20;
const PAGE = 4096;
const folder = isMainThread ? mkdtempSync(join(tmpdir(), "sluice-")) : "";
const path = join(folder, "file");
const TYPED = /^(Syscall|Type|Range|Truncated|Unsupported|Abort|DataClone|Compile)Error$/;

const { gc, Bun, WebAssembly } = globalThis as unknown as {
  gc?: () => void;
  Bun?: { gc(force: true): void };
  WebAssembly: {
    compile(bytes: Uint8Array): Promise<unknown>;
    instantiate(bytes: Uint8Array): Promise<{ instance: { exports: { f(): number } } }>;
    Module: new (bytes: Uint8Array) => unknown;
    Instance: new (module: unknown) => { exports: Record<string, () => number> };
    Memory: new (options: { initial: number }) => { buffer: ArrayBuffer };
  };
};
const collect = (): void => Bun === undefined ? gc?.() : Bun.gc(true);

/** Does something that may fail, in a way that can be caught. */
function tried<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    assert.match((error as Error).name, TYPED, (error as Error).stack ?? "");
    return undefined;
  }
}

/** As above, of what may also fail later. */
async function waited(act: () => unknown): Promise<void> {
  try {
    await act();
  } catch (error) {
    assert.match((error as Error).name, TYPED, (error as Error).stack ?? "");
  }
}

function file(size = 4 * MIB): string {
  writeFileSync(path, new Uint8Array(size).fill(1));
  return path;
}

function mapped(access: "read" | "write" | "copy-on-write" = "write", size = 4 * MIB): MappedFile {
  return MappedFile.open(file(size), { access });
}

/** Functions enough to be compiled in another thread. */
function program(count = 20_000): Uint8Array {
  const leb = (n: number): number[] => n < 128 ? [n] : [n & 127 | 128, ...leb(n >>> 7)];
  const section = (id: number, body: number[]): number[] => [id, ...leb(body.length), ...body];
  const type = section(1, [1, 0x60, 0, 1, 0x7f]);
  const functions = section(3, [...leb(count), ...new Array<number>(count).fill(0)]);
  const exported = section(7, [1, 1, 0x66, 0, 0]);
  const code = [...leb(count)];
  for (let i = 0; i < count; i++) code.push(10, 0, 0x41, 7, 0x41, 1, 0x6a, 0x1a, 0x41, 42, 0x0b);
  const out = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...type, ...functions, ...exported];
  return Uint8Array.from([...out, ...section(10, code)]);
}

const later: Promise<unknown>[] = [];

const WAYS: Record<string, () => unknown> = {
  async resizeWhileFlushing() {
    const map = mapped();
    for (let i = 0; i < 20; i++) {
      map.bytes.fill(i);
      later.push(waited(() => map.flush(undefined, { async: true })));
      later.push(waited(() => map.prefetch()));
      map.resize((1 + i % 5) * MIB + i);
      if (i % 4 === 0) await sleep(1);
    }
    map.close();
  },

  async closeWhileFlushing() {
    for (let i = 0; i < 20; i++) {
      const map = mapped();
      map.bytes.fill(i);
      later.push(waited(() => map.flush(undefined, { async: true })));
      later.push(waited(() => map.prefetch()));
      map.close();
      tried(() => map.close());
      if (i % 4 === 0) await sleep(1);
    }
  },

  async closeInProgress() {
    const map = mapped();
    const { bytes } = map;
    const target = join(folder, "target");
    await waited(() =>
      copyFile(path, target, { method: "mmap", chunkSize: 4096, onProgress: () => map.close() })
    );
    assert.equal(bytes.length, 0);
    const source = openSync(path, "r");
    const sink = openSync(target, "w");
    let closed = false;
    await waited(() =>
      transfer(source, sink, {
        chunkSize: 4096,
        onProgress() {
          if (!closed) closeSync(source);
          closed = true;
        },
      })
    );
    closeSync(sink);
    if (!closed) closeSync(source);
  },

  async sendToWorker() {
    const worker = new Worker(new URL(import.meta.url), { workerData: "reader" });
    await once(worker, "message");
    for (let i = 0; i < 12; i++) {
      const map = mapped(i % 2 === 0 ? "read" : "write");
      const { bytes } = map;
      const sent = tried(() => (worker.postMessage(bytes, [bytes.buffer]), true));
      if (sent) assert.equal(bytes.length, 0);
      tried(() => map.bytes.fill(3));
      if (i % 3 === 0) tried(() => map.resize(MIB));
      tried(() => map.read(0, 10));
      tried(() => map.close());
    }
    collect();
    await sleep(100);
    await worker.terminate();
    collect();
  },

  clone() {
    for (const memory of [mapped(), MappedMemory.allocate(4 * MIB), mapped("read")]) {
      const { bytes } = memory;
      const moved = tried(() => structuredClone(bytes, { transfer: [bytes.buffer] }));
      tried(() => memory.bytes.fill(1));
      memory.close();
      if (moved !== undefined) {
        moved.fill(9);
        assert.equal(moved.length, 4 * MIB);
      }
    }
  },

  transfer() {
    const kept: ArrayBuffer[] = [];
    for (let i = 0; i < 24; i++) {
      const map = i % 2 === 0 ? mapped("write", MIB) : MappedMemory.allocate(MIB);
      const { buffer } = map.bytes;
      const move = [
        () => buffer.transfer(),
        () => buffer.transfer(10),
        () => buffer.transfer(3 * MIB),
        () => buffer.transfer(0),
        () => buffer.transferToFixedLength(MIB / 2),
        () => buffer.resize(10) as unknown as ArrayBuffer,
      ][i % 6]!;
      const moved = tried(move);
      tried(() => map.bytes.fill(2));
      if (i % 4 === 0) tried(() => map.resize(2 * MIB));
      map.close();
      collect();
      if (moved !== undefined) kept.push(moved);
    }
    for (const buffer of kept) new Uint8Array(buffer).fill(5);
  },

  async untransferable() {
    for (const memory of [mapped(), MappedMemory.allocate(MIB)]) {
      const { bytes } = memory;
      markAsUntransferable(bytes.buffer);
      memory.close();
      tried(() => bytes.fill(1));
    }
    for (let i = 0; i < 20; i++) {
      const aligned = AlignedBuffer.allocate(PAGE);
      markAsUntransferable(aligned.bytes.buffer);
      aligned.release();
      aligned.release();
    }
    const file = await DirectFile.open(path);
    for await (const bytes of file.readable({ lend: true })) markAsUntransferable(bytes.buffer);
    await file.close();
  },

  atomics() {
    const memory = MappedMemory.allocate(MIB);
    const { buffer } = memory.bytes;
    const words = new Int32Array(buffer);
    assert.equal(Atomics.add(words, 0, 5), 0);
    // Only memory that is shared by its kind can be waited on.
    assert.throws(() => Atomics.wait(words, 0, 5, 10), TypeError);
    assert.equal(Atomics.notify(words, 0), 0);
    const { waitAsync } = Atomics as unknown as { waitAsync?: (...args: unknown[]) => unknown };
    tried(() => waitAsync?.(words, 0, 5, 10));
    memory.close();
    assert.throws(() => Atomics.add(words, 0, 1), /./);
    assert.throws(() => Atomics.store(new Int32Array(buffer.slice(0)), 0, 1), /./);
  },

  async wasm() {
    const code = program();
    for (let i = 0; i < 4; i++) {
      writeFileSync(path, code);
      const map = MappedFile.open(path);
      const { bytes } = map;
      const compiling = waited(() => WebAssembly.compile(bytes));
      const starting = waited(() => WebAssembly.instantiate(bytes));
      if (i > 0) await sleep(i);
      map.close();
      await Promise.all([compiling, starting]);
      const again = MappedFile.open(path, { access: "write" });
      const module = new WebAssembly.Module(again.bytes);
      again.bytes.fill(0);
      again.close();
      // Whatever is compiled late must not come from there.
      assert.equal(new WebAssembly.Instance(module).exports["f"]!(), 42);
    }
  },

  async decoders() {
    const map = mapped();
    const decoder = new TextDecoder();
    decoder.decode(map.bytes.subarray(0, MIB + 1), { stream: true });
    const stream = new Response(map.bytes).text();
    const blob = new Blob([map.bytes]);
    const compressed = new Response(
      new Blob([map.bytes]).stream().pipeThrough(new CompressionStream("gzip")),
    ).arrayBuffer();
    const shown = Buffer.from(map.bytes.buffer);
    map.close();
    assert.equal(shown.length, 0);
    decoder.decode();
    await Promise.all([stream, compressed].map((promise) => waited(() => promise)));
    assert.equal((await blob.arrayBuffer()).byteLength, 4 * MIB);
  },

  async subtle() {
    const { subtle } = crypto;
    const key = await subtle.generateKey({ name: "AES-GCM", length: 128 }, true, ["encrypt"]);
    const hmac = { name: "HMAC", hash: "SHA-256" };
    for (let i = 0; i < 6; i++) {
      const map = mapped();
      const { bytes } = map;
      const iv = new Uint8Array(12);
      later.push(
        waited(() => subtle.digest("SHA-512", bytes)),
        waited(() => subtle.encrypt({ name: "AES-GCM", iv }, key, bytes)),
        waited(() => subtle.importKey("raw", bytes, hmac, false, ["sign"])),
      );
      tried(() => crypto.getRandomValues(bytes.subarray(0, 65_536)));
      if (i % 2 === 0) await sleep(i);
      map.close();
    }
  },

  twoMaps() {
    for (let i = 0; i < 12; i++) {
      const [a, b] = [mapped("write"), MappedFile.open(path)] as const;
      const c = MappedFile.open(path, { access: "copy-on-write", offset: PAGE });
      const views = [a.bytes, b.bytes, c.bytes] as const;
      const fd = openSync(path, "r+");
      ftruncateSync(fd, i % 3 * PAGE);
      for (const view of views) view.fill(7);
      tried(() => b.close());
      ftruncateSync(fd, 4 * MIB);
      for (const view of views) void view[view.length - 1];
      tried(() => a.resize(MIB));
      tried(() => c.resize(8 * MIB));
      ftruncateSync(fd, 0);
      for (const map of [a, b, c]) tried(() => map.bytes.fill(1));
      for (const map of [c, a, b]) tried(() => map.close());
      closeSync(fd);
    }
  },

  async resizeUnderWrite() {
    const fd = openSync(join(folder, "out"), "w");
    for (let i = 0; i < 12; i++) {
      const memory = i % 2 === 0 ? MappedMemory.allocate(8 * MIB, { shared: false }) : mapped();
      for (let j = 0; j < 4; j++) {
        const { bytes } = memory;
        later.push(new Promise<void>((done) => write(fd, bytes, 0, bytes.length, 0, () => done())));
        memory.resize((8 + j) * MIB);
      }
      memory.bytes.fill(i);
      memory.close();
      if (i % 4 === 0) await sleep(2);
    }
    await Promise.all(later);
    closeSync(fd);
  },

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
      const worker = new Worker(new URL(import.meta.url), { workerData: path });
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
    const forked = fork(fileURLToPath(import.meta.url), ["nothing"], { stdio: "ignore" });
    const [code] = await once(forked, "exit");
    assert.equal(code, 0);
    map.close();
    await direct.close();
  },

  async lies() {
    file(MIB);
    const direct = await DirectFile.open(path, { access: "write" });
    const map = MappedFile.open(path);
    const huge = { value: 2 ** 30 };
    for (const name of ["length", "byteLength", "byteOffset"]) {
      const own = () => Object.defineProperty(new Uint8Array(PAGE), name, huge);
      const aligned = AlignedBuffer.allocate(PAGE);
      Object.defineProperty(aligned.bytes, name, huge);
      for (const bytes of [own(), aligned.bytes]) {
        await waited(() => direct.read(bytes, 0));
        await waited(() => direct.write(bytes, 0));
        await waited(() => direct.append(bytes));
        tried(() => map.readInto(bytes));
      }
      aligned.release();
    }
    class Liar extends Uint8Array<ArrayBuffer> {
      constructor() {
        super(new ArrayBuffer(PAGE));
      }
      override get length(): number {
        return 2 ** 30;
      }
      override get byteLength(): number {
        return 2 ** 30;
      }
    }
    // What a part of it is made by.
    class Parent extends Uint8Array<ArrayBuffer> {
      static get [Symbol.species](): unknown {
        return Liar;
      }
      constructor() {
        super(new ArrayBuffer(PAGE));
      }
    }
    await waited(() => direct.read(new Liar(), 0));
    await waited(() => direct.write(new Liar(), 0));
    tried(() => map.readInto(new Liar()));
    await waited(() => direct.read(new Parent(), 0));
    await waited(() => direct.write(new Parent(), 1));
    tried(() => map.readInto(new Parent()));
    for (const wrong of [Object.create(Uint8Array.prototype), new Proxy(new Uint8Array(8), {})]) {
      await waited(() => direct.read(wrong, 0));
      tried(() => map.readInto(wrong));
    }
    const source = async function* () {
      yield new Liar();
      yield Object.defineProperty(new Uint8Array(PAGE), "length", huge);
    };
    const sink = openSync(join(folder, "out"), "w");
    await waited(() => transfer(source(), sink));
    closeSync(sink);
    // Whoever says that a buffer was emptied may be lying, too.
    const { bytes } = map;
    Object.defineProperties(bytes.buffer, {
      transfer: { value: () => bytes.buffer },
      byteLength: { value: 0 },
    });
    map.close();
    collect();
    tried(() => bytes.fill(1));
    await direct.close();
  },

  reentered() {
    const map = mapped();
    const close = {
      get offset() {
        return (map.close(), 0);
      },
      length: PAGE,
    };
    tried(() => map.flush(close));
    const other = mapped();
    void other.bytes;
    tried(() =>
      other.advise("normal", {
        get offset() {
          return (other.close(), 0);
        },
      })
    );
    const third = mapped("write");
    tried(() =>
      third.protect("read", {
        get length() {
          return (third.resize(10), PAGE);
        },
      })
    );
    third.close();
  },

  huge() {
    for (
      const size of [2 ** 33, 2 ** 36, 2 ** 40, 2 ** 45, 2 ** 47, 2 ** 52, Number.MAX_SAFE_INTEGER]
    ) {
      for (const shared of [true, false]) {
        const memory = tried(() => MappedMemory.allocate(size, { shared }));
        tried(() => memory?.bytes);
        tried(() => memory?.view(size - PAGE).fill(1));
        tried(() => memory?.resize(size * 2));
        memory?.close();
      }
      tried(() => AlignedBuffer.allocate(size));
    }
    const limit = AlignedBuffer.budget;
    AlignedBuffer.budget = Number.MAX_SAFE_INTEGER;
    tried(() => AlignedBuffer.allocate(2 ** 32, 2 ** 30).release());
    AlignedBuffer.budget = limit;
  },

  deep() {
    const map = mapped();
    const dive = (depth: number): void => {
      try {
        dive(depth + 1);
      } catch {
        // The innermost calls have hardly any stack.
      }
      try {
        map.read(depth, 1);
        map.view(depth, 10);
        map.advise("normal");
        MappedMemory.allocate(PAGE).close();
        AlignedBuffer.allocate(PAGE).release();
      } catch {
        // Nor have these.
      }
    };
    let depth = 0;
    const measure = (): void => {
      depth++;
      measure();
    };
    assert.throws(measure);
    const enter = (left: number): void => {
      if (left > 0) enter(left - 1);
      else dive(0);
    };
    // As close to the end as can be, without diving through all of it.
    for (const left of [500, 200, 100, 50]) tried(() => enter(Math.max(0, depth - left)));
    map.close();
  },

  nothing() {},
};

/** What Workers of the above do. */
async function serve(): Promise<void> {
  if (workerData === "reader") {
    parentPort!.postMessage("ready");
    parentPort!.on("message", (bytes: Uint8Array) => {
      let sum = 0;
      for (let round = 0; round < 5; round++) for (const byte of bytes) sum += byte;
      bytes.fill(sum);
    });
    return;
  }
  const direct = await DirectFile.open(workerData as string, { access: "write" });
  parentPort!.postMessage("ready");
  for (;;) {
    await Promise.race(Array.from({ length: 64 }, (_, i) => {
      const aligned = AlignedBuffer.allocate(65_536);
      const working = direct[i % 2 === 0 ? "read" : "write"](aligned.bytes, i * 65_536);
      aligned.release();
      return working;
    }));
  }
}

if (isMainThread) {
  // What operations of the runtime say whose memory is gone is their own affair.
  process.on("uncaughtException", (error) => {
    if (error.name === "AssertionError") throw error;
    console.log(`uncaught ${error.message}`);
  });
  process.on("unhandledRejection", (error) => {
    if ((error as Error).name === "AssertionError") throw error;
    console.log(`unhandled ${error}`);
  });
  setTimeout(() => process.exit(3), 100_000).unref();
  await WAYS[process.argv[2]!]!();
  await Promise.all(later);
  collect();
  await sleep(20);
  console.log("alive");
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
} else {
  await serve();
}
