import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as sys from "../../src/sys/mod.ts";
import { CLOSED_FD, drain, fails, scoped } from "../_kit/fds.ts";
import { pattern, withFile } from "../_kit/temp.ts";

const { OpenFlag, SpliceFlag } = sys;
const PAGE = sys.pageSize();

/** An anonymous mapping that holds `bytes`. */
function memory(bytes: Uint8Array): sys.Region {
  const { READ, WRITE } = sys.Protection;
  const { PRIVATE, ANONYMOUS } = sys.MapFlag;
  const region = sys.mmap(bytes.length, READ | WRITE, PRIVATE | ANONYMOUS, null);
  region.bytes().set(bytes);
  return region;
}

describe("pipe2()", () => {
  it(
    "opens a pipe with the flags",
    scoped((scope) => {
      const [read, write] = scope.pair(sys.pipe2(OpenFlag.CLOEXEC | OpenFlag.NONBLOCK));
      assert.equal(sys.closesOnExec(read), true);
      assert.equal(sys.statusFlags(write), OpenFlag.WRONLY | OpenFlag.NONBLOCK);
      sys.write(write, pattern(3));
      assert.deepEqual(drain(read), pattern(3));
    }),
  );

  it(
    "keeps the bounds of writes with O_DIRECT",
    scoped((scope) => {
      const [read, write] = scope.pipe(OpenFlag.NONBLOCK | OpenFlag.DIRECT);
      sys.write(write, pattern(3));
      sys.write(write, pattern(4));
      assert.equal(drain(read).length, 3);
      assert.equal(drain(read).length, 4);
    }),
  );

  it("throws EINVAL for the flags of a file", () =>
    fails("EINVAL", "pipe2", () => sys.pipe2(OpenFlag.APPEND)));
});

describe("pipeSize() and setPipeSize()", () => {
  it(
    "round up to a power of two",
    scoped((scope) => {
      const [read, write] = scope.pipe();
      assert.equal(sys.setPipeSize(write, 100_000), 131_072);
      assert.equal(sys.pipeSize(read), 131_072);
    }),
  );

  it(
    "throws EBUSY below what the pipe holds",
    scoped((scope) => {
      const [, write] = scope.pipe();
      sys.write(write, new Uint8Array(5 * PAGE));
      fails("EBUSY", "fcntl", () => sys.setPipeSize(write, PAGE));
    }),
  );

  it("throws EBADF for a file", () =>
    withFile("", (file) => {
      fails("EBADF", "fcntl", () => sys.pipeSize(file));
      fails("EBADF", "fcntl", () => sys.setPipeSize(file, PAGE));
    }));
});

describe("splice()", () => {
  it("moves from a file to a pipe and to a file, at offsets", () =>
    withFile(pattern(1000), (file) =>
      withFile("", (out) =>
        scoped((scope) => {
          const [read, write] = scope.pipe();
          assert.equal(sys.splice(file, 10, write, null, 100), 100);
          assert.equal(sys.splice(read, null, out, 5, 1000), 100);
          const target = new Uint8Array(105);
          sys.pread(out, target, 0);
          assert.deepEqual(target.subarray(5), pattern(1000).subarray(10, 110));
          assert.equal(sys.lseek(file, 0, sys.Whence.CUR), 0);
        })())));

  it("moves the file position when the offset is null", () =>
    withFile(pattern(1000), (file) =>
      scoped((scope) => {
        const [, write] = scope.pipe();
        sys.splice(file, null, write, null, 100);
        assert.equal(sys.lseek(file, 0, sys.Whence.CUR), 100);
      })()));

  it(
    "moves from a socket and between pipes",
    scoped((scope) => {
      const [client, server] = scope.tcp();
      const [read, write] = scope.pipe();
      const [next, last] = scope.pipe();
      sys.send(client, pattern(10));
      sys.poll([{ fd: server, events: sys.PollEvent.IN }], 1000);
      assert.equal(sys.splice(server, null, write, null, 100, SpliceFlag.NONBLOCK), 10);
      assert.equal(sys.splice(read, null, last, null, 4), 4);
      assert.deepEqual(drain(next), pattern(4));
      assert.deepEqual([...drain(read)], [4, 5, 6, 7, 8, 9]);
    }),
  );

  it(
    "moves datagrams and packets, and forgets their bounds",
    scoped((scope) => {
      for (const type of [sys.SocketType.DGRAM, sys.SocketType.SEQPACKET]) {
        const [a, b] = scope.unix(type);
        const [read, write] = scope.pipe();
        for (let i = 0; i < 2; i++) {
          sys.send(a, pattern(5));
          assert.equal(sys.splice(b, null, write, null, 100, SpliceFlag.NONBLOCK), 5);
        }
        assert.equal(drain(read).length, 10);
      }
    }),
  );

  it("returns 0 when the writers are gone, and at the end of a file", () =>
    withFile("", (file) =>
      scoped((scope) => {
        const [read, write] = sys.pipe2(OpenFlag.CLOEXEC);
        scope.fd(read);
        sys.close(write);
        const [, out] = scope.pipe();
        assert.equal(sys.splice(read, null, out, null, 10), 0);
        assert.equal(sys.splice(file, 0, out, null, 10), 0);
      })()));

  it("examines nothing for a count of 0", () =>
    assert.equal(sys.splice(CLOSED_FD, null, CLOSED_FD, null, 0), 0));

  it(
    "throws EAGAIN for an empty source, and for a full pipe with bytes waiting",
    scoped((scope) => {
      const [a, b] = scope.unix(sys.SocketType.SEQPACKET);
      const [, write] = scope.pipe();
      const splice = () => sys.splice(b, null, write, null, PAGE, SpliceFlag.NONBLOCK);
      fails("EAGAIN", "splice", splice);
      // Each packet of one byte costs a slot of a page: slots run out before bytes.
      sys.setPipeSize(write, 2 * PAGE);
      for (let i = 0; i < 3; i++) sys.send(a, pattern(1));
      assert.deepEqual([splice(), splice()], [1, 1]);
      fails("EAGAIN", "splice", splice);
      assert.equal(sys.fionread(b), 1);
    }),
  );

  it("throws EINVAL without a pipe, for one pipe, for O_APPEND and for unknown flags", () =>
    withFile("abc", (file, path) =>
      scoped((scope) => {
        const [read, write] = scope.pipe();
        sys.write(write, pattern(3));
        const append = scope.open(path, OpenFlag.WRONLY | OpenFlag.APPEND);
        fails("EINVAL", "splice", () => sys.splice(file, 0, file, 10, 3));
        fails("EINVAL", "splice", () => sys.splice(read, null, write, null, 3));
        fails("EINVAL", "splice", () => sys.splice(read, null, append, null, 3));
        fails("EINVAL", "splice", () => sys.splice(file, 0, write, null, 3, 0x100));
      })()));

  it(
    "throws ESPIPE for an offset on a pipe, and EINVAL for one on a socket",
    scoped((scope) => {
      const [read, write] = scope.pipe();
      const [, b] = scope.unix();
      fails("ESPIPE", "splice", () => sys.splice(read, 0, b, null, 3));
      fails("EINVAL", "splice", () => sys.splice(b, 0, write, null, 3));
    }),
  );

  it(
    "throws EBADF for a closed descriptor and for the wrong end",
    scoped((scope) => {
      const [read, write] = scope.pipe();
      fails("EBADF", "splice", () => sys.splice(CLOSED_FD, null, write, null, 3));
      fails("EBADF", "splice", () => sys.splice(scope.memfd(pattern(3)), 0, read, null, 3));
    }),
  );

  it("throws EPIPE when the reader is gone", () =>
    withFile("abc", (file) =>
      scoped((scope) => {
        const [read, write] = sys.pipe2(OpenFlag.CLOEXEC);
        scope.fd(write);
        sys.close(read);
        fails("EPIPE", "splice", () => sys.splice(file, 0, write, null, 3));
      })()));

  it("holds the old bytes of a file that is truncated meanwhile", () =>
    withFile(pattern(100), (file) =>
      scoped((scope) => {
        const [read, write] = scope.pipe();
        sys.splice(file, 0, write, null, 100);
        sys.ftruncate(file, 0);
        assert.deepEqual(drain(read), pattern(100));
      })()));

  it("fills a slot with a byte: a pipe takes less than its capacity less its content", () =>
    withFile(pattern(1 << 20), (file) =>
      scoped((scope) => {
        const [, write] = scope.pipe();
        sys.write(write, pattern(11));
        const moved = sys.splice(file, 0, write, null, 1 << 20);
        assert.equal(moved, sys.pipeSize(write) - PAGE);
      })()));
});

describe("tee()", () => {
  it(
    "duplicates without consuming, always from the head",
    scoped((scope) => {
      const [read, write] = scope.pipe();
      const [copy, out] = scope.pipe();
      sys.write(write, pattern(10));
      assert.equal(sys.tee(read, out, 4), 4);
      assert.equal(sys.tee(read, out, 4), 4);
      assert.deepEqual([...drain(copy)], [0, 1, 2, 3, 0, 1, 2, 3]);
      assert.deepEqual(drain(read), pattern(10));
    }),
  );

  it(
    "duplicates less when the target has fewer slots, then throws EAGAIN",
    scoped((scope) => {
      const [read, write] = scope.pipe();
      const [, out] = scope.pipe();
      sys.setPipeSize(out, PAGE);
      sys.write(write, pattern(8 * PAGE));
      assert.equal(sys.tee(read, out, 8 * PAGE, SpliceFlag.NONBLOCK), PAGE);
      fails("EAGAIN", "tee", () => sys.tee(read, out, 8 * PAGE, SpliceFlag.NONBLOCK));
    }),
  );

  it(
    "throws EAGAIN for an empty source, and returns 0 when its writers are gone",
    scoped((scope) => {
      const [read, write] = sys.pipe2(OpenFlag.CLOEXEC);
      scope.fd(read);
      const [, out] = scope.pipe();
      fails("EAGAIN", "tee", () => sys.tee(read, out, 10, SpliceFlag.NONBLOCK));
      sys.close(write);
      assert.equal(sys.tee(read, out, 10, SpliceFlag.NONBLOCK), 0);
    }),
  );

  it(
    "throws EINVAL for what is no pipe and for one pipe, EBADF for a closed one",
    scoped((scope) => {
      const [read, write] = scope.pipe();
      fails("EINVAL", "tee", () => sys.tee(read, scope.memfd(), 10));
      fails("EINVAL", "tee", () => sys.tee(read, write, 10));
      fails("EBADF", "tee", () => sys.tee(read, CLOSED_FD, 10));
    }),
  );

  it(
    "throws EPIPE when the reader of the target is gone",
    scoped((scope) => {
      const [read, write] = scope.pipe();
      sys.write(write, pattern(3));
      const [gone, out] = sys.pipe2(OpenFlag.CLOEXEC);
      scope.fd(out);
      sys.close(gone);
      fails("EPIPE", "tee", () => sys.tee(read, out, 3));
    }),
  );
});

describe("vmsplice()", () => {
  it(
    "shows several ranges to the reader, in order",
    scoped((scope) => {
      const region = scope.map(memory(pattern(100)));
      const [read, write] = scope.pipe();
      const ranges = [{ region, offset: 90 }, { region, offset: 5, length: 2 }, { region }];
      assert.equal(sys.vmsplice(write, ranges), 112);
      assert.deepEqual(
        [...drain(read)],
        [...pattern(100).subarray(90), 5, 6, ...pattern(100)],
      );
    }),
  );

  it(
    "shows a later change to the reader",
    scoped((scope) => {
      const region = scope.map(memory(pattern(100)));
      const [read, write] = scope.pipe();
      sys.vmsplice(write, [{ region }]);
      region.bytes()[0] = 99;
      assert.equal(drain(read)[0], 99);
    }),
  );

  it(
    "survives that the memory is unmapped",
    scoped((scope) => {
      const region = memory(pattern(100));
      const [read, write] = scope.pipe();
      sys.vmsplice(write, [{ region }]);
      sys.munmap(region);
      assert.deepEqual(drain(read), pattern(100));
    }),
  );

  it(
    "fills the memory from the end to read from",
    scoped((scope) => {
      const region = scope.map(memory(new Uint8Array(100)));
      const [read, write] = scope.pipe();
      sys.write(write, pattern(10));
      assert.equal(sys.vmsplice(read, [{ region, offset: 1 }]), 10);
      assert.deepEqual(region.bytes(1, 10), pattern(10));
    }),
  );

  it(
    "throws EAGAIN when the pipe is full",
    scoped((scope) => {
      const region = scope.map(memory(new Uint8Array(32 * PAGE)));
      const [, write] = scope.pipe();
      assert.equal(sys.vmsplice(write, [{ region }], SpliceFlag.NONBLOCK), sys.pipeSize(write));
      fails("EAGAIN", "vmsplice", () => sys.vmsplice(write, [{ region }], SpliceFlag.NONBLOCK));
    }),
  );

  it(
    "throws EBADF for a file, EINVAL for 1025 ranges, EFAULT for forbidden memory",
    scoped((scope) => {
      const region = scope.map(memory(new Uint8Array(PAGE)));
      const [, write] = scope.pipe();
      fails("EBADF", "vmsplice", () => sys.vmsplice(scope.memfd(), [{ region }]));
      const many = new Array(1025).fill({ region, length: 1 });
      fails("EINVAL", "vmsplice", () => sys.vmsplice(write, many));
      sys.mprotect(region, 0, PAGE, sys.Protection.NONE);
      fails("EFAULT", "vmsplice", () => sys.vmsplice(write, [{ region }]));
    }),
  );

  it(
    "refuses a range outside the region, and what is no region",
    scoped((scope) => {
      const region = scope.map(memory(new Uint8Array(10)));
      const [, write] = scope.pipe();
      assert.throws(() => sys.vmsplice(write, [{ region, offset: 8, length: 3 }]), RangeError);
      const fake = { length: 4096 } as sys.Region;
      assert.throws(() => sys.vmsplice(write, [{ region: fake }]), TypeError);
    }),
  );
});
