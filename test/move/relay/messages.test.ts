import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Direction, Turn } from "../../../src/move/relay/direction.ts";
import { relayPool } from "../../../src/move/engine/pipe_pool.ts";
import { SMALL_BYTES } from "../../../src/move/engine/socket_splice.ts";
import * as sys from "../../../src/sys/mod.ts";
import { noise } from "../../_kit/bytes.ts";
import { Scope } from "../../_kit/fds.ts";

const EAGAIN = -11;

/** Runs the body with descriptors that it closes. */
function within(body: (scope: Scope) => void): void {
  const scope = new Scope();
  try {
    body(scope);
  } finally {
    scope.close();
  }
}

/** Opens a direction between two connections, as a thread of the relay does. */
function open(scope: Scope, kind: "tcp" | "unix" = "tcp") {
  const pipes = relayPool();
  const [client, from] = scope[kind]();
  const [to, server] = scope[kind]();
  const direction = new Direction({ pipes, turnBytes: 4 * 1024 * 1024 }, from, to);
  const close = () => {
    direction.path.release();
    pipes.close();
  };
  return { client, close, direction, pipes, server };
}

/** Reads what has arrived. */
function arrived(fd: number): Buffer {
  const parts: Uint8Array[] = [];
  for (;;) {
    const bytes = new Uint8Array(1 << 20);
    const count = sys.raw.recv(fd, bytes, sys.MessageFlag.DONTWAIT);
    if (count === EAGAIN || count === 0) return Buffer.concat(parts);
    assert.ok(count > 0, String(count));
    parts.push(bytes.subarray(0, count));
  }
}

/** Sends as much as the socket takes. */
function send(fd: number, bytes: Uint8Array): number {
  return Math.max(0, sys.raw.send(fd, bytes, sys.MessageFlag.DONTWAIT));
}

describe("a direction with short messages", () => {
  it("needs no pipe, and reads once per event", () => {
    within((scope) => {
      const { client, close, direction, pipes, server } = open(scope);
      for (let size = 1; size < SMALL_BYTES; size = size * 3 + 1) {
        const bytes = noise(size);
        assert.equal(send(client, bytes), size);
        assert.equal(direction.move(true), Turn.WAIT);
        assert.ok(bytes.equals(arrived(server)), `${size} bytes`);
      }
      assert.equal(pipes.open, 0);
      close();
    });
  });

  it("moves everything behind a message that fills its buffer", () => {
    within((scope) => {
      const { client, close, direction, pipes, server } = open(scope);
      for (const size of [SMALL_BYTES, SMALL_BYTES + 1, 5 * SMALL_BYTES]) {
        const bytes = noise(size);
        assert.equal(send(client, bytes), size);
        assert.equal(direction.move(true), Turn.WAIT);
        assert.ok(bytes.equals(arrived(server)), `${size} bytes`);
      }
      assert.ok(pipes.open > 0);
      // The next message is short again, and its direction gives its pipe back.
      assert.equal(send(client, noise(10)), 10);
      assert.equal(direction.move(true), Turn.WAIT);
      assert.equal(direction.path.brief, true);
      assert.equal(arrived(server).length, 10);
      close();
    });
  });

  it("passes the end on", () => {
    within((scope) => {
      const { client, close, direction, server } = open(scope);
      send(client, noise(10));
      sys.raw.shutdown(client, sys.ShutdownHow.WR);
      assert.equal(direction.move(), Turn.DONE);
      assert.equal(arrived(server).length, 10);
      assert.equal(sys.raw.recv(server, new Uint8Array(1), sys.MessageFlag.DONTWAIT), 0);
      close();
    });
  });

  it("keeps what a full target does not take", () => {
    within((scope) => {
      const { client, close, direction, server } = open(scope);
      const sent: Uint8Array[] = [];
      // Messages, because a pipe would take over longer pieces.
      for (let full = 0, i = 0; full < 3; i++) {
        const bytes = noise(SMALL_BYTES - 1, i);
        const count = send(client, bytes);
        sent.push(bytes.subarray(0, count));
        const turn = direction.move(true);
        assert.ok(turn >= 0, `errno ${-turn}`);
        if (direction.path.full) full++;
      }
      const parts: Uint8Array[] = [];
      const all = Buffer.concat(sent);
      for (let length = 0; length < all.length;) {
        const part = arrived(server);
        parts.push(part);
        length += part.length;
        assert.ok(direction.move() >= 0);
      }
      assert.ok(all.equals(Buffer.concat(parts)));
      close();
    });
  });

  it("trusts a short read of a TCP socket only", () => {
    for (const [kind, trusted] of [["tcp", true], ["unix", false]] as const) {
      within((scope) => {
        const { client, close, direction, server } = open(scope, kind);
        send(client, Buffer.from("abc"));
        assert.equal(direction.move(true), Turn.WAIT);
        assert.equal(arrived(server).toString(), "abc");
        // A Unix socket also ends a read at a message that carries descriptors.
        assert.equal(direction.path.emptiedBy(3), trusted);
        assert.equal(direction.path.emptiedBy(SMALL_BYTES), false);
        close();
      });
    }
  });
});
