import { symlinkSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import * as sys from "../../src/sys/mod.ts";
import { fails, scoped } from "../_kit/fds.ts";
import { pattern, withFile } from "../_kit/temp.ts";

const { MemfdFlag, OpenFlag, ResolveFlag } = sys;
const one = new Uint8Array(1);

describe("statx()", () => {
  it("throws ELOOP for links in a circle and ENAMETOOLONG for a long name", () =>
    withFile("", (_, path) => {
      symlinkSync(`${path}.b`, `${path}.a`);
      symlinkSync(`${path}.a`, `${path}.b`);
      fails("ELOOP", "statx", () => sys.statx(null, `${path}.a`));
      fails("ENAMETOOLONG", "statx", () => sys.statx(null, "x".repeat(256)));
    }));
});

describe("openat2()", () => {
  it("throws EAGAIN for what cannot be done from memory alone", () =>
    withFile("", (_, path) => {
      const how = { flags: OpenFlag.WRONLY | OpenFlag.TRUNC, resolve: ResolveFlag.CACHED };
      fails("EAGAIN", "openat2", () => sys.openat2(null, path, how));
    }));
});

describe("pread(), preadv2(), pwrite() and pwritev2()", () => {
  it(
    "throw EISDIR for a folder",
    scoped((scope) => {
      const folder = scope.open("/");
      fails("EISDIR", "pread", () => sys.pread(folder, one, 0));
      fails("EISDIR", "preadv2", () => sys.preadv2(folder, one, 0));
    }),
  );

  it(
    "throw EPERM for a sealed memfd, EPIPE when the reader is gone, EFBIG beyond the largest file",
    scoped((scope) => {
      const sealed = scope.memfd(pattern(10), MemfdFlag.ALLOW_SEALING);
      sys.addSeals(sealed, sys.Seal.WRITE);
      fails("EPERM", "pwrite", () => sys.pwrite(sealed, one, 0));
      fails("EPERM", "pwritev2", () => sys.pwritev2(sealed, one, 0));
      const [read, write] = sys.pipe2(OpenFlag.CLOEXEC);
      scope.fd(write);
      sys.close(read);
      fails("EPIPE", "pwritev2", () => sys.pwritev2(write, one, null));
      withFile("", (fd) => {
        fails("EFBIG", "pwritev2", () => sys.pwritev2(fd, one, Number.MAX_SAFE_INTEGER));
      });
    }),
  );
});

describe("ftruncate() and fallocate()", () => {
  it("throw EFBIG beyond the largest file, ENODEV for a device", () =>
    withFile("", (fd) =>
      scoped((scope) => {
        fails("EFBIG", "ftruncate", () => sys.ftruncate(fd, Number.MAX_SAFE_INTEGER));
        const device = scope.open("/dev/null", OpenFlag.WRONLY);
        fails("ENODEV", "fallocate", () => sys.fallocate(device, 0, 0, 1));
      })()));
});

describe("ficlone()", () => {
  it("throws EISDIR for a folder", () =>
    withFile("", (fd, path) =>
      scoped((scope) => {
        fails("EISDIR", "ioctl", () => sys.ficlone(fd, scope.open(dirname(path))));
      })()));
});

describe("cachestat()", () => {
  it(
    "throws EOPNOTSUPP for huge pages",
    scoped((scope) => {
      const HUGETLB = 4;
      let fd: number;
      try {
        fd = scope.fd(sys.memfdCreate("huge", HUGETLB));
      } catch {
        return; // This kernel has no huge pages.
      }
      fails("EOPNOTSUPP", "cachestat", () => sys.cachestat(fd, 0, 0));
    }),
  );
});

describe("epollCtl()", () => {
  it(
    "throws ELOOP for sets that watch each other",
    scoped((scope) => {
      const [a, b] = [scope.fd(sys.epollCreate1(0)), scope.fd(sys.epollCreate1(0))];
      sys.epollCtl(a, sys.EpollOp.ADD, b, sys.EpollEvent.IN);
      fails("ELOOP", "epoll_ctl", () => sys.epollCtl(b, sys.EpollOp.ADD, a, sys.EpollEvent.IN));
    }),
  );
});

describe("vmsplice()", () => {
  it(
    "throws EPIPE when the reader is gone",
    scoped((scope) => {
      const [read, write] = sys.pipe2(OpenFlag.CLOEXEC);
      scope.fd(write);
      sys.close(read);
      const { READ, WRITE } = sys.Protection;
      const flags = sys.MapFlag.PRIVATE | sys.MapFlag.ANONYMOUS;
      const region = scope.map(sys.mmap(4096, READ | WRITE, flags, null));
      fails("EPIPE", "vmsplice", () => sys.vmsplice(write, [{ region, offset: 0, length: 9 }], 0));
    }),
  );
});
