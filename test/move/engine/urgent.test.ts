/**
 * Bytes behind one that was sent as urgent. splice(2) stops in front of it, with 0 once the stream has
 * ended: who takes that for the end loses what follows. Readers of sockets leave the urgent byte out.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { broadcast, createRelay, relay, transfer } from "../../../src/mod.ts";
import * as sys from "../../../src/sys/mod.ts";
import { noise } from "../../_kit/bytes.ts";
import { inScope, Scope } from "../../_kit/fds.ts";
import { Listener, Peer } from "../../_kit/peer.ts";

const MSG_OOB = 1;
const EAGAIN = -11;
const BEFORE = new TextEncoder().encode("abc");
const BEHIND = noise(10_000);
const EXPECTED = Buffer.concat([BEFORE, BEHIND]);

/** Sends three bytes, an urgent one and ten thousand. */
function sendAround(fd: number): void {
  assert.equal(sys.send(fd, BEFORE), BEFORE.length);
  assert.equal(sys.raw.send(fd, Uint8Array.of(33), MSG_OOB), 1);
  assert.equal(sys.send(fd, BEHIND), BEHIND.length);
}

/** Streams that carry urgent bytes; of Unix sockets those of Linux 5.15 and later. */
const SOURCES: Record<string, (scope: Scope) => [peer: number, source: number]> = {
  TCP: (scope) => scope.tcp(),
  "a Unix socket": (scope) => scope.unix(),
};

/** Why a source cannot carry them here. */
function refused(open: (scope: Scope) => [number, number]): string | false {
  const scope = new Scope();
  try {
    const [peer] = open(scope);
    return sys.raw.send(peer, Uint8Array.of(33), MSG_OOB) === 1 ? false : "the kernel refuses them";
  } finally {
    scope.close();
  }
}

/** Reads what has arrived so far on a descriptor that does not wait. */
function drained(fd: number): Buffer {
  const parts: Uint8Array[] = [];
  for (;;) {
    const bytes = new Uint8Array(65536);
    const count = sys.raw.read(fd, bytes);
    if (count <= 0) {
      assert.ok(count === 0 || count === EAGAIN);
      return Buffer.concat(parts);
    }
    parts.push(bytes.subarray(0, count));
  }
}

/** Targets: a descriptor to write to, and what has arrived there. */
const TARGETS: Record<string, (scope: Scope) => [fd: number, arrived: () => Buffer]> = {
  "a file": (scope) => {
    const fd = scope.memfd();
    return [fd, () => {
      const bytes = new Uint8Array(65536);
      return Buffer.from(bytes.subarray(0, sys.pread(fd, bytes, 0)));
    }];
  },
  "a pipe": (scope) => {
    const [read, write] = scope.pipe();
    return [write, () => drained(read)];
  },
  "a pipe that waits": (scope) => {
    const [read, write] = scope.pipe(0);
    return [write, () => {
      sys.setStatusFlags(read, sys.OpenFlag.NONBLOCK);
      return drained(read);
    }];
  },
  "a socket": (scope) => {
    const [near, far] = scope.tcp();
    return [near, () => drained(far)];
  },
};

for (const [from, connect] of Object.entries(SOURCES)) {
  for (const [to, open] of Object.entries(TARGETS)) {
    describe(
      `bytes behind an urgent one, from ${from} to ${to}`,
      { skip: refused(connect) },
      () => {
        it("are moved by transfer(), and then comes the end", () =>
          inScope(async (scope) => {
            const [peer, source] = connect(scope);
            const [target, arrived] = open(scope);
            sendAround(peer);
            sys.shutdown(peer, sys.ShutdownHow.WR);
            const { bytes } = await transfer(source, target);
            assert.equal(bytes, EXPECTED.length);
            assert.ok(arrived().equals(EXPECTED));
          }));

        it("are moved by transfer() while the stream goes on", () =>
          inScope(async (scope) => {
            const [peer, source] = connect(scope);
            const [target, arrived] = open(scope);
            sendAround(peer);
            const { bytes } = await transfer(source, target, { length: EXPECTED.length });
            assert.equal(bytes, EXPECTED.length);
            assert.ok(arrived().equals(EXPECTED));
          }));

        it("are sent by broadcast() to each target", () =>
          inScope(async (scope) => {
            const [peer, source] = connect(scope);
            const targets = [open(scope), open(scope)];
            sendAround(peer);
            sys.shutdown(peer, sys.ShutdownHow.WR);
            const { bytes } = await broadcast(source, targets.map(([fd]) => fd));
            assert.equal(bytes, EXPECTED.length);
            for (const [, arrived] of targets) assert.ok(arrived().equals(EXPECTED));
          }));
      },
    );
  }
}

describe("bytes behind an urgent one, relayed", () => {
  it("arrive through a relay server, and then comes the end", async () => {
    const upstream = new Listener();
    const { port } = upstream.address as { port: number };
    const server = createRelay({ listen: ":0", upstream: `127.0.0.1:${port}` });
    const address = await server.listen();
    try {
      for (let round = 0; round < 10; round++) {
        const client = Peer.connect(address as sys.SocketAddress);
        const far = upstream.accept();
        sendAround(client.fd);
        client.end();
        assert.ok(Buffer.from(far.receive(EXPECTED.length)).equals(EXPECTED));
        far.receivesEnd();
        far.close();
        client.close();
      }
      assert.equal(server.stats().broken, 0);
    } finally {
      await server.close();
      upstream.close();
    }
  });

  it("arrive between two descriptors, and then comes the end", () =>
    inScope(async (scope) => {
      const [peer, near] = scope.tcp();
      const [far, end] = scope.tcp();
      sendAround(peer);
      sys.shutdown(peer, sys.ShutdownHow.WR);
      sys.shutdown(end, sys.ShutdownHow.WR);
      const { bytes } = await relay(near, far);
      assert.equal(bytes, EXPECTED.length);
      assert.ok(drained(end).equals(EXPECTED));
    }));
});
