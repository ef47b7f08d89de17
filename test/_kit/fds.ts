/** Descriptors for tests, and checks that none leaks. @module */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import * as sys from "../../src/sys/mod.ts";

/** A number above the limit, so that it is never open. */
export const CLOSED_FD = 999_999;

/** Number of descriptors that this process has open. */
export function openFds(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Runs `body`, and fails if it opens more descriptors than it closes. */
export function withoutLeak(body: () => void): void {
  // Run it once before counting: the first call binds the library and may keep a descriptor.
  body();
  const before = openFds();
  body();
  assert.equal(openFds(), before);
}

/** Collects descriptors and memory, and frees them in reverse order. */
export class Scope {
  readonly #undo: (() => void)[] = [];

  /** Closes a descriptor at the end. */
  fd(fd: number): number {
    this.#undo.push(() => void sys.raw.close(fd));
    return fd;
  }

  /** Closes two descriptors at the end. */
  pair<T extends readonly number[]>(fds: T): T {
    for (const fd of fds) this.fd(fd);
    return fds;
  }

  /** Unmaps a region at the end, unless the test has. */
  map(region: sys.Region): sys.Region {
    this.#undo.push(() => region.closed || sys.munmap(region));
    return region;
  }

  /** A non-blocking pipe. */
  pipe(flags: number = sys.OpenFlag.NONBLOCK): [number, number] {
    return this.pair(sys.pipe2(flags | sys.OpenFlag.CLOEXEC));
  }

  /** A file in memory that contains `bytes`. */
  memfd(bytes: Uint8Array = new Uint8Array(0), flags: number = 0): number {
    const fd = this.fd(sys.memfdCreate("test", flags | sys.MemfdFlag.CLOEXEC));
    assert.equal(sys.pwrite(fd, bytes, 0), bytes.length);
    return fd;
  }

  /** Opens a path. */
  open(path: string, flags: number = sys.OpenFlag.RDONLY): number {
    return this.fd(sys.open(path, flags | sys.OpenFlag.CLOEXEC));
  }

  /** Two connected, non-blocking TCP sockets. */
  tcp(): [client: number, server: number] {
    const { NONBLOCK, CLOEXEC, STREAM } = sys.SocketType;
    const listener = sys.socket(sys.AddressFamily.INET, STREAM | CLOEXEC);
    try {
      sys.bind(listener, { family: "IPv4", address: "127.0.0.1", port: 0 });
      sys.listen(listener, 1);
      const client = this.fd(sys.socket(sys.AddressFamily.INET, STREAM | CLOEXEC));
      sys.connect(client, sys.getsockname(listener));
      sys.setStatusFlags(client, sys.OpenFlag.NONBLOCK);
      return [client, this.fd(sys.accept4(listener, NONBLOCK | CLOEXEC))];
    } finally {
      sys.close(listener);
    }
  }

  /** Two connected, non-blocking Unix sockets. */
  unix(type: number = sys.SocketType.STREAM): [number, number] {
    const { NONBLOCK, CLOEXEC } = sys.SocketType;
    return this.pair(sys.socketpair(sys.AddressFamily.UNIX, type | NONBLOCK | CLOEXEC));
  }

  /** Frees everything. */
  close(): void {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) undo();
  }
}

/** Runs `body` with a scope, and closes the scope afterwards. */
export async function inScope<T>(body: (scope: Scope) => Promise<T>): Promise<T> {
  const scope = new Scope();
  try {
    return await body(scope);
  } finally {
    scope.close();
  }
}

/** Wraps a test body: it gets a scope that is closed afterwards. */
export function scoped(body: (scope: Scope) => void): () => void {
  return () => {
    const scope = new Scope();
    try {
      body(scope);
    } finally {
      scope.close();
    }
  };
}

/** Reads all bytes available from a descriptor, at most `limit`. */
export function drain(fd: number, limit: number = 1 << 20): Uint8Array {
  const target = new Uint8Array(limit);
  return target.subarray(0, sys.read(fd, target));
}

/** Expects a `SyscallError` with this code, from this call. */
export function fails(code: string, syscall: string, body: () => unknown): void {
  assert.throws(body, (error: sys.SyscallError) => {
    assert.deepEqual([error.name, error.code, error.syscall], ["SyscallError", code, syscall]);
    assert.ok(error.errno < 0, "errno is negative");
    return true;
  });
}
