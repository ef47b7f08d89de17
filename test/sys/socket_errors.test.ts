import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as sys from "../../src/sys/mod.ts";
import { CLOSED_FD, fails, type Scope, scoped } from "../_kit/fds.ts";
import { pattern, withFile } from "../_kit/temp.ts";

const { AddressFamily, PollEvent, SocketLevel, SocketOption, SocketType } = sys;
const LOOPBACK: sys.SocketAddress = { family: "IPv4", address: "127.0.0.1", port: 0 };
/** `TCP_USER_TIMEOUT`, in milliseconds. */
const USER_TIMEOUT = 18;

function tcp(scope: Scope, flags: number = SocketType.NONBLOCK): number {
  return scope.fd(sys.socket(AddressFamily.INET, SocketType.STREAM | flags | SocketType.CLOEXEC));
}

/** Connects until the queue is full, and returns the code of the last attempt. */
function crowd(scope: Scope, open: () => number, address: sys.SocketAddress): string {
  for (let tries = 0; tries < 10; tries++) {
    const fd = scope.fd(open());
    try {
      sys.connect(fd, address);
    } catch (error) {
      const { code } = error as sys.SyscallError;
      const events = PollEvent.OUT;
      if (code !== "EINPROGRESS" || sys.poll([{ fd, events }], 100)[0] === 0) return code;
    }
  }
  return "nobody was refused";
}

describe("connect()", () => {
  it(
    "throws ECONNREFUSED where nobody listens",
    scoped((scope) => {
      const bound = tcp(scope);
      sys.bind(bound, LOOPBACK);
      fails("ECONNREFUSED", "connect", () => sys.connect(tcp(scope, 0), sys.getsockname(bound)));
    }),
  );

  it(
    "throws EAFNOSUPPORT for an address of another family",
    scoped((scope) => {
      const address: sys.SocketAddress = { family: "Unix", path: `\0${"x".repeat(50)}` };
      fails("EAFNOSUPPORT", "connect", () => sys.connect(tcp(scope), address));
    }),
  );

  it(
    "throws EALREADY while it goes on, ETIMEDOUT when it went on for too long",
    scoped((scope) => {
      const server = tcp(scope);
      sys.bind(server, LOOPBACK);
      sys.listen(server, 0);
      const address = sys.getsockname(server);
      assert.equal(crowd(scope, () => tcp(scope), address), "EINPROGRESS");
      const late = tcp(scope);
      fails("EINPROGRESS", "connect", () => sys.connect(late, address));
      fails("EALREADY", "connect", () => sys.connect(late, address));
      const waiting = tcp(scope, 0);
      sys.setsockopt(waiting, SocketLevel.TCP, USER_TIMEOUT, 100);
      fails("ETIMEDOUT", "connect", () => sys.connect(waiting, address));
    }),
  );

  it("throws EAGAIN at a Unix socket whose queue is full", () =>
    withFile("", (_, path) =>
      scoped((scope) => {
        const { NONBLOCK, STREAM } = SocketType;
        const open = () => sys.socket(AddressFamily.UNIX, STREAM | NONBLOCK);
        const server = scope.fd(open());
        const address: sys.SocketAddress = { family: "Unix", path: `${path}.socket` };
        sys.bind(server, address);
        sys.listen(server, 0);
        assert.equal(crowd(scope, open, address), "EAGAIN");
      })()));
});

describe("bind() and listen()", () => {
  it(
    "throw ENOTDIR for a path below a file",
    scoped((scope) => {
      const fd = scope.fd(sys.socket(AddressFamily.UNIX, SocketType.STREAM));
      const address: sys.SocketAddress = { family: "Unix", path: "/proc/version/x" };
      fails("ENOTDIR", "bind", () => sys.bind(fd, address));
    }),
  );

  it(
    "throw EADDRINUSE for the second that listens, EINVAL for one that is connected",
    scoped((scope) => {
      const sockets = [tcp(scope), tcp(scope)] as const;
      for (const fd of sockets) {
        sys.setsockopt(fd, SocketLevel.SOCKET, SocketOption.REUSEADDR, 1);
      }
      sys.bind(sockets[0], LOOPBACK);
      sys.bind(sockets[1], sys.getsockname(sockets[0]));
      sys.listen(sockets[0], 1);
      fails("EADDRINUSE", "listen", () => sys.listen(sockets[1], 1));
      fails("EINVAL", "listen", () => sys.listen(scope.tcp()[0], 1));
    }),
  );
});

describe("send() and recv()", () => {
  it(
    "throw ENOTCONN for a sequence of packets without a peer",
    scoped((scope) => {
      const fd = scope.fd(sys.socket(AddressFamily.UNIX, SocketType.SEQPACKET));
      fails("ENOTCONN", "send", () => sys.send(fd, pattern(1)));
    }),
  );

  for (const call of ["send", "recv"] as const) {
    it(
      `throw ECONNRESET from ${call}() when the peer has reset`,
      scoped((scope) => {
        const server = tcp(scope);
        sys.bind(server, LOOPBACK);
        sys.listen(server, 1);
        const client = tcp(scope, 0);
        sys.connect(client, sys.getsockname(server));
        const accepted = sys.accept4(server);
        const linger = new Uint8Array(new Int32Array([1, 0]).buffer);
        sys.setsockopt(accepted, SocketLevel.SOCKET, SocketOption.LINGER, linger);
        sys.close(accepted);
        sys.poll([{ fd: client, events: PollEvent.IN }], 2000);
        fails("ECONNRESET", call, () => sys[call](client, new Uint8Array(1)));
      }),
    );
  }

  it(
    "throw ETIMEDOUT when the peer takes nothing for too long",
    scoped((scope) => {
      const [a] = scope.tcp();
      sys.setsockopt(a, SocketLevel.TCP, USER_TIMEOUT, 100);
      const big = new Uint8Array(1 << 20);
      fails("EAGAIN", "send", () => {
        for (let i = 0; i < 64; i++) sys.send(a, big);
      });
      const events = PollEvent.IN;
      assert.ok(sys.poll([{ fd: a, events }], 20_000)[0]! & PollEvent.ERR, "an error in time");
      fails("ETIMEDOUT", "recv", () => sys.recv(a, big));
    }),
  );

  it(
    "throw ENOTSOCK, EBADF and ENOTCONN from recvDiscard(), EFAULT where bytes cannot be dropped",
    scoped((scope) => {
      fails("ENOTSOCK", "recv", () => sys.recvDiscard(scope.memfd(), 1));
      fails("EBADF", "recv", () => sys.recvDiscard(CLOSED_FD, 1));
      fails("ENOTCONN", "recv", () => sys.recvDiscard(tcp(scope), 1));
      const [a, b] = scope.unix();
      sys.send(a, pattern(10));
      fails("EFAULT", "recv", () => sys.recvDiscard(b, 10));
    }),
  );
});

describe("getsockopt(), setsockopt() and siocoutq()", () => {
  it(
    "throw EOPNOTSUPP for a level that the socket does not have",
    scoped((scope) => {
      const [a] = scope.unix();
      fails("EOPNOTSUPP", "getsockopt", () => sys.getsockopt(a, SocketLevel.TCP, 1));
      fails("EOPNOTSUPP", "setsockopt", () => sys.setsockopt(a, SocketLevel.TCP, 1, 1));
    }),
  );

  it("throw EBADF for a closed descriptor", () =>
    fails("EBADF", "ioctl", () => sys.siocoutq(CLOSED_FD)));
});
