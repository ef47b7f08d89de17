import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import { EBADF } from "../../src/errno.ts";
import * as sys from "../../src/sys/mod.ts";
import { CLOSED_FD, drain, fails, scoped } from "../_kit/fds.ts";
import { pattern, withFile } from "../_kit/temp.ts";

const { FallocateFlag, OpenFlag, ReadFlag, ResolveFlag, Whence } = sys;
const PAGE = 4096;

describe("open() and openat()", () => {
  it("create a file with the mode less the umask", () =>
    withFile("", (_, path) =>
      scoped((scope) => {
        const flags = OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.RDWR;
        const fd = scope.fd(sys.open(`${path}.new`, flags, 0o600));
        assert.equal(sys.statx(fd, "", sys.StatxFlag.EMPTY_PATH).mode & 0o777, 0o600);
        fails("EEXIST", "open", () => sys.open(`${path}.new`, flags));
      })()));

  it("open relative to a folder, and to the current one", () =>
    withFile("abc", (_, path) =>
      scoped((scope) => {
        const folder = scope.open(dirname(path), OpenFlag.PATH | OpenFlag.DIRECTORY);
        const fd = scope.fd(sys.openat(folder, "file", OpenFlag.RDONLY));
        assert.equal(drain(fd).length, 3);
        scope.fd(sys.openat(null, ".", OpenFlag.RDONLY | OpenFlag.DIRECTORY));
      })()));

  it("open paths that are not ASCII", () =>
    withFile("", (_, path) =>
      scoped((scope) => {
        scope.fd(sys.open(`${path} é漢🎉`, OpenFlag.CREAT | OpenFlag.WRONLY));
        assert.equal(sys.statx(null, `${path} é漢🎉`).size, 0);
      })()));

  it("throw ENOENT, EISDIR, ENOTDIR, ELOOP and ENAMETOOLONG for the path", () =>
    withFile("", (_, path) => {
      symlinkSync(path, `${path}.link`);
      fails("ENOENT", "open", () => sys.open(`${path}.none`, OpenFlag.RDONLY));
      fails("EISDIR", "open", () => sys.open("/", OpenFlag.WRONLY));
      fails("ENOTDIR", "open", () => sys.open(path, OpenFlag.DIRECTORY));
      fails("ENOTDIR", "openat", () => sys.openat(null, `${path}/x`, OpenFlag.RDONLY));
      fails("ELOOP", "open", () => sys.open(`${path}.link`, OpenFlag.NOFOLLOW));
      fails("ENAMETOOLONG", "open", () => sys.open("x".repeat(256), OpenFlag.RDONLY));
    }));

  it("throw EBADF for a closed folder and ENOTDIR for a file as a folder", () =>
    withFile("", (file) => {
      fails("EBADF", "openat", () => sys.openat(CLOSED_FD, "x", OpenFlag.RDONLY));
      fails("ENOTDIR", "openat", () => sys.openat(file, "x", OpenFlag.RDONLY));
    }));

  it("throw EINVAL for O_DIRECT on procfs", () =>
    fails("EINVAL", "open", () => sys.open("/proc/version", OpenFlag.RDONLY | OpenFlag.DIRECT)));
});

describe("openat2()", () => {
  it("keeps the path beneath the folder", () =>
    withFile("abc", (_, path) =>
      scoped((scope) => {
        const folder = scope.open(dirname(path), OpenFlag.PATH | OpenFlag.DIRECTORY);
        mkdirSync(`${dirname(path)}/sub`);
        symlinkSync("/etc", `${dirname(path)}/out`);
        const how = { flags: OpenFlag.RDONLY, resolve: ResolveFlag.BENEATH };
        assert.equal(drain(scope.fd(sys.openat2(folder, "sub/../file", how))).length, 3);
        for (const name of ["../x", "/etc/passwd", "out/passwd"]) {
          fails("EXDEV", "openat2", () => sys.openat2(folder, name, how));
        }
      })()));

  it("treats the folder as the root", () =>
    withFile("abc", (_, path) =>
      scoped((scope) => {
        const folder = scope.open(dirname(path), OpenFlag.PATH | OpenFlag.DIRECTORY);
        const how = { flags: OpenFlag.RDONLY, resolve: ResolveFlag.IN_ROOT };
        assert.equal(drain(scope.fd(sys.openat2(folder, "/../../file", how))).length, 3);
      })()));

  it("throws ELOOP for a link when links are forbidden", () =>
    withFile("", (_, path) => {
      symlinkSync(path, `${path}.link`);
      const how = { flags: OpenFlag.RDONLY, resolve: ResolveFlag.NO_SYMLINKS };
      fails("ELOOP", "openat2", () => sys.openat2(null, `${path}.link`, how));
    }));

  it("throws EINVAL for an unknown restriction, and a mode without a file to create", () => {
    const flags = OpenFlag.RDONLY;
    fails("EINVAL", "openat2", () => sys.openat2(null, "/", { flags, resolve: 0x1000 }));
    fails("EINVAL", "openat2", () => sys.openat2(null, "/", { flags, mode: 0o600 }));
  });
});

describe("close(), dupCloexec() and the flags", () => {
  it("close a descriptor once", () => {
    const [read, write] = sys.pipe2(OpenFlag.CLOEXEC);
    sys.close(read);
    fails("EBADF", "close", () => sys.close(read));
    sys.close({ fd: write });
  });

  it(
    "share the position and the status flags with a duplicate",
    scoped((scope) => {
      const fd = scope.memfd(pattern(10));
      const copy = scope.fd(sys.dupCloexec(fd, 100));
      assert.ok(copy >= 100);
      assert.equal(sys.closesOnExec(copy), true);
      sys.lseek(copy, 4, Whence.SET);
      assert.equal(sys.lseek(fd, 0, Whence.CUR), 4);
      sys.setStatusFlags(copy, OpenFlag.APPEND);
      assert.equal(sys.statusFlags(fd) & OpenFlag.APPEND, OpenFlag.APPEND);
    }),
  );

  it("throw EBADF for a closed descriptor", () => {
    fails("EBADF", "fcntl", () => sys.dupCloexec(CLOSED_FD));
    fails("EBADF", "fcntl", () => sys.statusFlags(CLOSED_FD));
    fails("EBADF", "fcntl", () => sys.closesOnExec(CLOSED_FD));
    fails("EBADF", "fcntl", () => sys.setStatusFlags(CLOSED_FD, 0));
  });

  it(
    "throw EINVAL for a number above the limit, and O_DIRECT on a memfd",
    scoped((scope) => {
      const fd = scope.memfd();
      fails("EINVAL", "fcntl", () => sys.dupCloexec(fd, 2 ** 31 - 1));
      fails("EINVAL", "fcntl", () => sys.setStatusFlags(fd, OpenFlag.DIRECT));
    }),
  );
});

describe("read(), write(), pread() and pwrite()", () => {
  it(
    "use and move the position, or leave it alone",
    scoped((scope) => {
      const fd = scope.memfd();
      assert.equal(sys.write(fd, pattern(10)), 10);
      assert.equal(sys.pwrite(fd, new Uint8Array([99]), 20), 1);
      assert.equal(sys.lseek(fd, 0, Whence.CUR), 10);
      const target = new Uint8Array(30);
      assert.equal(sys.read(fd, target), 11);
      assert.equal(sys.read(fd, target), 0);
      assert.equal(sys.pread(fd, target, 5), 16);
      assert.deepEqual([...target.subarray(0, 6)], [5, 6, 7, 8, 9, 0]);
      assert.equal(sys.pread(fd, target, 2 ** 40), 0);
      assert.equal(sys.lseek(fd, 0, Whence.CUR), 21);
    }),
  );

  it(
    "fill the array at its offset only",
    scoped((scope) => {
      const fd = scope.memfd(pattern(10));
      const target = new Uint8Array(10).fill(255);
      assert.equal(sys.read(fd, target.subarray(3, 6)), 3);
      assert.deepEqual([...target], [255, 255, 255, 0, 1, 2, 255, 255, 255, 255]);
    }),
  );

  it("reach offsets beyond 2^32", () =>
    withFile("", (fd) => {
      const at = 2 ** 32 + 2 ** 33 + 1;
      sys.pwrite(fd, pattern(5), at);
      const target = new Uint8Array(10);
      assert.equal(sys.pread(fd, target, at + 2), 3);
      assert.deepEqual([...target.subarray(0, 3)], [2, 3, 4]);
      assert.equal(sys.lseek(fd, 0, Whence.END), at + 5);
    }));

  it(
    "return 0 for an empty array",
    scoped((scope) => {
      assert.equal(sys.read(scope.memfd(pattern(3)), new Uint8Array(0)), 0);
      assert.equal(sys.write(scope.memfd(), new Uint8Array(0)), 0);
    }),
  );

  it(
    "return fewer bytes when a pipe fills, then throw EAGAIN",
    scoped((scope) => {
      const [read, write] = scope.pipe();
      fails("EAGAIN", "read", () => drain(read));
      const source = new Uint8Array(1 << 20);
      assert.equal(sys.write(write, source), sys.pipeSize(write));
      fails("EAGAIN", "write", () => sys.write(write, source));
    }),
  );

  it(
    "throw EPIPE, and no signal ends the process, when the reader is gone",
    scoped((scope) => {
      const [read, write] = sys.pipe2(OpenFlag.CLOEXEC);
      scope.fd(write);
      sys.close(read);
      fails("EPIPE", "write", () => sys.write(write, pattern(1)));
    }),
  );

  it(
    "throw EBADF, EISDIR and ESPIPE for the wrong descriptor",
    scoped((scope) => {
      const [read, write] = scope.pipe();
      fails("EBADF", "read", () => drain(write));
      fails("EBADF", "write", () => sys.write(read, pattern(1)));
      fails("EISDIR", "read", () => drain(scope.open("/")));
      fails("ESPIPE", "pread", () => sys.pread(read, new Uint8Array(1), 0));
      fails("ESPIPE", "pwrite", () => sys.pwrite(write, pattern(1), 0));
      fails("EBADF", "pread", () => sys.pread(CLOSED_FD, new Uint8Array(1), 0));
      fails("EBADF", "pwrite", () => sys.pwrite(CLOSED_FD, pattern(1), 0));
    }),
  );

  it(
    "throw ENOSPC on a full device and EFBIG beyond the largest file",
    scoped((scope) => {
      const full = scope.open("/dev/full", OpenFlag.WRONLY);
      fails("ENOSPC", "write", () => sys.write(full, pattern(1)));
      withFile("", (fd) => {
        fails("EFBIG", "pwrite", () => sys.pwrite(fd, pattern(1), Number.MAX_SAFE_INTEGER));
      });
    }),
  );
});

describe("preadv2() and pwritev2()", () => {
  it(
    "gather and scatter several arrays",
    scoped((scope) => {
      const fd = scope.memfd();
      assert.equal(sys.pwritev2(fd, [pattern(3), pattern(4), new Uint8Array(0)], 1), 7);
      const parts = [new Uint8Array(2), new Uint8Array(10)];
      assert.equal(sys.preadv2(fd, parts, 0), 8);
      assert.deepEqual(parts.map((part) => [...part.subarray(0, 6)]), [[0, 0], [1, 2, 0, 1, 2, 3]]);
    }),
  );

  it(
    "use the position when the offset is null, and take one array",
    scoped((scope) => {
      const fd = scope.memfd();
      assert.equal(sys.pwritev2(fd, pattern(5), null), 5);
      sys.lseek(fd, 1, Whence.SET);
      const target = new Uint8Array(2);
      assert.equal(sys.preadv2(fd, target, null), 2);
      assert.equal(sys.preadv2(fd, target, null), 2);
      assert.deepEqual([...target], [3, 4]);
    }),
  );

  it("answer from the page cache with RWF_NOWAIT", () =>
    withFile(pattern(16 * PAGE), (fd) => {
      const target = new Uint8Array(1);
      assert.equal(sys.preadv2(fd, target, PAGE + 1, ReadFlag.NOWAIT), 1);
      assert.equal(target[0], (PAGE + 1) % 251);
      sys.fdatasync(fd);
      sys.posixFadvise(fd, 0, 0, sys.FileAdvice.DONTNEED);
      // A miss starts the read itself, which a fast disk answers before the call returns.
      const EAGAIN = -11;
      assert.ok([1, EAGAIN].includes(sys.raw.preadv2(fd, target, PAGE, ReadFlag.NOWAIT)));
    }));

  it(
    "throw EAGAIN with RWF_NOWAIT for a blocking pipe that is empty or full",
    scoped((scope) => {
      const [read, write] = scope.pipe(0);
      const target = new Uint8Array(1);
      fails("EAGAIN", "preadv2", () => sys.preadv2(read, target, null, ReadFlag.NOWAIT));
      sys.write(write, new Uint8Array(sys.pipeSize(write)));
      fails("EAGAIN", "pwritev2", () => sys.pwritev2(write, target, null, ReadFlag.NOWAIT));
    }),
  );

  it(
    "append with RWF_APPEND",
    scoped((scope) => {
      const fd = scope.memfd(pattern(3));
      assert.equal(sys.pwritev2(fd, pattern(1), 0, ReadFlag.APPEND), 1);
      assert.equal(sys.lseek(fd, 0, Whence.END), 4);
    }),
  );

  it("leave nothing in the cache with RWF_DONTCACHE", () =>
    withFile(pattern(4 * PAGE), (fd) => {
      sys.fdatasync(fd);
      sys.posixFadvise(fd, 0, 0, sys.FileAdvice.DONTNEED);
      const target = new Uint8Array(4 * PAGE);
      assert.equal(sys.preadv2(fd, target, 0, ReadFlag.DONTCACHE), 4 * PAGE);
      assert.deepEqual(target, pattern(4 * PAGE));
      assert.equal(sys.cachestat(fd, 0, 0).cached, 0);
    }));

  it(
    "throw EOPNOTSUPP for an unknown flag, EINVAL for 1025 arrays",
    scoped((scope) => {
      const fd = scope.memfd(pattern(3));
      const many = new Array(1025).fill(new Uint8Array(1));
      fails("EOPNOTSUPP", "preadv2", () => sys.preadv2(fd, new Uint8Array(1), 0, 0x4000_0000));
      fails("EOPNOTSUPP", "pwritev2", () => sys.pwritev2(fd, pattern(1), 0, 0x4000_0000));
      fails("EINVAL", "preadv2", () => sys.preadv2(fd, many, 0));
      fails("EINVAL", "pwritev2", () => sys.pwritev2(fd, many, 0));
    }),
  );

  it(
    "throw ESPIPE for an offset on a pipe, EBADF for the wrong end",
    scoped((scope) => {
      const [read, write] = scope.pipe();
      fails("ESPIPE", "preadv2", () => sys.preadv2(read, new Uint8Array(1), 0));
      fails("ESPIPE", "pwritev2", () => sys.pwritev2(write, pattern(1), 0));
      fails("EBADF", "preadv2", () => sys.preadv2(write, new Uint8Array(1), null));
      fails("EBADF", "pwritev2", () => sys.pwritev2(read, pattern(1), null));
    }),
  );
});

describe("lseek(), ftruncate() and fallocate()", () => {
  it("find data and holes", () =>
    withFile("", (fd) => {
      sys.ftruncate(fd, 64 * PAGE);
      fails("ENXIO", "lseek", () => sys.lseek(fd, 0, Whence.DATA));
      sys.pwrite(fd, new Uint8Array(PAGE).fill(1), 16 * PAGE);
      assert.equal(sys.lseek(fd, 0, Whence.DATA), 16 * PAGE);
      assert.equal(sys.lseek(fd, 16 * PAGE, Whence.HOLE), 17 * PAGE);
      assert.equal(sys.lseek(fd, 5, Whence.HOLE), 5);
      fails("ENXIO", "lseek", () => sys.lseek(fd, 64 * PAGE, Whence.DATA));
    }));

  it("reserve blocks, keep the size, punch holes", () =>
    withFile("", (fd) => {
      const stat = () => sys.statx(fd, "", sys.StatxFlag.EMPTY_PATH);
      sys.fallocate(fd, 0, 0, 4 * PAGE);
      assert.equal(stat().size, 4 * PAGE);
      sys.fallocate(fd, FallocateFlag.KEEP_SIZE, 0, 16 * PAGE);
      assert.equal(stat().size, 4 * PAGE);
      assert.equal(stat().blocks * 512, 16 * PAGE);
      sys.pwrite(fd, pattern(4 * PAGE), 0);
      sys.fallocate(fd, FallocateFlag.PUNCH_HOLE | FallocateFlag.KEEP_SIZE, PAGE, PAGE);
      const target = new Uint8Array(PAGE).fill(1);
      sys.pread(fd, target, PAGE);
      assert.deepEqual(target, new Uint8Array(PAGE));
    }));

  it(
    "shrink and grow a file",
    scoped((scope) => {
      const fd = scope.memfd(pattern(10));
      sys.ftruncate(fd, 3);
      sys.ftruncate(fd, 6);
      assert.deepEqual([...drain(fd)], [0, 1, 2, 0, 0, 0]);
    }),
  );

  it(
    "throw ESPIPE for a pipe and EINVAL for a place before the start",
    scoped((scope) => {
      const [read, write] = scope.pipe();
      fails("ESPIPE", "lseek", () => sys.lseek(read, 0, Whence.CUR));
      fails("EINVAL", "lseek", () => sys.lseek(scope.memfd(), -1, Whence.SET));
      fails("EINVAL", "lseek", () => sys.lseek(scope.memfd(), 0, 99));
      fails("EINVAL", "ftruncate", () => sys.ftruncate(write, 0));
      fails("ESPIPE", "fallocate", () => sys.fallocate(write, 0, 0, 1));
      fails("EBADF", "lseek", () => sys.lseek(CLOSED_FD, 0, Whence.CUR));
      fails("EBADF", "ftruncate", () => sys.ftruncate(CLOSED_FD, 0));
    }),
  );

  it(
    "throw EINVAL for a length of 0 and a hole that would change the size",
    scoped((scope) => {
      const fd = scope.memfd();
      fails("EINVAL", "fallocate", () => sys.fallocate(fd, 0, 0, 0));
      fails("EOPNOTSUPP", "fallocate", () => sys.fallocate(fd, FallocateFlag.PUNCH_HOLE, 0, 1));
      fails("EINVAL", "ftruncate", () => sys.ftruncate(scope.open("/proc/version"), 0));
      fails("EBADF", "fallocate", () => sys.fallocate(scope.open("/proc/version"), 0, 0, 1));
      withFile(
        "",
        (file) =>
          fails("EFBIG", "fallocate", () => sys.fallocate(file, 0, Number.MAX_SAFE_INTEGER, 1)),
      );
    }),
  );
});

describe("statx()", () => {
  it("describes a path and a descriptor alike", () =>
    withFile(pattern(5000), (fd, path) => {
      const byPath = sys.statx(null, path);
      assert.deepEqual(sys.statx(fd, "", sys.StatxFlag.EMPTY_PATH), byPath);
      assert.equal(byPath.size, 5000);
      assert.equal(byPath.mode & 0o170000, sys.FileType.REGULAR);
      assert.equal(byPath.links, 1);
      assert.ok(Math.abs(byPath.modifiedMs - Date.now()) < 60_000);
      assert.ok(byPath.inode > 0n);
    }));

  it("tells the alignment for O_DIRECT where it is asked and known", () =>
    withFile("", (_, path) => {
      const { BASIC_STATS, DIOALIGN } = sys.StatxMask;
      const stat = sys.statx(null, path, 0, BASIC_STATS | DIOALIGN);
      const known = (stat.mask & DIOALIGN) !== 0;
      assert.equal(stat.directOffsetAlign > 0, known);
      assert.equal(stat.directMemoryAlign > 0, known);
      assert.equal(sys.statx(null, path).directOffsetAlign, 0);
    }));

  it("describes a link itself, a device, and files whose size is no size", () =>
    withFile("", (_, path) => {
      symlinkSync("nowhere", `${path}.link`);
      const link = sys.statx(null, `${path}.link`, sys.StatxFlag.SYMLINK_NOFOLLOW);
      assert.equal(link.mode & 0o170000, sys.FileType.LINK);
      const zero = sys.statx(null, "/dev/zero");
      assert.deepEqual([zero.mode & 0o170000, ...zero.rdev], [sys.FileType.CHARACTER, 1, 5]);
      assert.equal(sys.statx(null, "/proc/version").size, 0);
    }));

  it("throws ENOENT, ENOTDIR, EBADF and EINVAL", () =>
    withFile("", (fd, path) => {
      fails("ENOENT", "statx", () => sys.statx(null, `${path}.none`));
      fails("ENOENT", "statx", () => sys.statx(fd, ""));
      fails("ENOTDIR", "statx", () => sys.statx(fd, "x"));
      fails("EBADF", "statx", () => sys.statx(CLOSED_FD, "", sys.StatxFlag.EMPTY_PATH));
      fails("EINVAL", "statx", () => sys.statx(null, path, 0x4000_0000));
      writeFileSync(`${path}.ok`, "abc");
      assert.equal(sys.statx(null, `${path}.ok`).size, 3);
    }));
});

describe("raw.futimens()", () => {
  it("sets both times, in nanoseconds, also before 1970", () =>
    withFile("x", (fd) => {
      assert.equal(sys.raw.futimens(fd, -1_500_000_000n, 2_000_000_001n), 0);
      const { accessedMs, modifiedMs } = sys.statx(fd, "", sys.StatxFlag.EMPTY_PATH);
      assert.equal(accessedMs, -1500);
      assert.ok(Math.abs(modifiedMs - 2000) < 0.001);
    }));

  it("returns -EBADF for a closed descriptor", () => {
    assert.equal(sys.raw.futimens(CLOSED_FD, 0n, 0n), EBADF);
  });
});
