import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { missingSymbols } from "../../ffi/libc/mod.ts";
import { check } from "../../src/sys/check.ts";
import * as sys from "../../src/sys/mod.ts";
import { CLOSED_FD, scoped } from "../_kit/fds.ts";
import { pattern } from "../_kit/temp.ts";

const EBADF = -9;
const EAGAIN = -11;
const ENOSYS = -38;

describe("check()", () => {
  it("returns what is no error, and builds no text for it", () => {
    const action = () => assert.fail("text");
    assert.equal(check(0, "tee", action), 0);
    assert.equal(check(5, "tee", action), 5);
    const region = new sys.Region();
    assert.equal(check(region as sys.Region | number as sys.Region, "mmap", action), region);
  });

  it("throws an error with the fields of a system error", () => {
    assert.throws(() => check(EBADF, "tee", () => "duplicate fd 1 to fd 2"), {
      name: "SyscallError",
      code: "EBADF",
      errno: EBADF,
      syscall: "tee",
      bytesMoved: 0,
      message: "EBADF: Cannot duplicate fd 1 to fd 2: tee(2) failed",
    });
  });

  it("tells a call that the kernel lacks from one that the C library lacks", () => {
    const call = () => check(ENOSYS, "tee", () => "duplicate");
    assert.throws(call, { name: "SyscallError", code: "ENOSYS" });
    const missing = missingSymbols() as Set<string>;
    missing.add("tee");
    try {
      assert.throws(call, {
        name: "UnsupportedError",
        message: "Cannot duplicate: this C library has no tee(); use a newer one",
      });
      assert.throws(() => check(EBADF, "tee", () => "duplicate"), { name: "SyscallError" });
      assert.throws(() => check(ENOSYS, "splice", () => "splice"), { name: "SyscallError" });
    } finally {
      missing.delete("tee");
    }
  });
});

describe("sys.raw", () => {
  it("answers -errno and throws nothing", () => {
    const { raw } = sys;
    const byte = new Uint8Array(1);
    assert.equal(raw.read(CLOSED_FD, byte), EBADF);
    assert.equal(raw.sendfile(CLOSED_FD, CLOSED_FD, 0, 1), EBADF);
    assert.equal(raw.posixFadvise(CLOSED_FD, 0, 0, 0), EBADF);
    assert.equal(raw.openat2(CLOSED_FD, "x", 0, 0, 0), EBADF);
    assert.equal(raw.mmap(1, 1, 1, CLOSED_FD, 0), EBADF);
    assert.equal(raw.ioctlInt(CLOSED_FD, 1), EBADF);
    assert.equal(raw.close(-1), EBADF);
  });

  it(
    "polls one descriptor, and waits with a list of events",
    scoped((scope) => {
      const [read, write] = scope.pipe();
      assert.equal(sys.raw.poll(read, sys.PollEvent.IN, 0), 0);
      assert.equal(sys.raw.read(read, new Uint8Array(1)), EAGAIN);
      sys.write(write, pattern(1));
      assert.equal(sys.raw.poll(read, sys.PollEvent.IN, -1), sys.PollEvent.IN);
      const set = scope.fd(sys.raw.epollCreate1(0));
      sys.raw.epollCtl(set, sys.EpollOp.ADD, read, sys.EpollEvent.IN);
      const list = new sys.raw.EventList(4);
      assert.equal(list.wait(set, -1), 1);
      assert.deepEqual([list.fd(0), list.events(0)], [read, sys.EpollEvent.IN]);
    }),
  );

  it(
    "reads by the same array again and again while the collector runs",
    scoped((scope) => {
      const fd = scope.memfd(pattern(100));
      const target = new Uint8Array(1);
      for (let i = 0; i < 100; i++) {
        new Uint8Array(1 << 20).fill(1);
        assert.equal(sys.raw.preadv2(fd, target, i, 0), 1);
        assert.equal(target[0], i);
      }
    }),
  );
});
