/** Every kind of descriptor, as a source and as a target. @module */

import { execFileSync } from "node:child_process";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { platform } from "../../../ffi/platform/mod.ts";
import * as sys from "../../../src/sys/mod.ts";
import { CLOSED_FD, type Scope } from "../../_kit/fds.ts";
import { pattern } from "../../_kit/temp.ts";

const { APPEND, CREAT, DIRECT, NONBLOCK, PATH, RDONLY, RDWR, WRONLY } = sys.OpenFlag;
const { ALLOW_SEALING } = sys.MemfdFlag;

/** Bytes that a source with content has. */
export const CONTENT: Uint8Array = pattern(8192);

let sequence = 0;

/** Folder and scope of new descriptors. */
export interface Maker {
  readonly folder: string;
  readonly scope: Scope;
}

/** A descriptor; of a target also what arrived, where that can be seen. */
export interface Made {
  readonly fd: number;
  readonly arrived?: () => Uint8Array;
}

type Make = (maker: Maker) => Made;

function file(content: Uint8Array, flags: number): Make {
  return ({ folder, scope }) => {
    const path = join(folder, String(sequence++));
    writeFileSync(path, content);
    const fd = scope.open(path, flags);
    return { fd, arrived: () => readAll(scope.open(path)) };
  };
}

/** Content of a file after its first `skip` bytes. */
function readAll(fd: number): Uint8Array {
  const bytes = new Uint8Array(1 << 16);
  return bytes.subarray(0, sys.pread(fd, bytes, 0));
}

function device(path: string, flags: number): Make {
  return ({ scope }) => ({ fd: scope.open(path, flags) });
}

function memfd(sealed: boolean): Make {
  return ({ scope }) => {
    const fd = scope.memfd(sealed ? CONTENT : new Uint8Array(0), ALLOW_SEALING);
    if (sealed) sys.addSeals(fd, sys.Seal.WRITE | sys.Seal.GROW);
    return { fd, arrived: () => readAll(fd) };
  };
}

function fifo({ folder, scope }: Maker): number {
  const path = join(folder, `fifo-${sequence++}`);
  execFileSync("mkfifo", [path]);
  // Open for both, it neither waits for its other side nor ends.
  return scope.open(path, RDWR | NONBLOCK);
}

function listening({ scope }: Maker): number {
  const { STREAM, CLOEXEC } = sys.SocketType;
  const fd = scope.fd(sys.socket(sys.AddressFamily.INET, STREAM | CLOEXEC | NONBLOCK));
  sys.bind(fd, { family: "IPv4", address: "127.0.0.1", port: 0 });
  sys.listen(fd, 1);
  return fd;
}

function folderOf({ folder, scope }: Maker): number {
  const path = join(folder, `folder-${sequence++}`);
  mkdirSync(path);
  return scope.open(path);
}

/** Makes both sides of a connection wait, or leaves them as they are. */
function pairOf(kind: "tcp" | "unix", blocking: boolean): (maker: Maker) => [number, number] {
  return ({ scope }) => {
    const [a, b] = scope[kind]();
    if (blocking) sys.setStatusFlags(a, sys.statusFlags(a) & ~NONBLOCK);
    return [a, b];
  };
}

function connected(kind: "tcp" | "unix", blocking: boolean): { source: Make; target: Make } {
  const open = pairOf(kind, blocking);
  return {
    source(maker) {
      const [fd, peer] = open(maker);
      sys.write(peer, CONTENT);
      sys.shutdown(peer, 1);
      return { fd };
    },
    target(maker) {
      const [fd, peer] = open(maker);
      return { fd, arrived: () => drained(peer) };
    },
  };
}

/** The bytes received so far. */
function drained(fd: number): Uint8Array {
  const bytes = new Uint8Array(1 << 16);
  const count = sys.raw.read(fd, bytes);
  return bytes.subarray(0, Math.max(0, count));
}

function pipe(blocking: boolean): { source: Make; target: Make } {
  const flags = blocking ? 0 : NONBLOCK;
  return {
    source({ scope }) {
      const [fd, write] = sys.pipe2(flags | sys.OpenFlag.CLOEXEC);
      sys.write(write, CONTENT);
      sys.close(write);
      return { fd: scope.fd(fd) };
    },
    target({ scope }) {
      const [read, fd] = scope.pair(sys.pipe2(flags | sys.OpenFlag.CLOEXEC));
      sys.setStatusFlags(read, NONBLOCK);
      return { fd, arrived: () => drained(read) };
    },
  };
}

/** Kinds of sources. */
export const SOURCES: Readonly<Record<string, Make>> = {
  "file": file(CONTENT, RDONLY),
  "empty file": file(new Uint8Array(0), RDONLY),
  "sparse file": (maker) => {
    const path = join(maker.folder, String(sequence++));
    writeFileSync(path, CONTENT);
    truncateSync(path, 1 << 20);
    return { fd: maker.scope.open(path) };
  },
  "O_APPEND file": file(CONTENT, RDWR | APPEND),
  "O_DIRECT file": file(CONTENT, RDONLY | DIRECT),
  "write-only file": file(CONTENT, WRONLY),
  "O_PATH file": file(CONTENT, PATH),
  "memfd": ({ scope }) => ({ fd: scope.memfd(CONTENT) }),
  "sealed memfd": memfd(true),
  "pipe": pipe(false).source,
  "blocking pipe": pipe(true).source,
  "write end of a pipe": ({ scope }) => ({ fd: scope.pipe()[1] }),
  "FIFO": (maker) => {
    const fd = fifo(maker);
    sys.write(fd, CONTENT);
    return { fd };
  },
  "/dev/zero": device("/dev/zero", RDONLY),
  "/dev/null": device("/dev/null", RDONLY),
  "/dev/full": device("/dev/full", RDONLY),
  "eventfd": ({ scope }) => ({ fd: scope.fd(sys.eventfd(1)) }),
  "epoll set": ({ scope }) => ({ fd: scope.fd(sys.epollCreate1()) }),
  "folder": (maker) => ({ fd: folderOf(maker) }),
  "procfs file": device("/proc/self/status", RDONLY),
  "TCP": connected("tcp", false).source,
  "blocking TCP": connected("tcp", true).source,
  "Unix socket": connected("unix", false).source,
  "blocking Unix socket": connected("unix", true).source,
  "listening socket": (maker) => ({ fd: listening(maker) }),
  "closed": () => ({ fd: CLOSED_FD }),
  "terminal": device("/dev/ptmx", RDWR | platform.open.NOCTTY),
};

/** Kinds of targets. */
export const TARGETS: Readonly<Record<string, Make>> = {
  "file": file(new Uint8Array(0), WRONLY),
  "longer file": file(new Uint8Array(100_000), RDWR),
  "O_APPEND file": file(new Uint8Array(0), WRONLY | APPEND),
  "O_DIRECT file": file(new Uint8Array(0), WRONLY | DIRECT | CREAT),
  "read-only file": file(new Uint8Array(0), RDONLY),
  "O_PATH file": file(new Uint8Array(0), PATH),
  "memfd": memfd(false),
  "sealed memfd": memfd(true),
  "pipe": pipe(false).target,
  "blocking pipe": pipe(true).target,
  "read end of a pipe": ({ scope }) => ({ fd: scope.pipe()[0] }),
  "FIFO": (maker) => {
    const fd = fifo(maker);
    return { fd, arrived: () => drained(fd) };
  },
  "/dev/zero": device("/dev/zero", WRONLY),
  "/dev/null": device("/dev/null", WRONLY),
  "/dev/full": device("/dev/full", WRONLY),
  "eventfd": ({ scope }) => ({ fd: scope.fd(sys.eventfd(0)) }),
  "epoll set": ({ scope }) => ({ fd: scope.fd(sys.epollCreate1()) }),
  "folder": (maker) => ({ fd: folderOf(maker) }),
  "procfs file": device("/proc/self/status", RDONLY),
  "TCP": connected("tcp", false).target,
  "blocking TCP": connected("tcp", true).target,
  "Unix socket": connected("unix", false).target,
  "blocking Unix socket": connected("unix", true).target,
  "listening socket": (maker) => ({ fd: listening(maker) }),
  "closed": () => ({ fd: CLOSED_FD }),
  "terminal": device("/dev/ptmx", RDWR | platform.open.NOCTTY),
};
