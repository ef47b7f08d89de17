/**
 * Calls that the system refuses for its limits, its rights and its devices, in the way that the
 * argument names. What is changed for that is changed for this process alone.
 *
 * @module
 */

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import * as sys from "../../../src/sys/mod.ts";
import { fails, Scope } from "../../_kit/fds.ts";

const { AddressFamily, MapFlag, OpenFlag, Protection, SocketType } = sys;
const PAGE = 4096;
const LOOPBACK: sys.SocketAddress = { family: "IPv4", address: "127.0.0.1", port: 0 };
const bytes = new Uint8Array(PAGE).fill(1);
const folder = mkdtempSync(join(tmpdir(), "sluice-"));
const scope = new Scope();

function limit(name: string): void {
  execFileSync("prlimit", ["--pid", String(process.pid), `--${name}`]);
}

function memory(length: number, protection: number = Protection.READ | Protection.WRITE) {
  return scope.map(sys.mmap(length, protection, MapFlag.PRIVATE | MapFlag.ANONYMOUS, null, 0));
}

/** Signals this process until it is told to stop. */
function signalled(body: () => void): void {
  process.on("SIGUSR2", () => {});
  const loop = `while kill -USR2 ${process.pid} 2>/dev/null; do sleep 0.2; done`;
  const child = spawn("sh", ["-c", loop], { stdio: "ignore" });
  try {
    body();
  } finally {
    child.kill("SIGKILL");
  }
}

const WAYS: Record<string, () => void> = {
  // No number is free any more.
  descriptors() {
    const server = scope.fd(sys.socket(AddressFamily.INET, SocketType.STREAM));
    sys.bind(server, LOOPBACK);
    sys.listen(server, 1);
    const client = scope.fd(sys.socket(AddressFamily.INET, SocketType.STREAM));
    sys.connect(client, sys.getsockname(server));
    const epoll = scope.fd(sys.epollCreate1(0));
    limit("nofile=128:128");
    const taken: number[] = [];
    try {
      fails("EMFILE", "fcntl", () => {
        for (;;) taken.push(sys.dupCloexec(epoll));
      });
      fails("EMFILE", "open", () => sys.open("/", OpenFlag.RDONLY));
      fails("EMFILE", "openat", () => sys.openat(null, "/", OpenFlag.RDONLY));
      fails("EMFILE", "openat2", () => sys.openat2(null, "/", { flags: OpenFlag.RDONLY }));
      fails("EMFILE", "pipe2", () => sys.pipe2(0));
      fails("EMFILE", "memfd_create", () => sys.memfdCreate("x"));
      fails("EMFILE", "epoll_create1", () => sys.epollCreate1(0));
      fails("EMFILE", "eventfd", () => sys.eventfd(0));
      fails("EMFILE", "socket", () => sys.socket(AddressFamily.INET, SocketType.STREAM));
      fails("EMFILE", "socketpair", () => sys.socketpair(AddressFamily.UNIX, SocketType.STREAM));
      fails("EMFILE", "accept4", () => sys.accept4(server));
    } finally {
      for (const fd of taken) sys.close(fd);
    }
    // Nothing was lost: the connection is still there to be accepted.
    scope.fd(sys.accept4(server));
  },

  // Run as a user without files.
  user() {
    fails("EACCES", "open", () => sys.open("/etc/shadow", OpenFlag.RDONLY));
    fails("EACCES", "open", () => sys.open("/etc/passwd", OpenFlag.WRONLY));
    fails("EACCES", "openat2", () => sys.openat2(null, "/root/x", { flags: OpenFlag.RDONLY }));
    const passwd = scope.open("/etc/passwd");
    // Linux 6.14 and later: who may not write a file may not know what others read of it.
    const cached = sys.raw.cachestat(passwd, 0, 0, new BigUint64Array(5));
    if (cached < 0) fails("EPERM", "cachestat", () => sys.cachestat(passwd, 0, 0));
    fails("EACCES", "statx", () => sys.statx(null, "/root/x"));
    const unix = scope.fd(sys.socket(AddressFamily.UNIX, SocketType.STREAM));
    fails("EACCES", "bind", () => sys.bind(unix, { family: "Unix", path: "/root/x" }));
    fails("EACCES", "bind", () => sys.bind(unix, { family: "Unix", path: "/etc/x" }));
    const from = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    const port = Number(readFileSync(from, "utf8")) - 1;
    if (port > 0) {
      const fd = scope.fd(sys.socket(AddressFamily.INET, SocketType.STREAM));
      fails("EACCES", "bind", () => sys.bind(fd, { ...LOOPBACK, port }));
    }
    const [, write] = scope.pipe();
    fails("EPERM", "fcntl", () => sys.setPipeSize(write, 2 ** 30));
    const tcp = scope.fd(sys.socket(AddressFamily.INET, SocketType.STREAM));
    const PRIORITY = 12;
    fails("EPERM", "setsockopt", () => sys.setsockopt(tcp, 1, PRIORITY, 7));
    const RAW = 3;
    fails("EPERM", "socket", () => sys.socket(AddressFamily.INET, RAW, 1));
  },

  // Without CAP_IPC_LOCK.
  locked() {
    const region = memory(8 * PAGE);
    limit(`memlock=${4 * PAGE}:${4 * PAGE}`);
    fails("ENOMEM", "mlock", () => sys.mlock(region));
    sys.mlock(region, 0, PAGE);
    sys.munlock(region, 0, PAGE);
    const flags = MapFlag.PRIVATE | MapFlag.ANONYMOUS | MapFlag.LOCKED;
    const many = 16 * PAGE;
    fails("EAGAIN", "mmap", () => sys.mmap(many, Protection.READ, flags, null, 0));
    const small = memory(2 * PAGE);
    sys.mlock(small);
    fails("EAGAIN", "mremap", () => sys.mremap(small, many, sys.RemapFlag.MAYMOVE));
    limit("memlock=0:0");
    fails("EPERM", "mlock", () => sys.mlock(region));
  },

  // A process may have 65530 mappings, and each change in the midst of one makes three of it.
  mappings() {
    const region = memory(80_000 * PAGE);
    const locked = region.length - 3 * PAGE;
    sys.mlock(region, locked, 3 * PAGE);
    let result = 0;
    for (let at = PAGE; result === 0 && at < locked - 2 * PAGE; at += 2 * PAGE) {
      result = sys.raw.mprotect(region, at, PAGE, Protection.READ);
    }
    // Before anything is thrown: the runtime needs mappings too.
    const results = [
      result,
      sys.raw.mlock(region, locked - 2 * PAGE, PAGE),
      sys.raw.munlock(region, locked + PAGE, PAGE),
      sys.raw.madvise(region, locked - 2 * PAGE, PAGE, sys.MemoryAdvice.RANDOM),
    ];
    sys.munmap(region);
    const [EAGAIN, ENOMEM] = [-11, -12];
    assert.deepEqual(results, [ENOMEM, ENOMEM, ENOMEM, EAGAIN]);
  },

  full() {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "sluice-test", folder]);
    try {
      const path = join(folder, "full");
      const target = scope.open(path, OpenFlag.RDWR | OpenFlag.CREAT);
      const other = scope.open(join(folder, "other"), OpenFlag.RDWR | OpenFlag.CREAT);
      assert.equal(sys.pwrite(other, bytes, 0), PAGE);
      const source = scope.memfd(bytes);
      const size = sys.write(target, new Uint8Array(2 ** 20));
      assert.ok(size > 0 && size < 2 ** 16, "as much as fits");
      fails("ENOSPC", "write", () => sys.write(target, bytes));
      fails("ENOSPC", "pwrite", () => sys.pwrite(target, bytes, size));
      fails("ENOSPC", "pwritev2", () => sys.pwritev2(target, bytes, size));
      fails("ENOSPC", "fallocate", () => sys.fallocate(target, 0, size, PAGE));
      fails("ENOSPC", "sendfile", () => sys.sendfile(target, source, 0, PAGE));
      fails("ENOSPC", "copy_file_range", () => sys.copyFileRange(other, 0, target, size, PAGE, 0));
    } finally {
      scope.close();
      execFileSync("umount", [folder]);
    }
  },

  readonly() {
    execFileSync("mount", ["-t", "tmpfs", "-o", "ro", "sluice-test", folder]);
    try {
      const path = join(folder, "x");
      const unix = scope.fd(sys.socket(AddressFamily.UNIX, SocketType.STREAM));
      fails("EROFS", "bind", () => sys.bind(unix, { family: "Unix", path }));
      fails("EROFS", "open", () => sys.open(path, OpenFlag.CREAT | OpenFlag.WRONLY));
    } finally {
      execFileSync("umount", [folder]);
    }
  },

  immutable() {
    const path = join(folder, "file");
    writeFileSync(path, bytes);
    const target = scope.open(path, OpenFlag.RDWR);
    const source = scope.open(join(folder, "other"), OpenFlag.RDWR | OpenFlag.CREAT);
    sys.pwrite(source, bytes, 0);
    execFileSync("chattr", ["+i", path]);
    try {
      fails("EPERM", "copy_file_range", () => sys.copyFileRange(source, 0, target, 0, PAGE, 0));
      fails("EPERM", "fallocate", () => sys.fallocate(target, 0, 0, 2 * PAGE));
      fails("EPERM", "open", () => sys.open(path, OpenFlag.WRONLY));
    } finally {
      execFileSync("chattr", ["-i", path]);
    }
  },

  // A network of its own, in which not even loopback is up.
  network() {
    const tcp = scope.fd(sys.socket(AddressFamily.INET, SocketType.STREAM));
    fails("ENETUNREACH", "connect", () => sys.connect(tcp, { ...LOOPBACK, port: 9 }));
  },

  interrupted() {
    const [read] = scope.pipe();
    const epoll = scope.fd(sys.epollCreate1(0));
    sys.epollCtl(epoll, sys.EpollOp.ADD, read, sys.EpollEvent.IN);
    signalled(() => {
      const events = sys.PollEvent.IN;
      fails("EINTR", "poll", () => sys.poll([{ fd: read, events }], 10_000));
      fails("EINTR", "epoll_wait", () => sys.epollWait(epoll, 1, 10_000));
    });
  },

  "interrupted ring"() {
    const ring = scope.fd(sys.ioUringSetup(4, new Uint8Array(120)));
    const { GETEVENTS } = sys.UringEnterFlag;
    signalled(() =>
      fails("EINTR", "io_uring_enter", () => sys.ioUringEnter(ring, 0, 1, GETEVENTS))
    );
  },
};

WAYS[process.argv[2]!]!();
scope.close();
rmSync(folder, { recursive: true, force: true });
console.log("alive");
process.exit(0);
