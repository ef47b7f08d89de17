import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { createRelay } from "../../../src/move/relay/server/create_relay.ts";
import { PIPE_BYTES, relayPool } from "../../../src/move/engine/pipe_pool.ts";
import { Direction, type SharedBuffers, Turn } from "../../../src/move/relay/direction.ts";
import { noise, sha256 } from "../../_kit/bytes.ts";
import { runChild } from "../../_kit/child.ts";
import { Listener, Peer, until } from "../../_kit/peer.ts";
import { rig } from "../_relay.ts";

const FLOOD = new URL("../_fixtures/relay_flood.ts", import.meta.url);
const MIB = 1024 * 1024;
const TURN_BYTES = 128 * 1024;
const PATIENCE_MS = 120_000;

/** A pipe is filled as long as it holds less than its capacity, each time with at most that. */
const MOST_BYTES = { splice: TURN_BYTES + 2 * PIPE_BYTES, copy: TURN_BYTES } as const;

/** Both ends of a TCP connection. */
function connected(): [Peer, Peer] {
  const listener = new Listener();
  const near = Peer.connect(listener.address);
  const far = listener.accept();
  listener.close();
  return [near, far];
}

/** Starts a child, and ends it with the test. */
function startFlood(args: readonly string[]): { port: Promise<number>; stop(): Promise<void> } {
  const port = Promise.withResolvers<number>();
  let end = () => {};
  let ended = false;
  const result = runChild(FLOOD, {
    args,
    timeoutMs: PATIENCE_MS,
    onOutput(output, kill) {
      end = () => kill("SIGKILL");
      port.resolve(Number(output));
    },
  });
  void result.then(({ stderr }) => {
    ended = true;
    port.reject(new Error(stderr));
  });
  port.promise.catch(() => {});
  return {
    port: port.promise,
    async stop() {
      // It can be ended once it has said something.
      await port.promise.catch(() => {});
      if (!ended) end();
      await result;
    },
  };
}

describe("one turn of a direction", () => {
  for (const method of ["splice", "copy"] as const) {
    it(`is over after its share, by ${method}`, () => {
      const copying = method === "copy";
      const [client, from] = connected();
      const [to, server] = connected();
      const means: SharedBuffers = { pipes: relayPool(), turnBytes: TURN_BYTES };
      const direction = new Direction(means, from.fd, to.fd, { copying });
      const bytes = noise(24 * MIB, 7);
      const arrived = new Uint8Array(bytes.length);
      let received = 0;
      let turns = 0;
      for (let sent = 0, outcome = 0; outcome !== Turn.DONE; turns++) {
        if (sent < bytes.length) {
          sent += client.sendSome(bytes.subarray(sent));
          if (sent === bytes.length) client.end();
        }
        const before = direction.path.bytes;
        outcome = direction.move();
        assert.ok(outcome >= 0, `errno ${-outcome}`);
        const share = direction.path.bytes - before;
        assert.ok(share <= MOST_BYTES[method], `${share} bytes in one turn`);
        received += Math.max(0, server.receiveSome(arrived.subarray(received)));
      }
      arrived.set(server.receive(bytes.length - received), received);
      server.receivesEnd();
      assert.equal(sha256(arrived), sha256(bytes));
      assert.equal(direction.path.bytes, bytes.length);
      assert.equal(direction.path.copied, copying);
      assert.ok(turns >= bytes.length / MOST_BYTES[method]);
      direction.path.release();
      means.pipes.close();
      assert.equal(means.pipes.open, 0);
      for (const peer of [client, from, to, server]) peer.close();
    });
  }
});

describe("a greedy connection beside small ones on one thread", () => {
  it("goes on, and so does each of them", async () => {
    const upstream = startFlood(["serve"]);
    const relay = createRelay({ listen: ":0", upstream: `127.0.0.1:${await upstream.port}` });
    const address = await relay.listen();
    const { port } = address as { port: number };
    const floods = [1, 2].map(() => startFlood(["flood", String(port)]));
    const peers = Array.from({ length: 24 }, () => Peer.connect(address));
    try {
      for (const flood of floods) await flood.port;
      const connected = peers.length + floods.length;
      await until(() => relay.stats().active === connected, "all are connected");
      await until(() => relay.stats().bytesUp > 64 * MIB, "the greedy ones are at work");
      for (let round = 0; round < 20; round++) {
        const before = relay.stats().bytesUp;
        peers.forEach((peer, i) => peer.send(`small ${i} in round ${round}`));
        peers.forEach((peer, i) => peer.receives(`small ${i} in round ${round}`));
        await until(() => relay.stats().bytesUp > before + 8 * MIB, "the greedy ones go on");
      }
      assert.equal(relay.stats().active, connected);
    } finally {
      for (const { stop } of [...floods, upstream]) await stop();
      for (const peer of peers) peer.close();
      await relay.close({ graceMs: 0 });
    }
  });
});

describe("a connection that stands still", () => {
  it("takes no processor time, whichever side it waits for", async () => {
    const { close, connect, relay } = await rig();
    const [client, server] = connect();
    connect();
    const bytes = new Uint8Array(MIB);
    let total = 0;
    for (let idle = 0; idle < 20;) {
      const sent = server.sendSome(bytes);
      total += sent;
      idle = sent > 0 ? 0 : idle + 1;
      if (sent === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const { system, user } = process.cpuUsage(before);
    assert.ok(system + user < 500_000, `${(system + user) / 1000} ms in a second`);
    server.end();
    client.receive(total);
    client.receivesEnd();
    assert.equal(relay.stats().bytesDown, total);
    await close();
  });
});
