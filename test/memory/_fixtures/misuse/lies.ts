/** Arguments with false properties. @module */

import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import {
  AlignedBuffer,
  DirectFile,
  MappedFile,
  MappedMemory,
  transfer,
} from "../../../../src/mod.ts";
import { collect, file, folder, mapped, MIB, PAGE, path, tried, waited } from "./kit.ts";

export const LIES: Record<string, () => unknown> = {
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
    // `subarray()` creates its result by this class.
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
    // A claim that a buffer was detached may be false, too.
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
};
