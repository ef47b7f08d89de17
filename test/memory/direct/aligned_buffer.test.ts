import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { addressOf } from "../../../ffi/libc/mod.ts";
import { AlignedBuffer } from "../../../src/mod.ts";

const MIB = 1024 * 1024;

/** Runs `body` under a budget, and puts back the one before. */
function withBudget(bytes: number, body: () => void): void {
  const before = AlignedBuffer.budget;
  AlignedBuffer.budget = bytes;
  try {
    body();
  } finally {
    AlignedBuffer.budget = before;
  }
}

/** Kernels are built without them, too. */
const NO_HUGE_PAGES = !existsSync("/sys/kernel/mm/transparent_hugepage") &&
  "this kernel has no transparent huge pages";

/** The kernel's flags of the memory of a buffer: "VmFlags" in proc_pid_smaps(5). */
function flagsOf({ bytes }: AlignedBuffer): string {
  const address = Number(addressOf(bytes));
  let within = false;
  for (const line of readFileSync("/proc/self/smaps", "utf8").split("\n")) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line);
    if (range) {
      within = parseInt(range[1]!, 16) <= address &&
        address + bytes.length <= parseInt(range[2]!, 16);
    } else if (within && line.startsWith("VmFlags:")) return line;
  }
  assert.fail("the memory is not in /proc/self/smaps");
}

describe("AlignedBuffer.allocate()", () => {
  for (const alignment of [1, 2, 8, 512, 4096, 65536, 2 * MIB]) {
    it(`aligns to ${alignment}, whatever the size`, () => {
      for (const size of [1, 511, 512, 4095, 4096, 4097, 70_000, MIB, MIB + 1, 3 * MIB]) {
        const buffer = AlignedBuffer.allocate(size, alignment);
        try {
          assert.equal(Number(addressOf(buffer.bytes)) % alignment, 0);
          assert.equal(buffer.bytes.length, size);
          assert.equal(buffer.bytes.byteOffset, 0);
          buffer.bytes.fill(0xa5);
          assert.ok(buffer.bytes.every((byte) => byte === 0xa5));
        } finally {
          buffer.release();
        }
      }
    });
  }

  it("aligns to a page unless told otherwise", () => {
    for (let i = 0; i < 20; i++) {
      const buffer = AlignedBuffer.allocate(100 + i);
      try {
        assert.equal(Number(addressOf(buffer.bytes)) % 4096, 0);
      } finally {
        buffer.release();
      }
    }
  });

  it("never hands out the same memory twice", () => {
    const sizes = [1, 512, 4096, 5000, 100_000, MIB, MIB + 1];
    const buffers = Array.from({ length: 140 }, (_, i) => {
      const buffer = AlignedBuffer.allocate(sizes[i % sizes.length]!, 512);
      buffer.bytes.fill(i);
      return buffer;
    });
    buffers.forEach(({ bytes }, i) => assert.ok(bytes.every((byte) => byte === i), `buffer ${i}`));
    buffers.forEach((buffer) => buffer.release());
  });

  it("uses released memory again, and takes no more", () => {
    AlignedBuffer.allocate(4096).release();
    const { reserved } = AlignedBuffer;
    for (let i = 0; i < 20_000; i++) AlignedBuffer.allocate(1 + i % 4096).release();
    assert.equal(AlignedBuffer.reserved, reserved);
  });

  it("keeps to the budget, and says what to do", () => {
    withBudget(AlignedBuffer.reserved, () => {
      assert.throws(
        () => AlignedBuffer.allocate(512 * MIB),
        { name: "RangeError", message: /budget.*raise AlignedBuffer.budget/ },
      );
    });
  });

  it("uses a larger piece when the budget allows no new slab", () => {
    AlignedBuffer.allocate(5 * MIB).release();
    withBudget(AlignedBuffer.reserved, () => {
      const buffer = AlignedBuffer.allocate(4 * MIB + 1);
      try {
        assert.equal(buffer.bytes.length, 4 * MIB + 1);
      } finally {
        buffer.release();
      }
    });
  });

  it("keeps its pages from child processes, to which they could be copied while in use", () => {
    const buffer = AlignedBuffer.allocate(MIB, MIB);
    // "dc": do not copy the area on fork. See proc_pid_smaps(5).
    assert.match(flagsOf(buffer), /\bdc\b/);
    buffer.release();
  });

  it("asks for huge pages, if a device takes more of them at once", { skip: NO_HUGE_PAGES }, () => {
    const buffers = [8 * MIB, MIB, 4096].map((size) => AlignedBuffer.allocate(size));
    const [large, part, small] = buffers as [AlignedBuffer, AlignedBuffer, AlignedBuffer];
    assert.equal(Number(addressOf(large.bytes)) % (2 * MIB), 0);
    for (const buffer of [large, part]) assert.match(flagsOf(buffer), /\bhg\b/);
    assert.doesNotMatch(flagsOf(small), /\bhg\b/);
    for (const buffer of buffers) buffer.release();
  });

  it("refuses what is no size, no alignment and no budget", () => {
    const allocate = AlignedBuffer.allocate as (size: unknown, alignment?: unknown) => void;
    for (const size of ["1", null, undefined, {}, 1n]) {
      assert.throws(() => allocate(size), TypeError);
    }
    for (const size of [0, -1, 1.5, NaN, Infinity, 2 ** 32 + 1, 2 ** 53]) {
      assert.throws(() => allocate(size), RangeError);
    }
    for (const alignment of [0, -4096, 3, 1000, 1.5, NaN, 2 ** 31]) {
      assert.throws(() => allocate(4096, alignment), RangeError);
    }
    assert.throws(() => allocate(4096, "512"), TypeError);
    assert.throws(() => AlignedBuffer.budget = -1, RangeError);
  });
});

describe("AlignedBuffer.release()", () => {
  it("empties every view, and can be called again", () => {
    const buffer = AlignedBuffer.allocate(4096);
    const { bytes } = buffer;
    const part = bytes.subarray(10, 20);
    assert.equal(buffer.released, false);
    buffer.release();
    buffer.release();
    assert.equal(buffer.released, true);
    assert.deepEqual([bytes.length, part.length, buffer.bytes.length], [0, 0, 0]);
    assert.equal(bytes[0], undefined);
    bytes[0] = 1;
    const next = AlignedBuffer.allocate(4096);
    next.bytes.fill(7);
    assert.equal(part[0], undefined);
    next.release();
  });

  it("is called at the end of a using block", () => {
    let bytes: Uint8Array;
    {
      const buffer = AlignedBuffer.allocate(10);
      try {
        bytes = buffer.bytes;
      } finally {
        buffer.release();
      }
    }
    assert.equal(bytes.length, 0);
  });

  it("leaves memory alone that was handed to somebody else", () => {
    const buffer = AlignedBuffer.allocate(4096);
    buffer.bytes.fill(42);
    const moved = buffer.bytes.buffer.transfer();
    buffer.release();
    const others = Array.from({ length: 300 }, () => AlignedBuffer.allocate(4096));
    for (const { bytes } of others) bytes.fill(1);
    assert.ok(new Uint8Array(moved).every((byte) => byte === 42));
    others.forEach((other) => other.release());
  });
});
