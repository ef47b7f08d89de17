/** Mappings that are closed, moved and handed on while they are in use. @module */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { closeSync, ftruncateSync, openSync, write, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { markAsUntransferable, Worker } from "node:worker_threads";
import {
  AlignedBuffer,
  copyFile,
  DirectFile,
  MappedFile,
  MappedMemory,
  transfer,
} from "../../../../src/mod.ts";
import {
  collect,
  folder,
  later,
  mapped,
  MIB,
  PAGE,
  path,
  PROGRAM,
  program,
  tried,
  waited,
  WebAssembly,
} from "./kit.ts";

export const MAPPINGS: Record<string, () => unknown> = {
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
    const worker = new Worker(PROGRAM, { workerData: "reader" });
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
};
