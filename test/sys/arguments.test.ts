import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as sys from "../../src/sys/mod.ts";
import { fdOf } from "../../src/sys/fd.ts";

const NO_FDS = [-1, 1.5, NaN, Infinity, 2 ** 31, "1", null, undefined, {}, { fd: -1 }, true, 1n];
const NO_COUNTS = [-1, 1.5, NaN, sys.MAX_COUNT + 1];
const NO_OFFSETS = [-1, 1.5, NaN, 2 ** 53];
const NO_NUMBERS = ["1", 1n, true, {}, [], Symbol("x"), undefined];
const FD = 999_999;
const bytes = new Uint8Array(1);

/** Calls that take a descriptor first, with everything else right. */
const BY_FD: Record<string, (fd: sys.FdLike) => unknown> = {
  close: (fd) => sys.close(fd),
  dupCloexec: (fd) => sys.dupCloexec(fd),
  statusFlags: (fd) => sys.statusFlags(fd),
  closesOnExec: (fd) => sys.closesOnExec(fd),
  read: (fd) => sys.read(fd, bytes),
  write: (fd) => sys.write(fd, bytes),
  preadv2: (fd) => sys.preadv2(fd, bytes, 0),
  lseek: (fd) => sys.lseek(fd, 0, 0),
  fallocate: (fd) => sys.fallocate(fd, 0, 0, 1),
  posixFadvise: (fd) => sys.posixFadvise(fd, 0, 0, 0),
  cachestat: (fd) => sys.cachestat(fd, 0, 0),
  fsync: (fd) => sys.fsync(fd),
  sendfile: (fd) => sys.sendfile(fd, FD, 0, 1),
  "sendfile, second": (fd) => sys.sendfile(FD, fd, 0, 1),
  copyFileRange: (fd) => sys.copyFileRange(fd, 0, FD, 0, 1),
  ficlone: (fd) => sys.ficlone(FD, fd),
  splice: (fd) => sys.splice(FD, null, fd, null, 1),
  tee: (fd) => sys.tee(fd, FD, 1),
  pipeSize: (fd) => sys.pipeSize(fd),
  seals: (fd) => sys.seals(fd),
  poll: (fd) => sys.poll([{ fd, events: 0 }], 0),
  epollWait: (fd) => sys.epollWait(fd, 1, 0),
  listen: (fd) => sys.listen(fd, 1),
  send: (fd) => sys.send(fd, bytes),
  getsockopt: (fd) => sys.getsockopt(fd, 1, 1),
  fionread: (fd) => sys.fionread(fd),
  ioUringEnter: (fd) => sys.ioUringEnter(fd, 0, 0),
};

const BY_COUNT: Record<string, (count: number) => unknown> = {
  sendfile: (count) => sys.sendfile(FD, FD, 0, count),
  copyFileRange: (count) => sys.copyFileRange(FD, 0, FD, 0, count),
  splice: (count) => sys.splice(FD, null, FD, null, count),
  tee: (count) => sys.tee(FD, FD, count),
  readahead: (count) => sys.readahead(FD, 0, count),
  recvDiscard: (count) => sys.recvDiscard(FD, count),
};

const BY_OFFSET: Record<string, (offset: number) => unknown> = {
  sendfile: (offset) => sys.sendfile(FD, FD, offset, 1),
  copyFileRange: (offset) => sys.copyFileRange(FD, null, FD, offset, 1),
  splice: (offset) => sys.splice(FD, offset, FD, null, 1),
  pread: (offset) => sys.pread(FD, bytes, offset),
  pwrite: (offset) => sys.pwrite(FD, bytes, offset),
  pwritev2: (offset) => sys.pwritev2(FD, bytes, offset),
  ftruncate: (offset) => sys.ftruncate(FD, offset),
  fallocate: (offset) => sys.fallocate(FD, 0, offset, 1),
  posixFadvise: (offset) => sys.posixFadvise(FD, offset, 0, 0),
  readahead: (offset) => sys.readahead(FD, offset, 1),
  syncFileRange: (offset) => sys.syncFileRange(FD, offset, 0, 0),
  mmap: (offset) => sys.mmap(1, 1, 1, FD, offset),
};

const BY_FLAGS: Record<string, (flags: number) => unknown> = {
  open: (flags) => sys.open("/", flags),
  pipe2: (flags) => sys.pipe2(flags),
  splice: (flags) => sys.splice(FD, null, FD, null, 1, flags),
  tee: (flags) => sys.tee(FD, FD, 1, flags),
  vmsplice: (flags) => sys.vmsplice(FD, [], flags),
  mmap: (flags) => sys.mmap(1, 1, flags, null),
  memfdCreate: (flags) => sys.memfdCreate("x", flags),
  send: (flags) => sys.send(FD, bytes, flags),
  eventfd: (flags) => sys.eventfd(0, flags),
  epollCreate1: (flags) => sys.epollCreate1(flags),
  accept4: (flags) => sys.accept4(FD, flags),
};

describe("descriptors", () => {
  for (const [name, call] of Object.entries(BY_FD)) {
    it(`are examined by ${name}`, () => {
      for (const fd of NO_FDS) assert.throws(() => call(fd as sys.FdLike), TypeError, String(fd));
    });
  }

  it("may be held by an object, whose fd is read at each call", () => {
    const file = { fd: 7 };
    assert.equal(fdOf(file), 7);
    file.fd = 8;
    assert.equal(fdOf(file), 8);
  });

  it("are named in the message", () => {
    assert.throws(() => sys.sendfile(3, -1, 0, 1), {
      message: "Cannot use -1 as the source descriptor: expected an integer >= 0",
    });
  });
});

describe("numbers", () => {
  for (const [name, call] of Object.entries(BY_COUNT)) {
    it(`that count are examined by ${name}`, () => {
      for (const count of NO_COUNTS) assert.throws(() => call(count), RangeError, `${count}`);
      for (const count of NO_NUMBERS) assert.throws(() => call(count as number), TypeError);
    });
  }

  for (const [name, call] of Object.entries(BY_OFFSET)) {
    it(`that are offsets are examined by ${name}`, () => {
      for (const offset of NO_OFFSETS) assert.throws(() => call(offset), RangeError, `${offset}`);
      for (const offset of NO_NUMBERS.slice(0, -1)) {
        assert.throws(() => call(offset as number), TypeError);
      }
    });
  }

  for (const [name, call] of Object.entries(BY_FLAGS)) {
    it(`that are flags are examined by ${name}`, () => {
      for (const flags of [-1, 0.5, NaN, 2 ** 31]) {
        assert.throws(() => call(flags), RangeError, `${flags}`);
      }
      for (const flags of NO_NUMBERS.slice(0, -1)) {
        assert.throws(() => call(flags as number), TypeError);
      }
    });
  }

  it("state what is and what is wanted", () => {
    assert.throws(() => sys.tee(1, 2, -1), {
      name: "RangeError",
      message: "Cannot use -1 as count: expected an integer in 0..2147479552",
    });
  });

  it("of time are -1 or more", () => {
    for (const timeoutMs of [-2, 0.5, NaN, 2 ** 31]) {
      assert.throws(() => sys.poll([], timeoutMs), RangeError);
      assert.throws(() => sys.epollWait(FD, 1, timeoutMs), RangeError);
    }
    assert.throws(() => sys.epollWait(FD, 0, 0), RangeError);
  });
});

describe("memory and paths", () => {
  it("are a Uint8Array", () => {
    const others: unknown[] = [null, undefined, "abc", [1], new ArrayBuffer(1), new Uint16Array(1)];
    for (const wrong of others) {
      const memory = wrong as Uint8Array;
      assert.throws(() => sys.read(FD, memory), TypeError);
      assert.throws(() => sys.pwrite(FD, memory, 0), TypeError);
      assert.throws(() => sys.preadv2(FD, [bytes, memory], 0), TypeError);
      assert.throws(() => sys.recv(FD, memory), TypeError);
    }
  });

  it("are a string without NUL", () => {
    for (const wrong of [null, undefined, 1, "a\0b", new URL("file:///")]) {
      const path = wrong as string;
      assert.throws(() => sys.open(path, 0), TypeError);
      assert.throws(() => sys.openat2(null, path, { flags: 0 }), TypeError);
      assert.throws(() => sys.statx(null, path), TypeError);
      assert.throws(() => sys.memfdCreate(path), TypeError);
    }
  });

  it("are lists where C takes lists", () => {
    assert.throws(() => sys.poll({} as sys.PollEntry[], 0), TypeError);
    assert.throws(() => sys.vmsplice(FD, {} as sys.RegionRange[]), TypeError);
  });
});
