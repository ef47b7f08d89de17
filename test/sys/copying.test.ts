import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { runtime } from "../../ffi/mod.ts";
import * as sys from "../../src/sys/mod.ts";
import { CLOSED_FD, drain, fails, scoped, withoutLeak } from "../_kit/fds.ts";
import { pattern, withFile } from "../_kit/temp.ts";

const { OpenFlag } = sys;
const DIES_OF_SIGXFSZ: string | false = runtime().name === "deno" &&
  "Deno does not ignore SIGXFSZ, which ends the process before EFBIG is returned";

/** Runs `body` with a file in the temporary folder, opened by ourselves. */
function withOwnFile(
  bytes: Uint8Array | string,
  flags: number,
  body: (fd: number, path: string) => void,
): void {
  withFile(bytes, (_, path) => {
    const fd = sys.open(path, flags);
    try {
      body(fd, path);
    } finally {
      sys.close(fd);
    }
  });
}

describe("sendfile()", () => {
  it("moves the range and leaves the file position alone", () =>
    withFile(pattern(1000), (file) =>
      scoped((scope) => {
        const [read, write] = scope.pipe();
        assert.equal(sys.sendfile(write, file, 300, 50), 50);
        assert.deepEqual(drain(read), pattern(1000).subarray(300, 350));
        assert.equal(sys.lseek(file, 0, sys.Whence.CUR), 0);
      })()));

  it("moves the file position when the offset is null", () =>
    withFile(pattern(1000), (file) =>
      scoped((scope) => {
        const [read, write] = scope.pipe();
        assert.equal(sys.sendfile(write, file, null, 10), 10);
        assert.equal(sys.sendfile(write, file, null, 10), 10);
        assert.deepEqual(drain(read), pattern(20));
        assert.equal(sys.lseek(file, 0, sys.Whence.CUR), 20);
      })()));

  it("copies file to file at the position of the target", () =>
    withFile(pattern(100), (file) =>
      scoped((scope) => {
        const out = scope.memfd();
        assert.equal(sys.sendfile(out, file, 20, 30), 30);
        assert.equal(sys.sendfile(out, file, 0, 5), 5);
        assert.equal(sys.lseek(out, 0, sys.Whence.CUR), 35);
        const target = new Uint8Array(35);
        sys.pread(out, target, 0);
        assert.deepEqual([...target.subarray(28)], [48, 49, 0, 1, 2, 3, 4]);
      })()));

  it(
    "reads what a stat calls empty, such as /proc/version",
    scoped((scope) => {
      const [read, write] = scope.pipe();
      const moved = sys.sendfile(write, scope.open("/proc/version"), 0, 1000);
      assert.match(new TextDecoder().decode(drain(read)), /^Linux/);
      assert.ok(moved > 5);
    }),
  );

  it(
    "moves from a socket to a pipe",
    scoped((scope) => {
      const [a, b] = scope.unix();
      const [read, write] = scope.pipe();
      sys.write(a, pattern(5));
      assert.equal(sys.sendfile(write, b, null, 100), 5);
      assert.deepEqual(drain(read), pattern(5));
    }),
  );

  it("returns 0 at the end of the file and beyond", () =>
    withFile("abc", (file) =>
      scoped((scope) => {
        const [, write] = scope.pipe();
        assert.equal(sys.sendfile(write, file, 3, 10), 0);
        assert.equal(sys.sendfile(write, file, 2 ** 40, 10), 0);
      })()));

  it("returns fewer bytes when the target fills, then throws EAGAIN", () =>
    withFile(pattern(1 << 20), (file) =>
      scoped((scope) => {
        const [, write] = scope.pipe();
        const moved = sys.sendfile(write, file, 0, 1 << 20);
        assert.ok(moved > 0 && moved < 1 << 20, `${moved}`);
        fails("EAGAIN", "sendfile", () => sys.sendfile(write, file, moved, 1 << 20));
      })()));

  it("accepts an object that holds the descriptor", () =>
    withFile("abc", (fd) =>
      scoped((scope) => {
        const [, write] = scope.pipe();
        assert.equal(sys.sendfile({ fd: write }, { fd }, 0, 3), 3);
      })()));

  it("shows a later change of the file to the receiver, but not a truncation", () =>
    withFile(new Uint8Array(4096).fill(1), (file) =>
      scoped((scope) => {
        const [read, write] = scope.pipe();
        assert.equal(sys.sendfile(write, file, 0, 4096), 4096);
        sys.pwrite(file, new Uint8Array(10).fill(2), 0);
        sys.ftruncate(file, 0);
        assert.deepEqual([...drain(read).subarray(9, 11)], [2, 1]);
      })()));

  it("checks a count of 0 against a closed target", () =>
    withFile("abc", (file) => {
      fails("EBADF", "sendfile", () => sys.sendfile(CLOSED_FD, file, 0, 0));
    }));

  it("throws EINVAL for a target open with O_APPEND", () =>
    withOwnFile(
      "abc",
      OpenFlag.RDWR | OpenFlag.APPEND,
      (out) =>
        withFile("abc", (file) => fails("EINVAL", "sendfile", () => sys.sendfile(out, file, 0, 3))),
    ));

  it(
    "throws EINVAL for a pipe, a folder and /proc/self/status as a source",
    scoped((scope) => {
      const [read, write] = scope.pipe();
      const [, other] = scope.pipe();
      sys.write(write, pattern(5));
      for (const source of [read, scope.open("/"), scope.open("/proc/self/status")]) {
        fails("EINVAL", "sendfile", () => sys.sendfile(other, source, null, 5));
      }
    }),
  );

  it(
    "throws EINVAL for a socket as a source of a file",
    scoped((scope) => {
      const [a, b] = scope.unix();
      sys.write(a, pattern(5));
      fails("EINVAL", "sendfile", () => sys.sendfile(scope.memfd(), b, null, 5));
    }),
  );

  it("throws EINVAL for /dev/full and an eventfd as a target", () =>
    withFile("abc", (file) =>
      scoped((scope) => {
        const full = scope.open("/dev/full", OpenFlag.WRONLY);
        for (const out of [full, scope.fd(sys.eventfd(0))]) {
          fails("EINVAL", "sendfile", () => sys.sendfile(out, file, 0, 3));
        }
      })()));

  it("throws EBADF for a source open for writing only, and a target for reading only", () =>
    withOwnFile("abc", OpenFlag.WRONLY, (file) =>
      scoped((scope) => {
        const [read, write] = scope.pipe();
        fails("EBADF", "sendfile", () => sys.sendfile(write, file, 0, 3));
        fails("EBADF", "sendfile", () => sys.sendfile(read, scope.memfd(), 0, 3));
      })()));

  it("throws EPIPE when the reader is gone", () =>
    withFile("abc", (file) =>
      scoped((scope) => {
        const [read, write] = sys.pipe2(OpenFlag.CLOEXEC);
        scope.fd(write);
        sys.close(read);
        fails("EPIPE", "sendfile", () => sys.sendfile(write, file, 0, 3));
        const [a, b] = sys.socketpair(sys.AddressFamily.UNIX, sys.SocketType.STREAM);
        scope.fd(a);
        sys.close(b);
        fails("EPIPE", "sendfile", () => sys.sendfile(a, file, 0, 3));
      })()));

  it(
    "throws ESPIPE for an offset on a source that has none",
    scoped((scope) => {
      const [, b] = scope.unix();
      const [, write] = scope.pipe();
      fails("ESPIPE", "sendfile", () => sys.sendfile(write, b, 5, 5));
    }),
  );

  it("throws EPERM for a sealed target", () =>
    withFile("abc", (file) =>
      scoped((scope) => {
        const out = scope.memfd(pattern(3), sys.MemfdFlag.ALLOW_SEALING);
        sys.addSeals(out, sys.Seal.WRITE);
        fails("EPERM", "sendfile", () => sys.sendfile(out, file, 0, 3));
      })()));

  it("reads at an aligned offset of an O_DIRECT source, and throws EINVAL at another", () =>
    withOwnFile(pattern(8192), OpenFlag.RDONLY | OpenFlag.DIRECT, (file) =>
      scoped((scope) => {
        const [read, write] = scope.pipe();
        assert.equal(sys.sendfile(write, file, 4096, 4096), 4096);
        assert.deepEqual(drain(read), pattern(8192).subarray(4096));
        fails("EINVAL", "sendfile", () => sys.sendfile(write, file, 100, 4096));
      })()));

  it(
    "reads /dev/zero, a sealed memfd and files of sysfs",
    scoped((scope) => {
      const [read, write] = scope.pipe();
      const sealed = scope.memfd(pattern(10), sys.MemfdFlag.ALLOW_SEALING);
      sys.addSeals(sealed, sys.Seal.WRITE);
      assert.equal(sys.sendfile(write, scope.open("/dev/zero"), 0, 100), 100);
      assert.equal(sys.sendfile(write, sealed, 0, 100), 10);
      const moved = sys.sendfile(
        write,
        scope.open("/sys/kernel/mm/transparent_hugepage/enabled"),
        0,
        5000,
      );
      assert.ok(moved > 0 && moved < 4096, `${moved}`);
      assert.equal(drain(read).length, 110 + moved);
    }),
  );

  it("sends a file to itself", () =>
    withFile(pattern(10), (file) => {
      sys.lseek(file, 0, sys.Whence.END);
      assert.equal(sys.sendfile(file, file, 0, 10), 10);
      assert.equal(sys.lseek(file, 0, sys.Whence.END), 20);
    }));

  it("throws EPIPE, EDESTADDRREQ and EMSGSIZE for sockets without a peer", () =>
    withFile(new Uint8Array(100_000), (file) =>
      scoped((scope) => {
        const { INET } = sys.AddressFamily;
        const tcp = scope.fd(sys.socket(INET, sys.SocketType.STREAM));
        fails("EPIPE", "sendfile", () => sys.sendfile(tcp, file, 0, 3));
        const udp = scope.fd(sys.socket(INET, sys.SocketType.DGRAM));
        fails("EDESTADDRREQ", "sendfile", () => sys.sendfile(udp, file, 0, 3));
        sys.connect(udp, { family: "IPv4", address: "127.0.0.1", port: 9 });
        fails("EMSGSIZE", "sendfile", () => sys.sendfile(udp, file, 0, 100_000));
      })()));

  it(
    "throws EFBIG at the limit of a file's size",
    { skip: DIES_OF_SIGXFSZ },
    () =>
      withFile("", (_, path) => {
        const probe = fileURLToPath(new URL("../_kit/fsize_probe.ts", import.meta.url));
        // Blocks of 512 bytes.
        const script = 'ulimit -f 8; exec "$@"';
        const { stdout, stderr } = spawnSync(
          "/bin/sh",
          ["-c", script, "sh", process.execPath, probe, path],
          { encoding: "utf8", timeout: 60_000 },
        );
        assert.equal(stdout.trim(), '{"codes":[4096,"EFBIG","EFBIG"],"size":4096}', stderr);
      }),
  );

  it("leaves no descriptor behind", () =>
    withoutLeak(scoped((scope) => {
      scope.pipe();
      scope.tcp();
      scope.memfd();
    })));
});

describe("copyFileRange()", () => {
  it("copies a range between files and leaves both positions alone", () =>
    withFile(pattern(1000), (file) =>
      withFile(new Uint8Array(0), (out) => {
        assert.equal(sys.copyFileRange(file, 100, out, 5, 50), 50);
        const target = new Uint8Array(55);
        assert.equal(sys.pread(out, target, 0), 55);
        assert.deepEqual(target.subarray(5), pattern(1000).subarray(100, 150));
        assert.equal(sys.lseek(file, 0, sys.Whence.CUR), 0);
        assert.equal(sys.lseek(out, 0, sys.Whence.CUR), 0);
      })));

  it("moves both positions when the offsets are null", () =>
    withFile(pattern(100), (file) =>
      withFile("", (out) => {
        assert.equal(sys.copyFileRange(file, null, out, null, 30), 30);
        assert.equal(sys.lseek(file, 0, sys.Whence.CUR), 30);
        assert.equal(sys.lseek(out, 0, sys.Whence.CUR), 30);
      })));

  it("returns 0 at the end of the source", () =>
    withFile(
      "abc",
      (file) => withFile("", (out) => assert.equal(sys.copyFileRange(file, 3, out, 0, 10), 0)),
    ));

  it("copies inside one file, but throws EINVAL when the ranges overlap", () =>
    withFile(pattern(100), (file) => {
      assert.equal(sys.copyFileRange(file, 0, file, 100, 50), 50);
      fails("EINVAL", "copy_file_range", () => sys.copyFileRange(file, 0, file, 10, 50));
    }));

  it("throws EXDEV from the disk to a file in memory", () =>
    withFile(
      "abc",
      (file) =>
        scoped((scope) =>
          fails("EXDEV", "copy_file_range", () => sys.copyFileRange(file, 0, scope.memfd(), 0, 3))
        )(),
    ));

  it("throws EBADF for a target with O_APPEND and for a closed source", () =>
    withFile("abc", (file) =>
      withOwnFile("abc", OpenFlag.RDWR | OpenFlag.APPEND, (out) => {
        fails("EBADF", "copy_file_range", () => sys.copyFileRange(file, 0, out, 0, 3));
        fails("EBADF", "copy_file_range", () => sys.copyFileRange(CLOSED_FD, 0, out, 0, 3));
      })));

  it("throws EISDIR for a folder, EINVAL for a pipe and for flags", () =>
    withFile("abc", (file) =>
      scoped((scope) => {
        const folder = scope.open("/");
        const [, write] = scope.pipe();
        fails("EISDIR", "copy_file_range", () => sys.copyFileRange(folder, 0, file, 0, 3));
        fails("EINVAL", "copy_file_range", () => sys.copyFileRange(file, 0, write, null, 3));
        fails("EINVAL", "copy_file_range", () => sys.copyFileRange(file, 0, file, 3, 3, 1));
      })()));

  it("throws EFBIG beyond the largest size of a file", () =>
    withFile(
      "abc",
      (file) =>
        withFile("", (out) =>
          fails("EFBIG", "copy_file_range", () =>
            sys.copyFileRange(file, 0, out, Number.MAX_SAFE_INTEGER, 3))),
    ));
});

describe("ficlone()", () => {
  it("shares all blocks, or throws EOPNOTSUPP as ext4 and tmpfs do", () =>
    withFile(pattern(5000), (file) =>
      withFile("", (out) => {
        try {
          sys.ficlone(out, file);
        } catch (error) {
          assert.equal((error as sys.SyscallError).code, "EOPNOTSUPP");
          return;
        }
        const target = new Uint8Array(5000);
        assert.equal(sys.pread(out, target, 0), 5000);
        assert.deepEqual(target, pattern(5000));
      })));

  it("throws EXDEV between file systems", () =>
    withFile("abc", (file) =>
      scoped((scope) => {
        const out = scope.open("/dev/shm", OpenFlag.TMPFILE | OpenFlag.RDWR);
        fails("EXDEV", "ioctl", () => sys.ficlone(out, file));
      })()));

  it("throws EBADF for a closed source", () =>
    withFile("abc", (out) => fails("EBADF", "ioctl", () => sys.ficlone(out, CLOSED_FD))));
});
