/**
 * Both ends of a relayed connection, by system calls in the test's own thread. The relay works in
 * another thread, so a test can block here without its event loop, and sees errors directly.
 *
 * @module
 */

import assert from "node:assert/strict";
import * as sys from "../../src/sys/mod.ts";

const { STREAM, NONBLOCK, CLOEXEC } = sys.SocketType;
const { IN, OUT } = sys.PollEvent;
const FAMILIES = {
  IPv4: sys.AddressFamily.INET,
  IPv6: sys.AddressFamily.INET6,
  Unix: sys.AddressFamily.UNIX,
};
const RESET = new Uint8Array(Int32Array.of(1, 0).buffer);

/** Maximum wait in milliseconds, so that a hang becomes a failure. */
const PATIENCE_MS = 20_000;

const EAGAIN = -11;
const EINPROGRESS = -115;
const ECONNRESET = -104;
const EPIPE = -32;

/** A connected socket, non-blocking. */
export class Peer {
  /** The descriptor; -1 once closed. */
  fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Connects; returns at once, even if no one accepts. */
  static connect(address: sys.SocketAddress): Peer {
    const fd = sys.socket(FAMILIES[address.family], STREAM | NONBLOCK | CLOEXEC);
    try {
      sys.connect(fd, address);
    } catch (error) {
      const { errno } = error as sys.SyscallError;
      if (errno !== EINPROGRESS) {
        sys.close(fd);
        throw error;
      }
    }
    return new Peer(fd);
  }

  /** Whether connecting has failed; waits for the outcome. */
  refused(): boolean {
    this.#wait(OUT);
    return sys.getsockopt(this.fd, sys.SocketLevel.SOCKET, sys.SocketOption.ERROR) !== 0;
  }

  /** Sends everything. */
  send(data: Uint8Array | string): void {
    let bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    while (bytes.length > 0) {
      this.#wait(OUT);
      const sent = this.sendSome(bytes);
      bytes = bytes.subarray(sent);
    }
  }

  /** Sends as much as there is room for; returns the count. */
  sendSome(bytes: Uint8Array): number {
    const sent = sys.raw.send(this.fd, bytes, sys.MessageFlag.NOSIGNAL);
    if (sent === EAGAIN) return 0;
    assert.ok(sent >= 0, `send: ${sent}`);
    return sent;
  }

  /** Receives exactly `count` bytes. */
  receive(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count;) {
      this.#wait(IN);
      const some = this.receiveSome(bytes.subarray(at));
      assert.ok(some !== 0, `the end came after ${at} of ${count} bytes`);
      at += Math.max(0, some);
    }
    return bytes;
  }

  /** Receives text of the same length, and compares it. */
  receives(text: string): void {
    assert.equal(new TextDecoder().decode(this.receive(text.length)), text);
  }

  /** Receives available bytes: 0 at the end, -1 if there are none now. */
  receiveSome(target: Uint8Array): number {
    const count = sys.raw.recv(this.fd, target, 0);
    if (count === EAGAIN) return -1;
    assert.ok(count >= 0, `recv: ${count}`);
    return count;
  }

  /** Whether nothing has arrived yet. */
  get quiet(): boolean {
    return sys.raw.poll(this.fd, IN, 0) === 0;
  }

  /** Waits for the end, and fails if data arrives before it. */
  receivesEnd(): void {
    this.#wait(IN);
    assert.equal(sys.raw.recv(this.fd, new Uint8Array(1), 0), 0, "the end");
  }

  /** Discards data until the connection is reset. */
  receivesReset(): void {
    const bytes = new Uint8Array(65536);
    for (;;) {
      this.#wait(IN);
      const count = sys.raw.recv(this.fd, bytes, 0);
      assert.ok(count !== 0, "an ordinary end came instead of a reset");
      if (count > 0 || count === EAGAIN) continue;
      assert.ok(count === ECONNRESET || count === EPIPE, `recv: ${count}`);
      return;
    }
  }

  /** Ends the sending side. */
  end(): void {
    sys.shutdown(this.fd, sys.ShutdownHow.WR);
  }

  /** Closes with a reset. */
  reset(): void {
    if (this.fd < 0) return;
    sys.raw.setsockoptBytes(
      this.fd,
      sys.SocketLevel.SOCKET,
      sys.SocketOption.LINGER,
      RESET,
    );
    this.close();
  }

  /** Closes it. A second call does nothing. */
  close(): void {
    if (this.fd >= 0) sys.close(this.fd);
    this.fd = -1;
  }

  #wait(events: number): void {
    const result = sys.raw.poll(this.fd, events, PATIENCE_MS);
    assert.ok(result !== 0, `nothing happened in ${PATIENCE_MS} ms`);
  }
}

/** A listener. */
export class Listener {
  readonly fd: number;
  readonly address: sys.SocketAddress;

  constructor(
    address: sys.SocketAddress = { family: "IPv4", address: "127.0.0.1", port: 0 },
    backlog: number = 511,
  ) {
    this.fd = sys.socket(FAMILIES[address.family], STREAM | NONBLOCK | CLOEXEC);
    sys.bind(this.fd, address);
    sys.listen(this.fd, backlog);
    this.address = sys.getsockname(this.fd);
  }

  /** Waits for the next connection. */
  accept(): Peer {
    const result = sys.raw.poll(this.fd, IN, PATIENCE_MS);
    assert.ok(result !== 0, `nobody connected in ${PATIENCE_MS} ms`);
    return new Peer(sys.accept4(this.fd, NONBLOCK | CLOEXEC));
  }

  /** Whether no connection waits. */
  get quiet(): boolean {
    return sys.raw.poll(this.fd, IN, 0) === 0;
  }

  close(): void {
    sys.close(this.fd);
  }
}

/**
 * Sends `forth` from `a` to `b` and `back` from `b` to `a` at the same time; returns what arrived.
 */
export function exchange(
  a: Peer,
  b: Peer,
  forth: Uint8Array,
  back: Uint8Array,
): { forth: Uint8Array; back: Uint8Array } {
  const arrived = { forth: new Uint8Array(forth.length), back: new Uint8Array(back.length) };
  const ways = [
    { from: a, to: b, source: forth, target: arrived.forth, sent: 0, received: 0 },
    { from: b, to: a, source: back, target: arrived.back, sent: 0, received: 0 },
  ];
  let idleSince = performance.now();
  while (ways.some(({ received, target }) => received < target.length)) {
    let moved = 0;
    for (const way of ways) {
      if (way.sent < way.source.length) {
        const sent = way.from.sendSome(way.source.subarray(way.sent, way.sent + 262_144));
        way.sent += sent;
        moved += sent;
      }
      if (way.received < way.target.length) {
        const received = way.to.receiveSome(way.target.subarray(way.received));
        assert.ok(received !== 0, "the end came too early");
        way.received += Math.max(0, received);
        moved += Math.max(0, received);
      }
    }
    if (moved > 0) idleSince = performance.now();
    else if (performance.now() - idleSince > PATIENCE_MS) assert.fail("nothing moves");
    else sys.raw.poll(b.fd, IN, 1);
  }
  return arrived;
}

/** Waits until `condition` holds, while the event loop runs. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!condition()) {
    if (Date.now() > deadline) assert.fail(`${what}: not within ${PATIENCE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
