import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import process from "node:process";
import { describe, it } from "node:test";
import { Pipe, type SyscallError } from "../../../src/mod.ts";
import * as sys from "../../../src/sys/mod.ts";
import { runChild } from "../../_kit/child.ts";
import { drain, openFds, withoutLeak } from "../../_kit/fds.ts";
import { pattern } from "../../_kit/temp.ts";

const KIB = 1024;
const NOT_ROOT = process.getuid?.() !== 0 || !existsSync("/usr/bin/setpriv")
  ? "only root can try what a user without privileges gets"
  : false;

describe("new Pipe()", () => {
  it("opens two descriptors that do not wait and are not inherited", () => {
    const pipe = new Pipe();
    try {
      for (const fd of [pipe.readFd, pipe.writeFd]) {
        assert.equal(sys.closesOnExec(fd), true);
        assert.notEqual(sys.statusFlags(fd) & sys.OpenFlag.NONBLOCK, 0);
      }
      sys.write(pipe.writeFd, pattern(300));
      assert.deepEqual(drain(pipe.readFd), pattern(300));
      assert.throws(() => sys.read(pipe.readFd, new Uint8Array(1)), { code: "EAGAIN" });
    } finally {
      pipe.close();
    }
  });

  it("waits when it is asked to", () => {
    const pipe = new Pipe({ blocking: true });
    try {
      for (const fd of [pipe.readFd, pipe.writeFd]) {
        assert.equal(sys.statusFlags(fd) & sys.OpenFlag.NONBLOCK, 0);
      }
    } finally {
      pipe.close();
    }
  });

  it("tells the capacity that the kernel gave", () => {
    for (
      const [wish, capacity] of [[undefined, 64 * KIB], [1, 4 * KIB], [100_000, 128 * KIB], [
        1024 * KIB,
        1024 * KIB,
      ]] as const
    ) {
      const pipe = new Pipe({ capacity: wish });
      try {
        assert.equal(pipe.capacity, capacity, String(wish));
        assert.equal(sys.pipeSize(pipe.readFd), pipe.capacity);
      } finally {
        pipe.close();
      }
    }
  });

  it("refuses other options before any call", () => {
    const before = openFds();
    const wrong = (options: unknown) => () => new Pipe(options as { capacity: number });
    for (const options of [null, 1, { capacity: "1" }, { blocking: 1 }]) {
      assert.throws(wrong(options), TypeError);
    }
    for (const capacity of [-1, 0, 1.5, NaN, Infinity, 2 ** 31]) {
      assert.throws(wrong({ capacity }), RangeError);
    }
    assert.equal(openFds(), before);
  });

  it("gives a user without privileges what there is", { skip: NOT_ROOT }, async () => {
    const child = new URL("../_fixtures/many_pipes.ts", import.meta.url);
    const { stdout, stderr, code } = await runChild(child, { timeoutMs: 30_000 });
    assert.equal(code, 0, stderr);
    const { pipes, capacities } = JSON.parse(stdout);
    assert.equal(pipes, 80, stderr);
    // 64 MiB are allowed; and then the kernel halves, and gives two pages at last.
    assert.equal(capacities[0], 1024 * KIB);
    assert.ok(capacities.at(-1) < 64 * KIB, String(capacities));
  });
});

describe("Pipe", () => {
  it("closes each end once, and both", () => {
    withoutLeak(() => {
      const pipe = new Pipe();
      assert.equal(pipe.closed, false);
      sys.write(pipe.writeFd, pattern(2));
      pipe.closeWrite();
      pipe.closeWrite();
      assert.equal(pipe.writeFd, -1);
      assert.equal(drain(pipe.readFd).length, 2);
      assert.equal(drain(pipe.readFd).length, 0);
      pipe.close();
      pipe.close();
      assert.deepEqual([pipe.readFd, pipe.closed], [-1, true]);
    });
    withoutLeak(() => {
      const pipe = new Pipe();
      try {
        pipe.closeRead();
        assert.throws(() => sys.write(pipe.writeFd, pattern(1)), { code: "EPIPE" });
      } finally {
        pipe.close();
      }
    });
  });

  it("shares memory with its reader, which stays readable after the memory is unmapped", () => {
    const pipe = new Pipe();
    try {
      const { READ, WRITE } = sys.Protection;
      const { PRIVATE, ANONYMOUS } = sys.MapFlag;
      const region = sys.mmap(64 * KIB, READ | WRITE, PRIVATE | ANONYMOUS, null);
      region.bytes().set(pattern(64 * KIB));
      assert.equal(pipe.share([{ region, offset: 4096, length: 8192 }]), 8192);
      region.bytes()[4096] = 99;
      sys.munmap(region);
      const read = drain(pipe.readFd);
      assert.equal(read[0], 99);
      assert.deepEqual(read.subarray(1), pattern(64 * KIB).subarray(4097, 4096 + 8192));
    } finally {
      pipe.close();
    }
  });

  it("shares nothing more when it is full, and only memory that stays", () => {
    const pipe = new Pipe();
    try {
      const region = sys.mmap(
        pipe.capacity + 4096,
        sys.Protection.READ,
        sys.MapFlag.PRIVATE | sys.MapFlag.ANONYMOUS,
        null,
      );
      assert.equal(pipe.share([{ region }]), pipe.capacity);
      assert.equal(pipe.share([{ region }]), 0);
      sys.munmap(region);
      assert.throws(() => pipe.share([{ region }]), TypeError);
      const heap = sys.posixMemalign(4096, 4096);
      assert.throws(() => pipe.share([{ region: heap }]), TypeError);
      sys.free(heap);
      assert.throws(() => pipe.share(1 as never), TypeError);
      pipe.close();
      assert.throws(() => pipe.share([]), (error: SyscallError) => error.code === "EBADF");
    } finally {
      pipe.close();
    }
  });
});
