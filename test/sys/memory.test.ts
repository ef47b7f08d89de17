import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MUSL } from "../_kit/c_library.ts";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { runtime } from "../../ffi/mod.ts";
import * as sys from "../../src/sys/mod.ts";
import { CLOSED_FD, fails, type Scope, scoped } from "../_kit/fds.ts";
import { pattern, withFile } from "../_kit/temp.ts";

const { MapFlag, MemoryAdvice, MsyncFlag, OpenFlag, Protection, RemapFlag } = sys;
const PAGE = sys.pageSize();
const DETACHES_IN_USE: string | false = runtime().name !== "bun" &&
  "V8 detaches a buffer that an operation is using: the caller has to wait, see munmap()";
const READ_WRITE = Protection.READ | Protection.WRITE;

/** Anonymous memory, given back at the end. */
function anonymous(scope: Scope, length: number): sys.Region {
  return scope.map(sys.mmap(length, READ_WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS, null));
}

/** A shared mapping of a file, given back at the end. */
function shared(scope: Scope, fd: number, length: number): sys.Region {
  return scope.map(sys.mmap(length, READ_WRITE, MapFlag.SHARED, fd));
}

describe("mmap()", () => {
  it("shows a file, and stores reach it", () =>
    withFile(pattern(2 * PAGE), (fd) =>
      scoped((scope) => {
        const region = shared(scope, fd, 2 * PAGE);
        assert.deepEqual(region.bytes(), pattern(2 * PAGE));
        region.bytes(PAGE + 5, 1)[0] = 99;
        const target = new Uint8Array(1);
        sys.pread(fd, target, PAGE + 5);
        assert.equal(target[0], 99);
      })()));

  it("maps from an offset, and outlives the descriptor", () =>
    withFile(pattern(3 * PAGE), (_, path) =>
      scoped((scope) => {
        const fd = sys.open(path, OpenFlag.RDONLY);
        const region = scope.map(sys.mmap(PAGE, Protection.READ, MapFlag.PRIVATE, fd, PAGE));
        sys.close(fd);
        assert.deepEqual(region.bytes(), pattern(3 * PAGE).subarray(PAGE, 2 * PAGE));
      })()));

  it("keeps stores of a private mapping from the file, also when it is open for reading only", () =>
    withFile(pattern(100), (fd, path) =>
      scoped((scope) => {
        const file = scope.open(path, OpenFlag.RDONLY);
        const region = scope.map(sys.mmap(100, READ_WRITE, MapFlag.PRIVATE, file));
        region.bytes()[0] = 99;
        const target = new Uint8Array(1);
        sys.pread(fd, target, 0);
        assert.equal(target[0], 0);
      })()));

  it("shows zeroes between the end of the file and the end of its page", () =>
    withFile(pattern(100), (fd) =>
      scoped((scope) => {
        const region = shared(scope, fd, PAGE);
        assert.deepEqual(region.bytes(100), new Uint8Array(PAGE - 100));
        region.bytes(100)[0] = 1;
        assert.equal(sys.lseek(fd, 0, sys.Whence.END), 100);
      })()));

  it("throws EINVAL for a length of 0, an unaligned offset, and neither kind", () =>
    withFile(pattern(PAGE), (fd) => {
      fails("EINVAL", "mmap", () => sys.mmap(0, Protection.READ, MapFlag.SHARED, fd));
      fails("EINVAL", "mmap", () => sys.mmap(1, Protection.READ, MapFlag.SHARED, fd, 100));
      fails("EINVAL", "mmap", () => sys.mmap(1, Protection.READ, 0, fd));
    }));

  it("throws EACCES for a file that is not open for it", () =>
    withFile(pattern(10), (_, path) =>
      scoped((scope) => {
        const reader = scope.open(path, OpenFlag.RDONLY);
        const writer = scope.open(path, OpenFlag.WRONLY);
        fails("EACCES", "mmap", () => sys.mmap(1, Protection.READ, MapFlag.SHARED, writer));
        fails("EACCES", "mmap", () => sys.mmap(1, READ_WRITE, MapFlag.SHARED, reader));
      })()));

  it(
    "throws ENODEV for a folder, a pipe and procfs (EIO for some files of it); EBADF for O_PATH",
    scoped((scope) => {
      const [pipe] = scope.pipe();
      for (const fd of [scope.open("/"), pipe, scope.open("/proc/self/status")]) {
        fails("ENODEV", "mmap", () => sys.mmap(1, Protection.READ, MapFlag.PRIVATE, fd));
      }
      const version = scope.open("/proc/version");
      fails("EIO", "mmap", () => sys.mmap(1, Protection.READ, MapFlag.PRIVATE, version));
      const path = scope.open("/etc/passwd", OpenFlag.PATH);
      fails("EBADF", "mmap", () => sys.mmap(1, Protection.READ, MapFlag.PRIVATE, path));
      fails("EBADF", "mmap", () => sys.mmap(1, Protection.READ, MapFlag.PRIVATE, CLOSED_FD));
    }),
  );

  it("throws ENOMEM for what does not fit, EOPNOTSUPP for MAP_SYNC without DAX", () =>
    withFile(pattern(10), (fd) => {
      const { ANONYMOUS, PRIVATE, SHARED_VALIDATE, SYNC } = MapFlag;
      fails("ENOMEM", "mmap", () => sys.mmap(2 ** 47, READ_WRITE, PRIVATE | ANONYMOUS, null));
      fails("EOPNOTSUPP", "mmap", () => sys.mmap(1, READ_WRITE, SHARED_VALIDATE | SYNC, fd));
    }));

  it(
    "maps a TCP socket: examine what you did not open",
    scoped((scope) => {
      const [socket] = scope.tcp();
      assert.equal(scope.map(sys.mmap(PAGE, Protection.READ, MapFlag.SHARED, socket)).length, PAGE);
    }),
  );

  it("reads zeroes again where a truncated file has grown", () =>
    withFile(pattern(2 * PAGE), (fd) =>
      scoped((scope) => {
        const region = shared(scope, fd, 2 * PAGE);
        sys.ftruncate(fd, 10);
        assert.deepEqual([...region.bytes(9, 2)], [9, 0]);
        sys.ftruncate(fd, 2 * PAGE);
        assert.equal(region.bytes(PAGE)[0], 0);
      })()));

  it("refuses a fixed address before the call", () => {
    for (const fixed of [0x10, 0x10_0000]) {
      const flags = MapFlag.PRIVATE | MapFlag.ANONYMOUS | fixed;
      assert.throws(() => sys.mmap(PAGE, READ_WRITE, flags, null), RangeError);
    }
  });

  it("throws EOVERFLOW when offset and length wrap", { skip: "needs an offset above 2^53" });
});

describe("Region", () => {
  it(
    "shows one memory through all its arrays",
    scoped((scope) => {
      const region = anonymous(scope, 100);
      region.bytes(10, 5).set([1, 2, 3, 4, 5]);
      assert.deepEqual([...region.bytes().subarray(9, 16)], [0, 1, 2, 3, 4, 5, 0]);
      assert.equal(region.bytes(100).length, 0);
      assert.equal(region.length, 100);
    }),
  );

  it(
    "refuses ranges that are not inside it",
    scoped((scope) => {
      const region = anonymous(scope, 100);
      for (const [offset, length] of [[-1, 1], [0, 101], [100, 1], [50, 51], [0.5, 1], [NaN, 1]]) {
        assert.throws(() => region.bytes(offset, length), RangeError, `${offset} ${length}`);
        assert.throws(() => sys.msync(region, offset!, length!, MsyncFlag.SYNC), RangeError);
      }
    }),
  );

  it("cannot be made by hand", () => {
    const region = new sys.Region();
    assert.deepEqual([region.closed, region.length], [true, 0]);
    assert.throws(() => region.bytes(), TypeError);
    assert.throws(() => sys.madvise(region, 0, 0, MemoryAdvice.NORMAL), TypeError);
    assert.throws(() => sys.munmap({} as sys.Region), TypeError);
  });

  it(
    "shows more than 4 GiB in pieces",
    scoped((scope) => {
      const { ANONYMOUS, NORESERVE, PRIVATE } = MapFlag;
      const length = 9 * 2 ** 30;
      const flags = PRIVATE | ANONYMOUS | NORESERVE;
      const region = scope.map(sys.mmap(length, READ_WRITE, flags, null));
      for (const offset of [0, 2 ** 32 - 2, 2 ** 33 + 1, length - 4]) {
        region.bytes(offset, 4).set([1, 2, 3, 4]);
        assert.deepEqual([...region.bytes(offset + 1, 2)], [2, 3]);
      }
      sys.munmap(region);
      assert.equal(region.closed, true);
    }),
  );
});

describe("munmap()", () => {
  it(
    "empties every array, and does nothing the second time",
    scoped((scope) => {
      const region = anonymous(scope, 2 * PAGE);
      const arrays = [region.bytes(), region.bytes(5, 5), region.bytes(PAGE).subarray(3)];
      sys.munmap(region);
      assert.deepEqual(arrays.map((bytes) => [bytes.length, bytes[0]]), [
        [0, undefined],
        [0, undefined],
        [0, undefined],
      ]);
      sys.munmap(region);
      assert.deepEqual([region.closed, region.length], [true, 0]);
      assert.throws(() => region.bytes(), TypeError);
      assert.throws(() => sys.mincore(region), TypeError);
    }),
  );

  it(
    "refuses when a buffer was transferred away, and leaves the mapping alone",
    scoped((scope) => {
      const region = sys.mmap(PAGE, READ_WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS, null);
      const taken = new Uint8Array(region.bytes().buffer.transfer());
      assert.throws(() => sys.munmap(region), TypeError);
      assert.equal(region.closed, false);
      taken[0] = 7;
      assert.equal(taken[0], 7);
      void scope;
    }),
  );

  it(
    "refuses allocated memory, as free() refuses mapped memory",
    scoped((scope) => {
      const allocated = sys.posixMemalign(PAGE, PAGE);
      const mapped = anonymous(scope, PAGE);
      assert.throws(() => sys.munmap(allocated), TypeError);
      assert.throws(() => sys.mprotect(allocated, 0, PAGE, Protection.NONE), TypeError);
      assert.throws(() => sys.free(mapped), TypeError);
      sys.free(allocated);
    }),
  );

  it(
    "refuses while Bun uses an array, and works afterwards",
    { skip: DETACHES_IN_USE },
    async () => {
      const region = sys.mmap(1 << 20, READ_WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS, null);
      const zipped = promisify(gzip)(region.bytes());
      assert.throws(() => sys.munmap(region), TypeError);
      assert.equal(region.closed, false);
      assert.ok((await zipped).length > 0);
      sys.munmap(region);
      assert.equal(region.closed, true);
    },
  );

  it("survives 2,000 mappings", () => {
    for (let i = 0; i < 2000; i++) {
      const region = sys.mmap(PAGE, READ_WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS, null);
      region.bytes()[0] = i;
      sys.munmap(region);
    }
  });
});

describe("mremap()", () => {
  it(
    "grows a mapping, empties the old arrays and closes the old region",
    scoped((scope) => {
      const region = anonymous(scope, PAGE);
      const old = region.bytes();
      old[0] = 42;
      const grown = scope.map(sys.mremap(region, 100 * PAGE, RemapFlag.MAYMOVE));
      assert.deepEqual([region.closed, old.length, grown.length], [true, 0, 100 * PAGE]);
      assert.equal(grown.bytes()[0], 42);
      const shrunk = scope.map(sys.mremap(grown, 10));
      assert.deepEqual([shrunk.length, shrunk.bytes()[0]], [10, 42]);
    }),
  );

  it(
    "throws EINVAL for a length of 0, and the region stays",
    scoped((scope) => {
      const region = anonymous(scope, PAGE);
      region.bytes()[0] = 42;
      fails("EINVAL", "mremap", () => sys.mremap(region, 0, RemapFlag.MAYMOVE));
      assert.equal(region.bytes()[0], 42);
    }),
  );

  it(
    "throws EFAULT when a part has another protection",
    scoped((scope) => {
      const region = anonymous(scope, 4 * PAGE);
      sys.mprotect(region, PAGE, PAGE, Protection.READ);
      fails("EFAULT", "mremap", () => sys.mremap(region, 8 * PAGE, RemapFlag.MAYMOVE));
    }),
  );

  it(
    "throws ENOMEM for what does not fit, and refuses a fixed address",
    scoped((scope) => {
      const region = anonymous(scope, PAGE);
      fails("ENOMEM", "mremap", () => sys.mremap(region, 2 ** 46, RemapFlag.MAYMOVE));
      assert.throws(() => sys.mremap(region, PAGE, 3), RangeError);
    }),
  );
});

describe("mprotect(), msync(), madvise() and mincore()", () => {
  it(
    "make memory readable again",
    scoped((scope) => {
      const region = anonymous(scope, 2 * PAGE);
      sys.mprotect(region, 0, 2 * PAGE, Protection.NONE);
      sys.mprotect(region, 0, 2 * PAGE, READ_WRITE);
      assert.equal(region.bytes()[PAGE], 0);
    }),
  );

  it("write a shared mapping to the disk", () =>
    withFile(pattern(PAGE), (fd) =>
      scoped((scope) => {
        sys.fsync(fd);
        const region = shared(scope, fd, PAGE);
        region.bytes()[0] = 99;
        sys.msync(region, 0, PAGE, MsyncFlag.SYNC);
        assert.equal(sys.cachestat(fd, 0, 0).dirty, 0);
        sys.msync(region, 0, 0, MsyncFlag.ASYNC);
      })()));

  it(
    "throw EINVAL for an unaligned offset",
    scoped((scope) => {
      const region = anonymous(scope, 2 * PAGE);
      // musl rounds to whole pages before it asks the kernel.
      if (!MUSL) fails("EINVAL", "mprotect", () => sys.mprotect(region, 1, 10, Protection.READ));
      fails("EINVAL", "msync", () => sys.msync(region, 1, 10, MsyncFlag.SYNC));
      fails("EINVAL", "madvise", () => sys.madvise(region, 1, 10, MemoryAdvice.NORMAL));
      fails("EINVAL", "mincore", () => sys.mincore(region, 1, 10));
    }),
  );

  it(
    "throw EINVAL for flags that exclude each other and for an unknown advice",
    scoped((scope) => {
      const region = anonymous(scope, PAGE);
      const both = MsyncFlag.SYNC | MsyncFlag.ASYNC;
      fails("EINVAL", "msync", () => sys.msync(region, 0, PAGE, both));
      fails("EINVAL", "madvise", () => sys.madvise(region, 0, PAGE, 9999));
      assert.throws(() => sys.madvise(region, 0, PAGE, -1), RangeError);
    }),
  );

  it("throw EACCES for writing through a file that is open for reading", () =>
    withFile(pattern(PAGE), (_, path) =>
      scoped((scope) => {
        const fd = scope.open(path, OpenFlag.RDONLY);
        const region = scope.map(sys.mmap(PAGE, Protection.READ, MapFlag.SHARED, fd));
        fails("EACCES", "mprotect", () => sys.mprotect(region, 0, PAGE, READ_WRITE));
      })()));

  it("throw EINVAL for MADV_FREE on a file and MADV_DONTNEED on locked pages", () =>
    withFile(pattern(PAGE), (fd) =>
      scoped((scope) => {
        const file = shared(scope, fd, PAGE);
        fails("EINVAL", "madvise", () => sys.madvise(file, 0, PAGE, MemoryAdvice.FREE));
        sys.mlock(file);
        fails("EINVAL", "madvise", () => sys.madvise(file, 0, PAGE, MemoryAdvice.DONTNEED));
        fails("EBUSY", "msync", () => sys.msync(file, 0, PAGE, MsyncFlag.INVALIDATE));
        sys.munlock(file);
      })()));

  it("throw EFAULT, and no SIGBUS, for POPULATE_READ past the end of the file", () =>
    withFile(pattern(PAGE), (fd) =>
      scoped((scope) => {
        const region = shared(scope, fd, 2 * PAGE);
        sys.madvise(region, 0, PAGE, MemoryAdvice.POPULATE_READ);
        sys.madvise(region, 0, PAGE, MemoryAdvice.POPULATE_WRITE);
        const populate = () => sys.madvise(region, 0, 2 * PAGE, MemoryAdvice.POPULATE_READ);
        fails("EFAULT", "madvise", populate);
        sys.ftruncate(fd, 2 * PAGE);
        populate();
        assert.equal(region.bytes()[PAGE], 0);
      })()));

  it("throw EFAULT when the kernel reads from a mapping past the end of its file", () =>
    withFile(pattern(PAGE), (fd) =>
      scoped((scope) => {
        const region = shared(scope, fd, 2 * PAGE);
        const [, write] = scope.pipe();
        fails("EFAULT", "write", () => sys.write(write, region.bytes(PAGE)));
      })()));

  it(
    "tell which pages are resident, and drop private stores with DONTNEED",
    scoped((scope) => {
      const region = anonymous(scope, 4 * PAGE);
      region.bytes()[PAGE] = 1;
      assert.deepEqual([...sys.mincore(region)], [0, 1, 0, 0]);
      assert.deepEqual([...sys.mincore(region, PAGE, 1)], [1]);
      sys.madvise(region, PAGE, PAGE, MemoryAdvice.DONTNEED);
      assert.deepEqual([...sys.mincore(region)], [0, 0, 0, 0]);
      assert.equal(region.bytes()[PAGE], 0);
    }),
  );
});

describe("mlock() and munlock()", () => {
  it(
    "bring the pages in and keep them",
    scoped((scope) => {
      const region = anonymous(scope, 4 * PAGE);
      sys.mlock(region, PAGE, 2 * PAGE);
      assert.deepEqual([...sys.mincore(region)], [0, 1, 1, 0]);
      sys.munlock(region);
    }),
  );

  it("throw ENOMEM past the end of the file", () =>
    withFile(pattern(PAGE), (fd) =>
      scoped((scope) => {
        fails("ENOMEM", "mlock", () => sys.mlock(shared(scope, fd, 2 * PAGE)));
      })()));
});

describe("posixMemalign() and free()", () => {
  it("allocate aligned memory and empty its arrays", () =>
    withFile(pattern(8192), (_, path) =>
      scoped((scope) => {
        const region = sys.posixMemalign(4096, 8192);
        const bytes = region.bytes();
        const file = scope.open(path, OpenFlag.RDONLY | OpenFlag.DIRECT);
        assert.equal(sys.pread(file, bytes, 0), 8192);
        assert.deepEqual(bytes, pattern(8192));
        const { directMemoryAlign } = sys.statx(
          file,
          "",
          sys.StatxFlag.EMPTY_PATH,
          sys.StatxMask.DIOALIGN,
        );
        if (directMemoryAlign > 4) {
          fails("EINVAL", "pread", () => sys.pread(file, region.bytes(4, 4096), 0));
        }
        fails("EINVAL", "pread", () => sys.pread(file, region.bytes(0, 4096), 100));
        sys.free(region);
        assert.deepEqual([bytes.length, region.closed], [0, true]);
        sys.free(region);
      })()));

  it("throw EINVAL for an alignment that is no power of two, ENOMEM for too much", () => {
    fails("EINVAL", "posix_memalign", () => sys.posixMemalign(24, 100));
    fails("EINVAL", "posix_memalign", () => sys.posixMemalign(4, 100));
    fails("ENOMEM", "posix_memalign", () => sys.posixMemalign(4096, Number.MAX_SAFE_INTEGER));
  });
});

describe("memfdCreate(), addSeals() and seals()", () => {
  it(
    "make a file that can be sealed",
    scoped((scope) => {
      const fd = scope.memfd(pattern(PAGE), sys.MemfdFlag.ALLOW_SEALING);
      assert.equal(sys.seals(fd), 0);
      const writable = shared(scope, fd, PAGE);
      fails("EBUSY", "fcntl", () => sys.addSeals(fd, sys.Seal.WRITE));
      sys.addSeals(fd, sys.Seal.FUTURE_WRITE | sys.Seal.SHRINK);
      writable.bytes()[0] = 5;
      fails("EPERM", "mmap", () => shared(scope, fd, PAGE));
      fails("EPERM", "write", () => sys.write(fd, pattern(1)));
      fails("EPERM", "ftruncate", () => sys.ftruncate(fd, 0));
      sys.ftruncate(fd, 2 * PAGE);
      sys.munmap(writable);
      sys.addSeals(fd, sys.Seal.GROW | sys.Seal.WRITE | sys.Seal.SEAL);
      fails("EPERM", "ftruncate", () => sys.ftruncate(fd, 4 * PAGE));
      fails("EPERM", "fcntl", () => sys.addSeals(fd, sys.Seal.GROW));
      const { FUTURE_WRITE, GROW, SEAL, SHRINK, WRITE } = sys.Seal;
      assert.equal(sys.seals(fd), FUTURE_WRITE | GROW | SEAL | SHRINK | WRITE);
    }),
  );

  it("throw EPERM without ALLOW_SEALING, EINVAL for other files", () =>
    withFile("", (file) =>
      scoped((scope) => {
        fails("EPERM", "fcntl", () => sys.addSeals(scope.memfd(), sys.Seal.WRITE));
        fails("EINVAL", "fcntl", () => sys.seals(file));
        fails("EINVAL", "fcntl", () => sys.addSeals(file, sys.Seal.WRITE));
        fails("EBADF", "fcntl", () => sys.seals(CLOSED_FD));
      })()));

  it("throw EINVAL for a name of 250 bytes and for unknown flags", () => {
    fails("EINVAL", "memfd_create", () => sys.memfdCreate("x".repeat(250)));
    fails("EINVAL", "memfd_create", () => sys.memfdCreate("x", 0x4000));
    sys.close(sys.memfdCreate("x".repeat(249), sys.MemfdFlag.CLOEXEC));
  });
});
