import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Cell } from "../../ffi/libc/cell.ts";
import { addressOf, bindAll, fold, libc, libraryName, view } from "../../ffi/libc/mod.ts";
import { byNumber } from "../../ffi/libc/by_number.ts";
import { backend } from "../../ffi/mod.ts";
import { withFile } from "../_kit/temp.ts";

const EBADF = -9;
const EINVAL = -22;
const ENOSYS = -38;
const PROT_READ_WRITE = 3;
const PRIVATE_ANONYMOUS = 0x22;

/** Functions of the C library that return their argument; sluice uses them for tests only. */
const ECHO = {
  /** `int abs(int)` */
  abs: { args: ["i32"], returns: "i32" },
  /** `long labs(long)` */
  labs: { args: ["i64"], returns: "i64" },
  /** `uint32_t htonl(uint32_t)` */
  htonl: { args: ["u32"], returns: "i32" },
  /** `void *memcpy(void *target, const void *source, size_t n)`, which returns `target` */
  memcpy: { args: ["u64", "buffer", "u64"], returns: "i64" },
} as const;

/** Runs the body with a page of its own. */
function withPage(body: (address: bigint) => void): void {
  const address = BigInt(libc().mmap(0n, 4096n, PROT_READ_WRITE, PRIVATE_ANONYMOUS, -1, 0n));
  try {
    body(address);
  } finally {
    assert.equal(libc().munmap(address, 4096n), 0);
  }
}

/** Makes the collector run, on runtimes that offer no way to ask for it. */
function allocate(): void {
  for (let i = 0; i < 200; i++) new Uint8Array(1 << 20).fill(i);
}

// The same questions for every backend: the portable code relies on these answers.
describe(`the ${backend().name} backend`, () => {
  const echo = backend().bind(libraryName(), ECHO);

  it("passes i32 with its sign and its limits", () => {
    for (const value of [0, 1, -1, 2 ** 31 - 1, -(2 ** 31) + 1]) {
      assert.equal(echo.abs(value), Math.abs(value));
    }
    assert.equal(typeof echo.abs(-1), "number");
  });

  it("passes u32 beyond 2^31", () => {
    assert.equal(echo.htonl(0x8000_0001) >>> 0, 0x0100_0080);
    assert.equal(echo.htonl(0xffff_ffff), -1);
  });

  it("passes i64 exactly in both directions, also beyond 2^53", () => {
    for (const value of [0n, 1n, 2n ** 31n, 2n ** 32n + 5n, 2n ** 53n + 1n, 2n ** 63n - 1n]) {
      assert.equal(BigInt(echo.labs(value)), value);
      assert.equal(BigInt(echo.labs(-value)), value);
    }
  });

  it("returns a negative i64 beyond -2^53 exactly", () => {
    // The one number without a positive counterpart.
    assert.equal(BigInt(echo.labs(-(2n ** 63n))), -(2n ** 63n));
  });

  it("passes u64 with all bits set", () => {
    withPage((address) => {
      assert.equal(BigInt(echo.memcpy(address, new Uint8Array([7]), 1n)), address);
      assert.equal(view(address, 1)[0], 7);
    });
    // As a length it is more than there can be.
    assert.equal(fold(libc().munmap(0n, 2n ** 64n - 1n)), EINVAL);
  });

  it("passes six integers of 64 bits", () => {
    withPage((address) => {
      const past = 2n ** 62n;
      // A file offset that does not fit a double: the kernel finds it unaligned.
      assert.equal(fold(libc().mmap(0n, 4096n, 1, PRIVATE_ANONYMOUS, -1, past + 1n)), EINVAL);
      assert.equal(fold(libc().msync(address, 4096n, 4)), 0);
    });
  });

  it("keeps the sign of -1", () => {
    assert.equal(libc().close(-1), -1);
    assert.equal(Number(libc().mmap(0n, 0n, 1, PRIVATE_ANONYMOUS, -1, 0n)), -1);
    assert.equal(Number(libc().read(-1, new Uint8Array(1), 1n)), -1);
  });

  it("leaves errno readable after each of 100,000 failures", () => {
    const byte = new Uint8Array(1);
    for (let i = 0; i < 50_000; i++) {
      if (fold(libc().close(-1)) !== EBADF) assert.fail(`close ${i}`);
      if (fold(libc().pread(0, byte, 1n, -1n)) !== EINVAL) assert.fail(`pread ${i}`);
    }
  });

  it("keeps errno across successful calls in between", () => {
    assert.equal(fold(libc().close(-1)), EBADF);
    withPage(() => assert.equal(fold(libc().close(-1)), EBADF));
  });

  it("writes through a buffer argument, at the offset of a view", () => {
    const fds = new Int32Array([-1, -1, -1, -1]);
    assert.equal(libc().pipe2(new Uint8Array(fds.buffer, 8, 8), 0o2000000), 0);
    assert.deepEqual([...fds.subarray(0, 2)], [-1, -1]);
    for (const fd of fds.subarray(2)) assert.equal(libc().close(fd), 0);
  });

  it("reads a view whose buffer is shared between threads", () => {
    const shared = new Uint8Array(new SharedArrayBuffer(8)).fill(5);
    withPage((address) => {
      echo.memcpy(address, shared.subarray(2, 4), 2n);
      assert.deepEqual([...view(address, 3)], [5, 5, 0]);
    });
  });

  it("accepts null and a zero-length buffer", () => {
    assert.equal(fold(libc().read(-1, null, 0n)), EBADF);
    assert.equal(fold(libc().read(-1, new Uint8Array(0), 0n)), EBADF);
    assert.equal(typeof addressOf(new Uint8Array(0)), "bigint");
    assert.equal(typeof addressOf(new Uint8Array(8).subarray(8)), "bigint");
  });

  it("shows memory rather than a copy, twice", () => {
    withPage((address) => {
      const [a, b] = [view(address, 4096), view(address + 4095n, 1)];
      a[4095] = 7;
      assert.equal(b[0], 7);
      b[0] = 8;
      assert.equal(a[4095], 8);
    });
  });

  it("empties a view when its buffer is transferred", () => {
    withPage((address) => {
      const shown = view(address, 4096);
      const late = shown.subarray(1);
      shown.buffer.transfer(0);
      assert.deepEqual([shown.length, late.length, late[0]], [0, 0, undefined]);
    });
  });

  it("tells the address of an array, at its offset", () => {
    const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
    assert.equal(addressOf(bytes.subarray(10)), addressOf(bytes) + 10n);
    assert.deepEqual([...view(addressOf(bytes) + 50n, 3)], [50, 51, 52]);
  });

  it("keeps the address of a short array while the collector runs", () => {
    // V8 and JavaScriptCore keep such arrays inside their heap until code reads `buffer`.
    const arrays = Array.from({ length: 500 }, (_, i) => new Uint8Array(8).fill(i));
    const addresses = arrays.map(addressOf);
    allocate();
    arrays.forEach((bytes, i) => {
      assert.equal(addressOf(bytes), addresses[i]);
      bytes[3] = i + 1;
      assert.equal(view(addresses[i]!, 8)[3], (i + 1) & 255);
    });
  });

  it("keeps a cell where it is while the collector runs", () => {
    const cell = new Cell(8);
    const { address } = cell;
    allocate();
    cell.view.setBigUint64(0, 0x0102n, true);
    assert.deepEqual([...view(address, 2)], [2, 1]);
  });

  it("throws for a symbol that the library lacks", () => {
    const table = { sluice_no_such_call: { args: [], returns: "i32" } } as const;
    assert.throws(() => backend().bind(libraryName(), table));
  });

  it("throws for a library that does not exist", () => {
    assert.throws(() => backend().bind("libsluice_none.so.0", ECHO));
  });
});

describe("bindAll()", () => {
  it("makes a missing symbol fail with ENOSYS and nothing else", () => {
    const missing = new Set<string>();
    const table = { ...ECHO, sluice_no_such_call: { args: ["i32"], returns: "i64" } } as const;
    const calls = bindAll(backend(), libraryName(), table, missing);
    assert.deepEqual([...missing], ["sluice_no_such_call"]);
    assert.equal((calls["abs"] as (n: number) => number)(-3), 3);
    libc().close(-1);
    assert.equal(fold((calls["sluice_no_such_call"] as (n: number) => number)(1)), ENOSYS);
    assert.equal(fold(libc().close(-1)), EBADF);
  });
});

describe("byNumber()", () => {
  const make = (name: string) => byNumber(backend(), libraryName(), name);
  const AT_EMPTY_PATH = 0x1000;
  const SIZE_MASK = 0x200;
  const SIZE_AT = 40;

  it("makes statx(), preadv2() and pwritev2() of syscall(), with their errno", () => {
    withFile("0123456789", (fd) => {
      const stat = new Cell(256);
      const path = new Uint8Array(1);
      const statx = make("statx")!;
      assert.equal(Number(statx(fd, path, AT_EMPTY_PATH, SIZE_MASK, stat.address)), 0);
      assert.equal(stat.view.getBigUint64(SIZE_AT, true), 10n);
      const [iovec, data] = [new Cell(16), new Cell(4)];
      iovec.view.setBigUint64(0, data.address, true);
      iovec.view.setBigUint64(8, 4n, true);
      assert.equal(Number(make("preadv2")!(fd, iovec.address, 1, 3n, 0)), 4);
      assert.equal(new TextDecoder().decode(data.bytes.slice()), "3456");
      assert.equal(fold(make("preadv2")!(-1, iovec.address, 1, 3n, 0) as bigint), EBADF);
      assert.equal(fold(make("pwritev2")!(-1, iovec.address, 1, 3n, 0) as bigint), EBADF);
    });
  });

  it("has nothing for other names", () => {
    assert.equal(make("read"), undefined);
    assert.equal(make("toString"), undefined);
  });
});
