import assert from "node:assert/strict";
import { constants as fs } from "node:fs";
import { constants as os } from "node:os";
import { describe, it } from "node:test";
import { DARWIN_ARM64, DARWIN_X64 } from "../../ffi/platform/darwin.ts";
import { LINUX_ARM64, LINUX_X64 } from "../../ffi/platform/linux.ts";
import { platform, supported, system } from "../../ffi/platform/mod.ts";
import type { Platform } from "../../ffi/platform/types.ts";
import { errnoName, errnoNumber } from "../../src/errors.ts";

const TABLES = { LINUX_X64, LINUX_ARM64, DARWIN_X64, DARWIN_ARM64 };

// From the headers of the kernel, in their own notation.
describe("the tables of Linux", () => {
  it("know that four bits of open(2) differ between the processors", () => {
    const bits = ({ open: o }: typeof LINUX_X64) => [o.DIRECT, o.DIRECTORY, o.NOFOLLOW, o.TMPFILE];
    assert.deepEqual(bits(LINUX_X64), [0o40000, 0o200000, 0o400000, 0o20200000]);
    assert.deepEqual(bits(LINUX_ARM64), [0o200000, 0o40000, 0o100000, 0o20040000]);
  });

  it("agree on all other bits of open(2)", () => {
    const { DIRECT: _, DIRECTORY: _1, NOFOLLOW: _2, TMPFILE: _3, ...x64 } = LINUX_X64.open;
    for (const [name, bit] of Object.entries(x64)) {
      assert.equal(LINUX_ARM64.open[name as "CREAT"], bit, name);
    }
  });

  it("know that struct epoll_event is packed on x64 only", () => {
    assert.deepEqual(LINUX_X64.epollEvent, { size: 12, data: 4 });
    assert.deepEqual(LINUX_ARM64.epollEvent, { size: 16, data: 8 });
  });

  it("agree on what asm-generic says once for all", () => {
    for (const key of ["map", "memoryAdvice", "msync", "seek", "ioctl", "syscalls"] as const) {
      assert.deepEqual(LINUX_ARM64[key], LINUX_X64[key], key);
    }
    for (const key of ["socket", "message", "fcntl", "errnoNames"] as const) {
      assert.deepEqual(LINUX_ARM64[key], LINUX_X64[key], key);
    }
  });

  it("hold the numbers of the kernel", () => {
    assert.equal(LINUX_X64.syscalls.io_uring_setup, 425);
    assert.equal(LINUX_X64.syscalls.openat2, 437);
    assert.equal(LINUX_X64.syscalls.cachestat, 451);
    assert.equal(LINUX_X64.fcntl.SETPIPE_SZ, 1024 + 7);
    assert.equal(LINUX_X64.fcntl.DUPFD_CLOEXEC, 1024 + 6);
    assert.equal(LINUX_X64.fcntl.ADD_SEALS, 1024 + 9);
    // _IOW(0x94, 9, int)
    assert.equal(LINUX_X64.ioctl.FICLONE, (1 << 30) | (4 << 16) | (0x94 << 8) | 9);
    assert.equal(LINUX_X64.memoryAdvice.POPULATE_READ, 22);
  });

  it("look for glibc and for musl", () => {
    // The linker of musl opens itself by any name that starts with "libc.", so a symbol decides.
    const glibc = { name: "libc.so.6", symbol: "gnu_get_libc_version" };
    const names = (table: Platform) => table.libraries.map(({ name }) => name);
    assert.deepEqual([LINUX_X64.libraries[0], LINUX_ARM64.libraries[0]], [glibc, glibc]);
    assert.ok(names(LINUX_X64).includes("libc.musl-x86_64.so.1"));
    assert.ok(names(LINUX_ARM64).includes("libc.musl-aarch64.so.1"));
  });
});

describe("the tables of macOS", () => {
  it("differ from each other in how variadic arguments travel, and in nothing else", () => {
    const { arch: _, variadicPadding: stack, ...arm64 } = DARWIN_ARM64;
    const { arch: _1, variadicPadding: registers, ...x64 } = DARWIN_X64;
    assert.deepEqual(arm64, x64);
    assert.deepEqual([stack, registers], [6, 0]);
  });

  it("swap EAGAIN and EDEADLK, and SEEK_DATA and SEEK_HOLE", () => {
    const { errnoNames, seek } = DARWIN_ARM64;
    assert.deepEqual([errnoNames[11], errnoNames[35]], ["EDEADLK", "EAGAIN"]);
    assert.deepEqual(seek, { DATA: 4, HOLE: 3 });
  });

  it("never name a number of a call that is Linux's own", () => {
    for (const number of Object.values(DARWIN_ARM64.syscalls)) assert.equal(number, -1);
  });
});

describe("every table", () => {
  for (const [name, table] of Object.entries(TABLES)) {
    it(`of ${name} names each errno once and none twice`, () => {
      const names = table.errnoNames.filter((errno) => errno !== undefined);
      assert.equal(new Set(names).size, names.length);
      assert.equal(table.errnoNames[0], undefined);
      for (const errno of names) assert.match(errno, /^E[A-Z0-9]+$/);
    });

    it(`of ${name} names the errnos at the same place as every Unix`, () => {
      const { errnoNames } = table;
      assert.deepEqual([errnoNames[1], errnoNames[9], errnoNames[22], errnoNames[32]], [
        "EPERM",
        "EBADF",
        "EINVAL",
        "EPIPE",
      ]);
    });
  }
});

describe("the table of this system", () => {
  it("is that of the process", () => {
    assert.equal(supported, true);
    assert.equal(system, `${platform.os}-${platform.arch}`);
  });

  it("agrees with the errnos of the runtime", () => {
    for (const [name, number] of Object.entries(os.errno)) {
      // Second names: EWOULDBLOCK is EAGAIN and ENOTSUP is EOPNOTSUPP on Linux.
      if (name === "EWOULDBLOCK" || name === "ENOTSUP") continue;
      assert.equal(errnoNumber(name), number, name);
      assert.equal(errnoName(number), name);
    }
    assert.equal(errnoName(4095), "E?4095");
    assert.equal(errnoNumber("ENONE"), 0);
  });

  it("agrees with the bits of the runtime's fs.open", () => {
    for (const [name, bit] of Object.entries(platform.open)) {
      const known = (fs as Record<string, number | undefined>)[`O_${name}`];
      if (known !== undefined) assert.equal(bit, known, name);
    }
    assert.equal(platform.open.DIRECTORY, fs.O_DIRECTORY);
  });
});
