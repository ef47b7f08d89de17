import assert from "node:assert/strict";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import { MUSL } from "../_kit/c_library.ts";
import * as sys from "../../src/sys/mod.ts";
import { bytesGiven } from "../../src/runtime/tcp.ts";
import { CLOSED_FD, fails, type Scope, scoped } from "../_kit/fds.ts";
import { pattern, withFile } from "../_kit/temp.ts";

const {
  AddressFamily,
  MessageFlag,
  ShutdownHow,
  SocketLevel,
  SocketOption,
  SocketType,
  TcpOption,
} = sys;
const LOOPBACK: sys.SocketAddress = { family: "IPv4", address: "127.0.0.1", port: 0 };

/** A TCP socket that does not wait. */
function tcp(scope: Scope, domain: number = AddressFamily.INET): number {
  const { CLOEXEC, NONBLOCK, STREAM } = SocketType;
  return scope.fd(sys.socket(domain, STREAM | NONBLOCK | CLOEXEC));
}

/** One that listens, with its address. */
function listener(scope: Scope, address: sys.SocketAddress = LOOPBACK): [number, sys.IpAddress] {
  const fd = tcp(scope, address.family === "IPv6" ? AddressFamily.INET6 : AddressFamily.INET);
  sys.bind(fd, address);
  sys.listen(fd, 8);
  return [fd, sys.getsockname(fd) as sys.IpAddress];
}

/** Waits until there is something to read. */
function readable(fd: number): void {
  const events = sys.PollEvent.IN;
  assert.ok(sys.poll([{ fd, events }], 2000)[0]! & events, "readable in time");
}

/** Waits for the error of `connect` to a port without a listener. */
function pendingError(fd: number): number {
  sys.poll([{ fd, events: sys.PollEvent.OUT }], 2000);
  return sys.getsockopt(fd, SocketLevel.SOCKET, SocketOption.ERROR);
}

describe("socket(), bind(), listen(), connect() and accept4()", () => {
  for (const [family, address] of [["IPv4", "127.0.0.1"], ["IPv6", "::1"]] as const) {
    it(
      `connect two sockets over ${family}`,
      scoped((scope) => {
        const [server, bound] = listener(scope, { family, address, port: 0 });
        assert.deepEqual([bound.family, bound.address], [family, address]);
        assert.ok(bound.port > 0);
        const client = tcp(scope, family === "IPv6" ? AddressFamily.INET6 : AddressFamily.INET);
        fails("EINPROGRESS", "connect", () => sys.connect(client, bound));
        readable(server);
        const accepted = scope.fd(sys.accept4(server, SocketType.NONBLOCK | SocketType.CLOEXEC));
        assert.equal(sys.statusFlags(accepted) & sys.OpenFlag.NONBLOCK, sys.OpenFlag.NONBLOCK);
        assert.equal(sys.closesOnExec(accepted), true);
        assert.equal(pendingError(client), 0);
        assert.deepEqual(sys.getpeername(accepted), sys.getsockname(client));
        assert.deepEqual(sys.getpeername(client), bound);
        // The first call after completion reports the success.
        sys.connect(client, bound);
        fails("EISCONN", "connect", () => sys.connect(client, bound));
      }),
    );
  }

  it("connect over a path and over an abstract name", () =>
    withFile("", (_, file) =>
      scoped((scope) => {
        for (const path of [`${dirname(file)}/socket`, `\0sluice ${file}`]) {
          const address: sys.SocketAddress = { family: "Unix", path };
          const server = scope.fd(sys.socket(AddressFamily.UNIX, SocketType.STREAM));
          sys.bind(server, address);
          sys.listen(server, 1);
          const client = scope.fd(sys.socket(AddressFamily.UNIX, SocketType.STREAM));
          sys.connect(client, address);
          const accepted = scope.fd(sys.accept4(server));
          assert.deepEqual(sys.getsockname(server), address);
          assert.deepEqual(sys.getpeername(client), address);
          assert.deepEqual(sys.getpeername(accepted), { family: "Unix", path: "" });
        }
      })()));

  it(
    "share a port with SO_REUSEPORT only",
    scoped((scope) => {
      const sockets = [tcp(scope), tcp(scope)] as const;
      for (const fd of sockets) {
        sys.setsockopt(fd, SocketLevel.SOCKET, SocketOption.REUSEPORT, 1);
      }
      sys.bind(sockets[0], LOOPBACK);
      const address = sys.getsockname(sockets[0]);
      sys.bind(sockets[1], address);
      fails("EADDRINUSE", "bind", () => sys.bind(tcp(scope), address));
    }),
  );

  it(
    "throw EADDRNOTAVAIL, EINVAL, ENOENT and EAFNOSUPPORT for the address",
    scoped((scope) => {
      const fd = tcp(scope);
      fails("EADDRNOTAVAIL", "bind", () => sys.bind(fd, { ...LOOPBACK, address: "192.0.2.1" }));
      fails(
        "EAFNOSUPPORT",
        "bind",
        () => sys.bind(fd, { family: "IPv6", address: "::1", port: 0 }),
      );
      sys.bind(fd, LOOPBACK);
      fails("EINVAL", "bind", () => sys.bind(fd, LOOPBACK));
      const unix = scope.fd(sys.socket(AddressFamily.UNIX, SocketType.STREAM));
      const path = "/nonexistent/socket";
      fails("ENOENT", "bind", () => sys.bind(unix, { family: "Unix", path }));
      fails("ENOENT", "connect", () => sys.connect(unix, { family: "Unix", path }));
    }),
  );

  it(
    "report ECONNREFUSED when nobody listens",
    scoped((scope) => {
      const closed = tcp(scope);
      sys.bind(closed, LOOPBACK);
      const client = tcp(scope);
      try {
        sys.connect(client, sys.getsockname(closed));
      } catch (error) {
        assert.equal((error as sys.SyscallError).code, "EINPROGRESS");
      }
      assert.equal(pendingError(client), 111);
    }),
  );

  it(
    "throw EAGAIN when nobody waits, EINVAL when it does not listen or for flags",
    scoped((scope) => {
      const [server] = listener(scope);
      fails("EAGAIN", "accept4", () => sys.accept4(server));
      // musl before 1.2.4 then tries accept(2), as if the kernel had no accept4(2).
      if (!MUSL) fails("EINVAL", "accept4", () => sys.accept4(server, 1));
      fails("EINVAL", "accept4", () => sys.accept4(tcp(scope)));
      const [a] = scope.unix(SocketType.DGRAM);
      fails("EOPNOTSUPP", "accept4", () => sys.accept4(a));
      fails("EOPNOTSUPP", "listen", () => sys.listen(a, 1));
    }),
  );

  it("throw EAFNOSUPPORT, EINVAL and EPROTONOSUPPORT for what does not exist", () => {
    fails("EAFNOSUPPORT", "socket", () => sys.socket(99, SocketType.STREAM));
    fails("EINVAL", "socket", () => sys.socket(AddressFamily.INET, 99));
    fails("EPROTONOSUPPORT", "socket", () => sys.socket(AddressFamily.INET, SocketType.STREAM, 17));
    fails("EOPNOTSUPP", "socketpair", () => sys.socketpair(AddressFamily.INET, SocketType.STREAM));
    fails(
      "EPROTONOSUPPORT",
      "socketpair",
      () => sys.socketpair(AddressFamily.UNIX, SocketType.STREAM, 99),
    );
  });

  it(
    "throw ENOTSOCK for a file and EBADF for a closed descriptor",
    scoped((scope) => {
      const file = scope.memfd();
      for (const [code, fd] of [["ENOTSOCK", file], ["EBADF", CLOSED_FD]] as const) {
        fails(code, "bind", () => sys.bind(fd, LOOPBACK));
        fails(code, "listen", () => sys.listen(fd, 1));
        fails(code, "accept4", () => sys.accept4(fd));
        fails(code, "connect", () => sys.connect(fd, LOOPBACK));
        fails(code, "shutdown", () => sys.shutdown(fd, ShutdownHow.WR));
        fails(code, "getsockname", () => sys.getsockname(fd));
        fails(code, "getpeername", () => sys.getpeername(fd));
        fails(code, "getsockopt", () => sys.getsockopt(fd, 1, 1));
        fails(code, "setsockopt", () => sys.setsockopt(fd, 1, 1, 1));
        fails(code, "send", () => sys.send(fd, pattern(1)));
        fails(code, "recv", () => sys.recv(fd, new Uint8Array(1)));
      }
    }),
  );
});

describe("shutdown() and getpeername()", () => {
  it(
    "end one direction, for the peer to see",
    scoped((scope) => {
      const [a, b] = scope.tcp();
      sys.send(a, pattern(3));
      sys.shutdown(a, ShutdownHow.WR);
      const target = new Uint8Array(10);
      readable(b);
      assert.equal(sys.recv(b, target), 3);
      readable(b);
      assert.equal(sys.recv(b, target), 0);
      fails("EPIPE", "send", () => sys.send(a, pattern(1), MessageFlag.NOSIGNAL));
      assert.equal(sys.send(b, pattern(2)), 2);
    }),
  );

  it(
    "throw ENOTCONN without a peer, EINVAL for an unknown direction",
    scoped((scope) => {
      const fd = tcp(scope);
      fails("ENOTCONN", "shutdown", () => sys.shutdown(fd, ShutdownHow.WR));
      fails("ENOTCONN", "getpeername", () => sys.getpeername(fd));
      fails("EINVAL", "shutdown", () => sys.shutdown(scope.tcp()[0], 9));
    }),
  );
});

describe("send() and recv()", () => {
  it(
    "peek, truncate and drop",
    scoped((scope) => {
      const [a, b] = scope.tcp();
      sys.send(a, pattern(100), MessageFlag.NOSIGNAL);
      readable(b);
      const target = new Uint8Array(10);
      assert.equal(sys.recv(b, target, MessageFlag.PEEK), 10);
      assert.equal(sys.recvDiscard(b, 50), 50);
      assert.equal(sys.recv(b, target), 10);
      assert.deepEqual(target, pattern(100).subarray(50, 60));
      assert.equal(sys.recvDiscard(b, 1000), 40);
      fails("EAGAIN", "recv", () => sys.recvDiscard(b, 1000));
    }),
  );

  it(
    "tell the length of a datagram that does not fit",
    scoped((scope) => {
      const [a, b] = scope.unix(SocketType.DGRAM);
      sys.send(a, pattern(100));
      sys.send(a, pattern(100));
      assert.equal(sys.recv(b, new Uint8Array(10)), 10);
      assert.equal(sys.recv(b, new Uint8Array(10), MessageFlag.TRUNC), 100);
      fails("EAGAIN", "recv", () => sys.recv(b, new Uint8Array(10)));
    }),
  );

  it(
    "hold a partial segment back with MSG_MORE and with TCP_CORK",
    scoped((scope) => {
      const [a, b] = scope.tcp();
      const soon = () => sys.poll([{ fd: b, events: sys.PollEvent.IN }], 20)[0];
      sys.send(a, pattern(3), MessageFlag.MORE);
      assert.equal(soon(), 0);
      sys.send(a, pattern(3));
      readable(b);
      assert.equal(sys.recv(b, new Uint8Array(10)), 6);
      sys.setsockopt(a, SocketLevel.TCP, TcpOption.CORK, 1);
      sys.send(a, pattern(3));
      assert.equal(soon(), 0);
      sys.setsockopt(a, SocketLevel.TCP, TcpOption.CORK, 0);
      readable(b);
    }),
  );

  it(
    "throw EAGAIN when empty or full, ENOTCONN and EDESTADDRREQ without a peer",
    scoped((scope) => {
      const [a, b] = scope.tcp();
      fails("EAGAIN", "recv", () => sys.recv(b, new Uint8Array(1)));
      const big = new Uint8Array(1 << 20);
      fails("EAGAIN", "send", () => {
        for (let i = 0; i < 64; i++) sys.send(a, big);
      });
      fails("EPIPE", "send", () => sys.send(tcp(scope), big, MessageFlag.NOSIGNAL));
      fails("ENOTCONN", "recv", () => sys.recv(tcp(scope), big));
      const udp = scope.fd(sys.socket(AddressFamily.INET, SocketType.DGRAM));
      fails("EDESTADDRREQ", "send", () => sys.send(udp, pattern(1)));
      sys.connect(udp, { ...LOOPBACK, port: 9 });
      fails("EMSGSIZE", "send", () => sys.send(udp, new Uint8Array(70_000)));
    }),
  );

  it(
    "throw ECONNRESET, then EPIPE, when the peer has reset",
    scoped((scope) => {
      const linger = new Uint8Array(new Int32Array([1, 0]).buffer);
      const [server, address] = listener(scope);
      const client = scope.fd(sys.socket(AddressFamily.INET, SocketType.STREAM));
      sys.connect(client, address);
      const accepted = sys.accept4(server);
      sys.setsockopt(accepted, SocketLevel.SOCKET, SocketOption.LINGER, linger);
      sys.close(accepted);
      sys.poll([{ fd: client, events: sys.PollEvent.IN }], 2000);
      fails("ECONNRESET", "sendfile", () => sys.sendfile(client, scope.memfd(pattern(9)), 0, 9));
      fails("EPIPE", "sendfile", () => sys.sendfile(client, scope.memfd(pattern(9)), 0, 9));
    }),
  );
});

describe("getsockopt() and setsockopt()", () => {
  it(
    "set and get the options of the mission",
    scoped((scope) => {
      const [fd] = scope.tcp();
      const options = [
        [SocketLevel.TCP, TcpOption.CORK, 1],
        [SocketLevel.TCP, TcpOption.NODELAY, 1],
        [SocketLevel.TCP, TcpOption.NOTSENT_LOWAT, 65_536],
        [SocketLevel.SOCKET, SocketOption.REUSEPORT, 1],
        [SocketLevel.SOCKET, SocketOption.ZEROCOPY, 1],
        [SocketLevel.SOCKET, SocketOption.KEEPALIVE, 1],
      ] as const;
      for (const [level, name, value] of options) {
        sys.setsockopt(fd, level, name, value);
        assert.equal(sys.getsockopt(fd, level, name), value);
      }
      sys.setsockopt(fd, SocketLevel.SOCKET, SocketOption.SNDBUF, 100_000);
      assert.equal(sys.getsockopt(fd, SocketLevel.SOCKET, SocketOption.SNDBUF), 200_000);
      assert.equal(sys.getsockopt(fd, SocketLevel.SOCKET, SocketOption.TYPE), SocketType.STREAM);
      const six = tcp(scope, AddressFamily.INET6);
      sys.setsockopt(six, SocketLevel.IPV6, sys.Ipv6Option.V6ONLY, 1);
      assert.equal(sys.getsockopt(six, SocketLevel.IPV6, sys.Ipv6Option.V6ONLY), 1);
    }),
  );

  it(
    "accept the tls layer, or throw ENOENT where the kernel lacks it",
    scoped((scope) => {
      const [fd] = scope.tcp();
      const tls = new TextEncoder().encode("tls");
      try {
        sys.setsockopt(fd, SocketLevel.TCP, TcpOption.ULP, tls);
      } catch (error) {
        assert.equal((error as sys.SyscallError).code, "ENOENT");
      }
      const none = new TextEncoder().encode("sluice_none");
      fails("ENOENT", "setsockopt", () => sys.setsockopt(fd, SocketLevel.TCP, TcpOption.ULP, none));
    }),
  );

  it(
    "get values that are no number, as far as there is room for them",
    scoped((scope) => {
      const [fd] = scope.tcp();
      const { CONGESTION } = TcpOption;
      const read = (target: Uint8Array, name: number = CONGESTION) =>
        sys.raw.getsockoptBytes(fd, SocketLevel.TCP, name, target);
      const whole = new Uint8Array(16);
      assert.equal(read(whole), 16);
      assert.match(new TextDecoder().decode(whole), /^[a-z_]+\0+$/);
      const part = new Uint8Array(3);
      assert.equal(read(part), 3);
      assert.deepEqual(part, whole.subarray(0, 3));
      assert.equal(read(new Uint8Array(1000)), 16);
      assert.equal(read(whole, 9999), -92, "ENOPROTOOPT");
      assert.equal(sys.raw.getsockoptBytes(CLOSED_FD, SocketLevel.TCP, CONGESTION, whole), -9);
    }),
  );

  it(
    "tell how many bytes a connection was given",
    scoped((scope) => {
      const [client, server] = scope.tcp();
      const before = bytesGiven(client);
      assert.ok(before >= 0);
      let sent = 0;
      for (let i = 0; i < 20; i++) sent += Math.max(0, sys.raw.write(client, pattern(50_000)));
      assert.ok(sent > 100_000);
      // Whether the peer has them or not.
      assert.equal(bytesGiven(client) - before, sent);
      sys.raw.read(server, new Uint8Array(70_000));
      assert.equal(bytesGiven(client) - before, sent);
      const [pipe] = scope.pipe();
      assert.equal(bytesGiven(pipe), -1);
    }),
  );

  it(
    "throw ENOPROTOOPT for an unknown option and EINVAL for a wrong value",
    scoped((scope) => {
      const [fd] = scope.tcp();
      fails("ENOPROTOOPT", "getsockopt", () => sys.getsockopt(fd, SocketLevel.SOCKET, 9999));
      fails("ENOPROTOOPT", "setsockopt", () => sys.setsockopt(fd, SocketLevel.TCP, 9999, 1));
      const short = new Uint8Array(1);
      const { SOCKET } = SocketLevel;
      fails("EINVAL", "setsockopt", () => sys.setsockopt(fd, SOCKET, SocketOption.SNDBUF, short));
      fails("EINVAL", "setsockopt", () => sys.setsockopt(fd, SOCKET, SocketOption.ZEROCOPY, 7));
    }),
  );
});

describe("fionread() and siocoutq()", () => {
  it(
    "count what is queued",
    scoped((scope) => {
      const [a, b] = scope.tcp();
      sys.send(a, pattern(100));
      readable(b);
      assert.equal(sys.fionread(b), 100);
      assert.equal(sys.siocoutq(a), 0);
      sys.send(a, new Uint8Array(8 << 20));
      assert.ok(sys.siocoutq(a) > 0);
      const [read, write] = scope.pipe();
      sys.write(write, pattern(7));
      assert.equal(sys.fionread(read), 7);
    }),
  );

  it(
    "throw ENOTTY, EINVAL and EBADF",
    scoped((scope) => {
      const [server] = listener(scope);
      fails("EINVAL", "ioctl", () => sys.fionread(server));
      fails("EINVAL", "ioctl", () => sys.siocoutq(server));
      fails("ENOTTY", "ioctl", () => sys.siocoutq(scope.memfd()));
      fails("ENOTTY", "ioctl", () => sys.fionread(scope.fd(sys.eventfd(0))));
      fails("EBADF", "ioctl", () => sys.fionread(CLOSED_FD));
    }),
  );
});
