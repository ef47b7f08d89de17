import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as sys from "../../src/sys/mod.ts";
import { isLoopback, withoutPacing } from "../../src/sys/net/loopback.ts";
import { Listener, Peer } from "../_kit/peer.ts";

/** The first four letters of the congestion control's name. */
function congestion(fd: number): string {
  const out = new Int32Array(1);
  const { CONGESTION } = sys.TcpOption;
  assert.equal(sys.raw.getsockopt(fd, sys.SocketLevel.TCP, CONGESTION, out), 0);
  return new TextDecoder().decode(out);
}

describe("isLoopback()", () => {
  it("knows the addresses of this machine from others", () => {
    const of = (family: "IPv4" | "IPv6", address: string) =>
      isLoopback({ family, address, port: 80 });
    for (const address of ["127.0.0.1", "127.255.0.9"]) assert.ok(of("IPv4", address), address);
    for (const address of ["::1", "::ffff:127.0.0.1"]) assert.ok(of("IPv6", address), address);
    for (const address of ["0.0.0.0", "10.0.0.1", "128.0.0.1"]) {
      assert.ok(!of("IPv4", address), address);
    }
    for (const address of ["::", "::2", "fe80::1", "::ffff:10.0.0.1"]) {
      assert.ok(!of("IPv6", address), address);
    }
    assert.ok(!isLoopback({ family: "Unix", path: "/127.0.0.1" }));
  });
});

describe("withoutPacing()", () => {
  it("is inherited by the connections of a listener", () => {
    const listener = new Listener();
    withoutPacing(listener.fd);
    const near = Peer.connect(listener.address);
    const far = listener.accept();
    assert.equal(congestion(far.fd), "reno");
    for (const each of [near, far, listener]) each.close();
  });

  it("holds for the connection that a socket makes afterwards", () => {
    const listener = new Listener();
    const fd = sys.socket(sys.AddressFamily.INET, sys.SocketType.STREAM);
    withoutPacing(fd);
    sys.connect(fd, listener.address);
    const far = listener.accept();
    assert.equal(congestion(fd), "reno");
    sys.close(fd);
    for (const each of [far, listener]) each.close();
  });

  it("does nothing to what is no TCP socket", () => {
    const [a, b] = sys.socketpair(sys.AddressFamily.UNIX, sys.SocketType.STREAM);
    withoutPacing(a);
    for (const fd of [a, b]) sys.close(fd);
  });
});
