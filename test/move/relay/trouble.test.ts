import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { assertDescriptors, openDescriptors } from "../../_kit/descriptors.ts";
import { Listener, Peer, until } from "../../_kit/peer.ts";
import { type Rig, rig, withRig } from "../_relay.ts";

const MIB = 1024 * 1024;

/** Sends without end, until nothing more fits for a while. */
async function sendUntilFull(peer: Peer): Promise<number> {
  const bytes = new Uint8Array(MIB);
  let total = 0;
  for (let idle = 0; idle < 20;) {
    const sent = peer.sendSome(bytes);
    total += sent;
    idle = sent > 0 ? 0 : idle + 1;
    if (sent === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return total;
}

/** A listener whose queue is full, so that connecting to it waits. */
function deafListener(own: (peer: Peer) => Peer): Listener {
  const listener = new Listener(undefined, 0);
  for (let i = 0; i < 4; i++) own(Peer.connect(listener.address));
  return listener;
}

/** A relay to an upstream that never answers. */
async function deafRig(options: Parameters<typeof rig>[0]): Promise<Rig> {
  const peers: Peer[] = [];
  const listener = deafListener((peer) => {
    peers.push(peer);
    return peer;
  });
  const made = await rig(options, listener);
  for (const peer of peers) made.own(peer);
  return made;
}

describe("a relayed connection", () => {
  it(
    "is reset when the client resets it in the middle",
    withRig({}, async ({ connect, relay }) => {
      const [client, server] = connect();
      client.send(randomBytes(MIB));
      server.receive(MIB / 2);
      client.reset();
      server.receivesReset();
      await until(() => relay.stats().active === 0, "the connection ends");
      assert.equal(relay.stats().broken, 1);
    }),
  );

  it(
    "is reset when the upstream resets it in the middle",
    withRig({}, async ({ connect, relay }) => {
      const [client, server] = connect();
      server.send(randomBytes(MIB));
      client.receive(MIB / 2);
      server.reset();
      client.receivesReset();
      await until(() => relay.stats().active === 0, "the connection ends");
      assert.equal(relay.stats().broken, 1);
    }),
  );

  it(
    "is reset while its receiver is stalled",
    withRig({}, async ({ connect, relay }) => {
      const [client, server] = connect();
      await sendUntilFull(server);
      server.reset();
      client.receivesReset();
      await until(() => relay.stats().active === 0, "the connection ends");
    }),
  );

  it(
    "leaves nothing of what was on the way to those who come after it",
    withRig({}, async ({ connect, relay }) => {
      for (let round = 0; round < 4; round++) {
        const stalled = Array.from({ length: 3 }, connect);
        for (const [client, server] of stalled) {
          await sendUntilFull(server);
          if (round % 2 === 0) client.reset();
          else server.reset();
        }
        await until(() => relay.stats().active === 0, "the connections end");
        assert.equal(relay.stats().pipes, 0, "pipes with bytes in them are kept");
        const [client, server] = connect();
        server.send("answer");
        client.receives("answer");
        client.send("question");
        server.receives("question");
        client.close();
        server.close();
        await until(() => relay.stats().active === 0, "the connection ends");
      }
    }),
  );

  it(
    "slows its sender down while its receiver does not read, and others go on",
    withRig({}, async ({ connect, relay }) => {
      const [client, server] = connect();
      const total = await sendUntilFull(server);
      const before = relay.stats().bytesDown;
      const [other, peer] = connect();
      other.send("question");
      peer.receives("question");
      assert.equal(relay.stats().bytesDown, before, "nothing moved meanwhile");
      server.end();
      client.receive(total);
      client.receivesEnd();
    }),
  );

  it(
    "goes on upwards while its client does not read",
    withRig({}, async ({ connect }) => {
      const [client, server] = connect();
      await sendUntilFull(server);
      const bytes = randomBytes(4 * MIB);
      for (let at = 0; at < bytes.length; at += 65536) {
        client.send(bytes.subarray(at, at + 65536));
        server.receive(65536);
      }
    }),
  );

  it("is reset when the upstream refuses", async () => {
    const upstream = new Listener();
    const { address } = upstream;
    upstream.close();
    const { close, own, relay } = await rig(
      { upstream: `127.0.0.1:${(address as { port: number }).port}` },
    );
    const client = own(Peer.connect(relay.address!));
    client.receivesReset();
    await until(() => relay.stats().active === 0, "the attempt ends");
    const { lastConnectError, unreached } = relay.stats();
    assert.deepEqual([lastConnectError, unreached], ["ECONNREFUSED", 1]);
    await close();
  });

  it("is reset when the path of the upstream does not exist", async () => {
    const { address, close, own, relay } = await rig({ upstream: "unix:/nonexistent/socket" });
    own(Peer.connect(address)).receivesReset();
    await until(() => relay.stats().lastConnectError === "ENOENT", "the error is told");
    await close();
  });

  it("is reset when the upstream does not answer in time", async () => {
    const { address, close, own, relay } = await deafRig({ connectTimeoutMs: 200 });
    const client = own(Peer.connect(address));
    client.receivesReset();
    await until(() => relay.stats().active === 0, "the attempt ends");
    assert.equal(relay.stats().lastConnectError, "ETIMEDOUT");
    await close();
  });

  it("is given up when the client goes before the upstream is there", async () => {
    const { address, close, own, relay } = await deafRig({ connectTimeoutMs: 600_000 });
    const client = own(Peer.connect(address));
    client.send("hello");
    await until(() => relay.stats().active === 1, "the attempt begins");
    client.reset();
    await until(() => relay.stats().active === 0, "the attempt ends");
    const { broken, unreached } = relay.stats();
    assert.deepEqual([broken, unreached], [1, 0]);
    await close();
  });

  it("ends when nothing has moved for a time, but not before", async () => {
    const { close, connect, relay } = await rig({ idleTimeoutMs: 400 });
    const [client, server] = connect();
    for (let i = 0; i < 6; i++) {
      client.send("x");
      server.receives("x");
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.ok(relay.stats().idle === 0, "ended although it was in use");
    }
    client.receivesEnd();
    server.receivesEnd();
    await until(() => relay.stats().active === 0, "the connection ends");
    assert.equal(relay.stats().idle, 1);
    await close();
  });

  it("is reset when its receiver is idle with bytes on the way", async () => {
    const { close, connect, relay } = await rig({ idleTimeoutMs: 2000 });
    const [client, server] = connect();
    await sendUntilFull(server);
    await until(() => relay.stats().idle === 1, "the connection is ended");
    client.receivesReset();
    server.receivesReset();
    await close();
  });
});

describe("close()", () => {
  it("resets what is open, in the middle of its traffic, without time of grace", async () => {
    const { close, connect, relay } = await rig({ threads: 2 });
    const pairs = Array.from({ length: 8 }, connect);
    for (const [client] of pairs) await sendUntilFull(client);
    await relay.close({ graceMs: 0 });
    for (const [client, server] of pairs) {
      client.receivesReset();
      server.receivesReset();
    }
    assert.equal(relay.stats().active, 0);
    assert.equal(relay.stats().pipes, 0);
    await close();
  });

  it("lets connections end within the time of grace, and takes no new ones", async () => {
    const { address, close, connect, relay } = await rig({ threads: 2 });
    const [client, server] = connect();
    let closed = false;
    const closing = relay.close({ graceMs: 60_000 }).then(() => closed = true);
    await until(() => {
      const late = Peer.connect(address);
      const refused = late.refused();
      late.close();
      return refused;
    }, "the port is closed");
    client.send("late");
    server.receives("late");
    assert.ok(!closed);
    client.end();
    server.receivesEnd();
    server.close();
    client.receivesEnd();
    await closing;
    assert.equal(relay.stats().broken, 0);
    await close();
  });

  it("resets what is left after the time of grace", async () => {
    const { close, connect, relay } = await rig();
    const [client, server] = connect();
    client.send("x");
    server.receives("x");
    await relay.close({ graceMs: 100 });
    client.receivesReset();
    server.receivesReset();
    await close();
  });
});

describe("whatever happens at whatever moment", () => {
  const action = fc.constantFrom(
    "send",
    "answer",
    "read",
    "flood",
    "end client",
    "end server",
    "reset client",
    "reset server",
    "close client",
    "close server",
    "wait",
  );

  it("every connection ends, and no descriptor is left", { timeout: 120_000 }, async () => {
    const before = openDescriptors();
    const { close, connect, relay } = await rig({ threads: 2 });
    const big = randomBytes(512 * 1024);
    const steps = fc.array(fc.tuple(fc.nat(2), action), { minLength: 1, maxLength: 25 });
    const quietly = (body: () => unknown) => {
      try {
        body();
      } catch {
        // The other side has disconnected; the test is about that.
      }
    };
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const pairs = [connect(), connect(), connect()];
        for (const [index, what] of list) {
          const [client, server] = pairs[index]!;
          if (what === "send") quietly(() => client.sendSome(big.subarray(0, 1000)));
          if (what === "answer") quietly(() => server.sendSome(big));
          if (what === "read") quietly(() => client.receiveSome(new Uint8Array(65536)));
          if (what === "flood") quietly(() => client.sendSome(big));
          if (what === "end client") quietly(() => client.end());
          if (what === "end server") quietly(() => server.end());
          if (what === "reset client") client.reset();
          if (what === "reset server") server.reset();
          if (what === "close client") client.close();
          if (what === "close server") server.close();
          if (what === "wait") await new Promise((resolve) => setTimeout(resolve, 1));
        }
        for (const [client, server] of pairs) {
          client.close();
          server.close();
        }
        await until(() => relay.stats().active === 0, "all connections end");
      }),
      { numRuns: 60 },
    );
    await close();
    await assertDescriptors(before);
  });
});
